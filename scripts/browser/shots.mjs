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
