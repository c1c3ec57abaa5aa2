// The pictures in docs/img/: pages in the light, in the dark and on a phone.
//
//   node shots.mjs FOLDER [PICTURE…]      all of them, or those named
//
// WSECHO and CHROMIUM are as for test.mjs.

import assert from 'node:assert/strict';
import path from 'node:path';
import { PHONE, inState, logged } from './kit.mjs';
import { launch, startServer } from './run.mjs';

const DESK = { width: 1080, height: 640 };

async function send(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

// A conversation in which everything is to be seen once, and a message that is open.
async function talk(page) {
  await page.click('#connect');
  await inState(page, 'OPEN');
  for (const text of ['Hello, world', 'message {{n}} at {{time}}', 'message {{n}} at {{time}}']) await send(page, text);
  await page.check('#kind-hex', { force: true });
  await send(page, '77 73 65 63 68 6f 00 ff');
  await page.check('#kind-text', { force: true });
  await send(page, '{"device": "pump-7", "seq": 90071992547409931, "values": [21.5, 21.75], "ok": true}');
  await logged(page, 'got', /pump-7/);
  for (let i = 0; i < 30; i++) await send(page, 'tick {{n}}');
  await logged(page, 'got', /tick 32/);
  await page.locator('#log li.got', { hasText: 'pump-7' }).locator('summary.line').click();
  await page.fill('#text', '{"seq": {{n}}, "at": "{{time}}"}');
  await page.locator('#trips', { hasText: 'median' }).waitFor();
}

// Clients of each kind, and enough seconds of traffic to be seen.
const work = page => page.evaluate(async () => {
  const open = path => new Promise(done => {
    const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
    socket.onopen = () => done(socket);
  });
  const paths = ['/', '/', '/?delay=5ms', '/chat/den', '/chat/den', '/chat/hall', '/draw', '/broadcast/news'];
  const [first, second] = await Promise.all(paths.map(open));
  const brief = await open('/');
  brief.close(1000);
  const started = performance.now();
  while (performance.now() - started < 25_000) {
    const wave = 30 + 25 * Math.sin(performance.now() / 2500);
    for (let i = 0; i < wave; i++) (i % 3 ? first : second).send('x'.repeat(200 + 40 * i));
    await new Promise(done => setTimeout(done, 100));
  }
});

// Three in a room, one of whom has just come.
async function gather(open, viewport, scheme) {
  const say = async (page, text) => {
    await send(page, text);
    await logged(page, 'chat', new RegExp(text.slice(0, 9)));
  };
  const join = async (name, ...looks) => {
    const page = await open('/chat/kitchen', ...looks);
    await inState(page, 'OPEN');
    await page.evaluate(nick => {
      document.getElementById('nick').value = nick;
      document.getElementById('nick-form').requestSubmit();
    }, name);
    await page.locator('#me', { hasText: name }).waitFor({ state: 'attached' });
    return page;
  };
  const ada = await join('Ada', DESK, scheme), bob = await join('Bob', DESK, scheme);
  await say(ada, 'Good morning! Has anybody tried the new build?');
  await say(ada, 'It is at https://example.org/build/17, they say.');
  await say(bob, 'Yes: reconnects at once, and the name is mine again.');
  const zoe = await join('Zoë', viewport, scheme);
  await say(zoe, 'I have just come, and see what you said.');
  await say(bob, 'That is what the room is for.');
  await logged(zoe, 'chat', /That is what/);
  await zoe.bringToFront();
}

// Some waves, and a hole in one of them.
async function sketch(open, viewport, scheme) {
  const page = await open('/draw/kitchen', viewport, scheme);
  await inState(page, 'OPEN');
  const colours = ['Ink', 'Red', 'Amber', 'Green', 'Blue', 'Violet'];
  // The board may be smaller than its frame, or reach beyond it.
  const frame = await page.locator('#frame').boundingBox(), board = await page.locator('#board').boundingBox();
  const x = Math.max(frame.x, board.x), y = Math.max(frame.y, board.y);
  const width = Math.min(frame.x + frame.width, board.x + board.width) - x;
  const height = Math.min(frame.y + frame.height, board.y + board.height) - y;
  for (const [row, colour] of colours.entries()) {
    await page.check(`#colours [aria-label=${colour}]`);
    await page.fill('#width', String(8 + 5 * row));
    for (let i = 0; i <= 60; i++) {
      const at = [0.2 + i / 100, 0.18 + row * 0.13 + 0.05 * Math.sin(i / 5 + row)];
      await page.mouse.move(x + width * at[0], y + height * at[1]);
      if (i === 0) await page.mouse.down();
    }
    await page.mouse.up();
  }
}

const pictures = {
  async 'console-light'(open) { await talk(await open('/', DESK, 'light')); },
  async 'console-dark'(open) {
    const page = await open('/', DESK, 'dark');
    await talk(page);
    await page.click('[aria-controls=drawer-behaviours]');
    await page.getByRole('button', { name: 'Drops after 3' }).click();
  },
  async 'status-light'(open) {
    const page = await open('/status', DESK, 'light');
    await inState(page, 'OPEN');
    await work(page);
  },
  async 'status-dark'(open) {
    const page = await open('/status', DESK, 'dark');
    await inState(page, 'OPEN');
    await work(page);
  },
  async 'status-phone'(open) {
    const page = await open('/status', PHONE, 'light');
    await inState(page, 'OPEN');
    await work(page);
  },
  async 'console-phone'(open) { await talk(await open('/', PHONE, 'light')); },
  'chat-light': open => gather(open, DESK, 'light'),
  'chat-phone': open => gather(open, PHONE, 'dark'),
  'draw-light': open => sketch(open, DESK, 'light'),
  'draw-dark': open => sketch(open, DESK, 'dark'),
  'draw-phone': open => sketch(open, PHONE, 'light'),
};

async function main([folder, ...names]) {
  const unknown = names.filter(name => !Object.hasOwn(pictures, name));
  assert.ok(folder && unknown.length === 0, `node shots.mjs FOLDER, and pictures out of ${Object.keys(pictures).join(', ')}`);
  const server = await startServer('127.0.0.1:0'), browser = await launch();
  try {
    for (const name of names.length ? names : Object.keys(pictures)) {
      const context = await browser.newContext();
      let page;
      await pictures[name](async (where, viewport, colorScheme) => {
        page = await context.newPage();
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.goto(new URL(where, server.base).href);
        return page;
      });
      await page.screenshot({ path: path.join(folder, `${name}.png`) });
      await context.close();
    }
  } finally {
    await browser.close();
    await server.stop();
  }
}

await main(process.argv.slice(2));
