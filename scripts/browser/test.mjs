// What a person does with the pages, done by a real browser against the real server.
//
//   node test.mjs [SCENARIO…]      all of them, or those named
//
// WSECHO_URL   an http:// address of a running server; without it each run starts its own
// WSECHO       the server's binary (default: target/release/wsecho); `reconnect` always starts it,
//              for it has to stop the server and start it again
// CHROMIUM     the browser (default: /usr/bin/chromium)
// SHOTS        a directory for a screenshot of each scenario's last state

import assert from 'node:assert/strict';
import path from 'node:path';
import { consoleScenarios } from './console.mjs';
import { HOSTILE, PHONE, accessible, harmless, inState, logged, roomName, says } from './kit.mjs';
import { launch, startServer } from './run.mjs';
import { statusScenarios } from './status.mjs';

const PATIENCE_MS = 15_000;

// Each scenario gets `open(path)`, a new window on the server, `base`, the server's address, and
// `startServer`, for one that it may stop.
const scenarios = {
  ...consoleScenarios,
  ...statusScenarios,

  // COUNT messages through the browser's own permessage-deflate; compressed.sh counts at the server.
  async compressed({ open }) {
    const page = await open('/');
    const said = await page.evaluate(async count => {
      const socket = new WebSocket(location.origin.replace(/^http/, 'ws'));
      socket.binaryType = 'arraybuffer';
      await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
      const words = ['alpha', 'βeta', 'γ', '0', '{"key": 17}'];
      const message = number => JSON.stringify({
        number,
        words: Array.from({ length: [0, 3, 40, 800][number % 4] }, (_, at) => words[(number + at * at) % 5]),
      });
      let [next, back] = [0, 0];
      await new Promise((resolve, reject) => {
        const batch = () => { for (let i = 0; i < 100 && next < count; i++) socket.send(message(next++)); };
        socket.onclose = event => reject(new Error(`closed with ${event.code}`));
        socket.onmessage = event => {
          if (event.data !== message(back)) reject(new Error(`message ${back} came back changed`));
          back += 1;
          if (back === count) resolve();
          else if (back === next) batch();
        };
        batch();
      });
      return `${back} messages exchanged, ${socket.extensions}`;
    }, Number(process.env.COUNT ?? 1000));
    assert.match(said, /permessage-deflate/);
    console.log(said);
  },

  async chat({ open }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    await nick(ada, 'Ada');
    await nick(bob, 'Bob');
    await says(ada, '#users', /Ada \(you\)/);
    await says(ada, '#users', /Bob/);

    await bob.fill('#nick', 'Ada');
    await bob.click('#nick-set');
    await says(bob, '#nick-error', /./);
    assert.equal(await bob.textContent('#me'), 'Bob');

    await chat(ada, 'Good morning');
    for (const page of [ada, bob]) await says(page, '#log .chat', /Ada.*Good morning/s);

    const eve = await open(`/chat${room}`);
    await nick(eve, 'Eve');
    await ada.locator('#users button', { hasText: 'Bob' }).click();
    await chat(ada, 'only for you');
    for (const page of [ada, bob]) {
      await says(page, '#log .private', /Ada → Bob.*only for you/s);
    }
    await ada.click('#target-clear');
    await chat(ada, 'and for all');
    // One order for all: had the private message reached Eve, it would stand before this one.
    await logged(eve, 'chat', /and for all/);
    assert.doesNotMatch(await eve.textContent('#log'), /only for you/);

    await bob.close();
    await logged(ada, 'system', /Bob.*left|left.*Bob/);
    await ada.waitForFunction(() => !document.getElementById('users').textContent.includes('Bob'));
  },

  async 'chat-hostile'({ open }) {
    const room = roomName();
    const victim = await open(`/chat${room}`), other = await open(`/chat${room}`);
    await nick(victim, 'Victim');
    await nick(other, HOSTILE);
    await chat(other, `${HOSTILE}<script>hacked=2</script>`);
    await says(victim, '#log .chat .who', /^<img src=x onerror=hacked=1>$/);
    await says(victim, '#log .chat .what',
      /^<img src=x onerror=hacked=1><script>hacked=2<\/script>$/);
    await says(victim, '#users', /<img src=x onerror=hacked=1>/);
    // A name that is written from right to left does not turn what stands beside it.
    for (const part of ['.who', '.what']) {
      const style = line => getComputedStyle(line).unicodeBidi;
      assert.equal(await victim.locator(`#log .chat ${part}`).first().evaluate(style), 'isolate');
    }
    await victim.locator('#users button').first().click();
    await chat(victim, 'psst');
    await says(other, '#log .private', /psst/);
    await harmless(victim);
    await harmless(other);
  },

  // One room for each path, which the page names and the links lead out of.
  async 'chat-rooms'({ open, base }) {
    const room = `Küche & ${roomName().slice(1)}`, path = `/chat/${encodeURIComponent(room)}`;
    const ada = await open(path), bob = await open('/chat');
    await says(bob, '#h-room', /^The hall$/);
    await says(ada, '#h-room', new RegExp(`^Room ${room}$`));
    await nick(ada, 'Ada');
    await nick(bob, 'Bob');
    // By the form, by a path that is spelt in another way, and by the links of earlier pages.
    await bob.fill('#room', ` ${room} `);
    await bob.click('#room-go');
    assert.equal(new URL(bob.url()).pathname, path);
    await bob.waitForFunction(() => document.getElementById('me').textContent === 'Bob');
    const others = [];
    for (const where of [`/chat/K%c3%bcche%20&${path.slice(path.indexOf('%26') + 3)}`,
      `/chat#${encodeURIComponent(room)}`, `/chat?room=${encodeURIComponent(room)}`]) {
      const page = await open(where);
      await inState(page, 'OPEN');
      await says(page, '#h-room', new RegExp(`^Room ${room}$`));
      assert.equal(page.url(), new URL(path, base).href);
      others.push(page);
    }
    await chat(ada, 'all in one room');
    for (const page of [bob, ...others]) await logged(page, 'chat', /all in one room/);
    // Back leads to the hall, where nothing of the room is heard any more.
    await bob.goBack();
    await says(bob, '#h-room', /^The hall$/);
    await bob.waitForFunction(() => document.getElementById('me').textContent === 'Bob');
    await chat(ada, 'is Bob gone?');
    await logged(others[0], 'chat', /is Bob gone/);
    await chat(bob, 'alone');
    await logged(bob, 'chat', /alone/);
    assert.doesNotMatch(await bob.textContent('#log'), /Bob gone/);
    for (const page of [ada, bob]) await leadsOut(page, base);
    await ada.fill('#room', '..');
    await ada.click('#room-go');
    assert.equal(new URL(ada.url()).pathname, path, 'no room can have that name');
  },

  // A name is one's own again at once, though the server takes the broken connection for alive.
  async 'chat-ghost'({ open, base }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    await nick(ada, 'Ada');
    // A connection that has Ada's key and name, as one that broke would.
    await bob.evaluate(url => new Promise(done => {
      window.thief = new WebSocket(url);
      window.heard = [];
      window.thief.onmessage = event => window.heard.push(event.data);
      window.thief.onopen = () => {
        window.thief.send('{"type":"nick","username":"Ada","key":"not the key of Ada"}');
        window.thief.send('{"type":"who"}');
      };
      const seen = () => window.heard.some(text => text.includes('"type":"who"'));
      const timer = setInterval(() => { if (seen()) { clearInterval(timer); done(); } }, 20);
    }), `${base.replace(/^http/, 'ws')}chat${room}`);
    assert.match((await bob.evaluate(() => window.heard)).join(), /that name is taken/);
    // The page leaves its socket behind, as if the network had swallowed its end.
    await ada.evaluate(() => {
      const old = socket;
      socket = null;
      connect();
      old.onmessage({ data: '{"type":"chat","username":"Eve","message":"from before"}' });
    });
    await logged(bob, 'system', /Ada is back, 3 user\(s\) online/);
    await ada.waitForFunction(() => document.getElementById('me').textContent === 'Ada');
    await chat(ada, 'here I am');
    await logged(bob, 'chat', /^Ada.*here I am/s);
    assert.doesNotMatch(await ada.textContent('#log'), /from before|Disconnected/, 'of the old one');
  },

  async 'draw-rooms'({ open, base }) {
    const room = `Küche ${roomName().slice(1)}`;
    const one = await open(`/draw/${encodeURIComponent(room)}`);
    const two = await open(`/draw/${encodeURIComponent(room)}`), all = await open('/draw');
    for (const page of [one, two, all]) await inState(page, 'OPEN');
    await says(one, '#h-room', new RegExp(`^Board ${room}$`));
    await says(all, '#h-room', /^The common board$/);
    await one.focus('#board');
    await one.keyboard.press('Space');
    for (let i = 0; i < 30; i++) await one.keyboard.press('ArrowRight');
    await one.keyboard.press('Space');
    await two.waitForFunction(() => document.getElementById('board').getContext('2d')
      .getImageData(1200, 600, 1, 1).data[3] === 255);
    assert.equal((await picture(all)).ink, 0, 'another board');
    await leadsOut(one, base);
  },

  async draw({ open }) {
    const one = await open('/draw');
    const two = await open('/draw', undefined, { width: 500, height: 800 });
    for (const page of [one, two]) await inState(page, 'OPEN');
    await one.check('#colours [aria-label=Red]');
    await one.fill('#width', '12');
    const box = await one.locator('#board').boundingBox();
    const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
    await one.mouse.move(...at(0.2, 0.2));
    await one.mouse.down();
    await one.mouse.move(...at(0.5, 0.7), { steps: 20 });
    await one.mouse.move(...at(0.8, 0.2), { steps: 20 });
    await one.mouse.up();
    await samePicture(one, two);

    // The keyboard draws too, in the other direction.
    const before = await picture(one);
    await two.focus('#board');
    await two.keyboard.press('Space');
    for (let i = 0; i < 10; i++) await two.keyboard.press('ArrowRight');
    await two.keyboard.press('Space');
    await samePicture(one, two);
    assert.notDeepEqual(await picture(one), before);

    await two.click('#clear');
    assert.equal((await picture(two)).ink, 0);
    assert.notEqual((await picture(one)).ink, 0, 'clearing is local');
  },

  async axe({ open }) {
    const chat = await open('/chat');
    await nick(chat, 'Ada');
    await accessible(chat, 'chat');
    const draw = await open('/draw', undefined, PHONE);
    await inState(draw, 'OPEN');
    await accessible(draw, 'draw on a phone');
  },

  // The server relays whatever comes; a page draws strokes and survives the rest.
  async 'draw-hostile'({ open, base }) {
    const page = await open('/draw'), rogue = await open('/draw');
    for (const window of [page, rogue]) await inState(window, 'OPEN');
    const junk = [
      'no json', 'null', '[]', '{}', '"x"', '1e999',
      stroke({ points: [] }), stroke({ points: [[1]] }), stroke({ points: [['1', 2]] }),
      stroke({ points: [[-1, 5]] }), stroke({ points: [[1e9, 5]] }), stroke({ points: 'abc' }),
      stroke({ width: 1e6 }), stroke({ width: 0 }), stroke({ width: null }),
      stroke({ colour: 'url(x)' }), stroke({ colour: HOSTILE }), stroke({ colour: {} }),
      stroke({ points: Array(257).fill([5, 5]) }), 'x'.repeat(9000),
    ];
    const address = `${base.replace(/^http/, 'ws')}draw`;
    await rogue.evaluate(([url, messages]) => new Promise((done, failed) => {
      const socket = new WebSocket(url);
      socket.onerror = failed;
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
        socket.send(new Uint8Array([1, 2, 3]));
        // The one good stroke comes last: once it is seen, all before it has been judged.
        socket.send('{"colour":"#ff0000","width":60,"points":[[800,600]]}');
        done();
      };
    }), [address, junk]);
    await page.waitForFunction(() => document.getElementById('board').getContext('2d')
      .getImageData(800, 600, 1, 1).data[0] === 255);
    const { ink } = await picture(page);
    assert.ok(ink > 2000 && ink < 3600, `one dot of width 60 and nothing else, but ${ink} pixels`);
    await harmless(page);
  },
};

// ---- What the scenarios are written in. ----

async function nick(page, name) {
  await inState(page, 'OPEN');
  await page.fill('#nick', name);
  await page.click('#nick-set');
  await page.waitForFunction(wanted => document.getElementById('me').textContent === wanted, name);
}

// Each link of the page leads to a page.
async function leadsOut(page, base) {
  const links = await page.locator('nav a').evaluateAll(all => all.map(link => link.href));
  assert.deepEqual(links, ['', 'chat', 'draw', 'status'].map(where => base + where));
  for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
}

async function chat(page, message) {
  await page.fill('#text', message);
  await page.press('#text', 'Enter');
}

const stroke = change =>
  JSON.stringify({ colour: '#000000', width: 8, points: [[9, 9], [90, 90]], ...change });

// The painted pixels: how many, and a hash of all.
const picture = page => page.evaluate(async () => {
  const board = document.getElementById('board'), { width, height } = board;
  const { data } = board.getContext('2d').getImageData(0, 0, width, height);
  let ink = 0, hash = 0;
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] === 0) continue;
    ink++;
    for (let k = i - 3; k <= i; k++) hash = Math.imul(hash ^ data[k] ^ k, 16777619);
  }
  return { ink, hash };
});

// Antialiased joints are painted once more where one message ends and the next begins, so the two
// boards are compared pixel by pixel with room for a few that differ in shade only.
async function samePicture(one, two) {
  const pixels = page => page.evaluate(() => {
    const board = document.getElementById('board'), { width, height } = board;
    const { data } = board.getContext('2d').getImageData(0, 0, width, height);
    const solid = [];
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 250) solid.push(`${i / 4}:${data[i]},${data[i + 1]},${data[i + 2]}`);
    }
    return solid;
  });
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const [a, b] = [new Set(await pixels(one)), new Set(await pixels(two))];
    const missing = (from, other) => [...from].filter(pixel => !other.has(pixel)).length;
    const different = missing(a, b) + missing(b, a);
    if (a.size > 500 && different <= a.size / 50) return;
    assert.ok(Date.now() < deadline, `${different} of ${a.size} pixels differ`);
  }
}

// ---- Runs. ----

async function run(name, browser, base) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints = [], pages = [];
  const open = async (where, server = base, viewport) => {
    const page = await context.newPage();
    if (viewport) await page.setViewportSize(viewport);
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('console', message => {
      // The browser reports refused requests itself; every other error is ours (CSP, for one).
      const text = message.text();
      const reported = text.startsWith('WebSocket connection to') || text.startsWith('Failed to load resource');
      if (message.type() === 'error' && !reported) complaints.push(text);
    });
    page.on('request', request => {
      const url = request.url();
      if (!url.startsWith(server) && !url.startsWith('data:')) complaints.push(`asked for ${url}`);
    });
    const answer = await page.goto(new URL(where, server).href);
    assert.match(answer.headers()['content-security-policy'] ?? '', /default-src 'none'/);
    pages.push(page);
    return page;
  };
  try {
    await scenarios[name]({ open, base, context, startServer });
    assert.deepEqual(complaints, []);
  } finally {
    const last = pages.find(page => !page.isClosed());
    if (process.env.SHOTS && last) {
      await last.screenshot({ path: path.join(process.env.SHOTS, `${name}.png`) });
    }
    await context.close();
  }
}

async function main(names) {
  const unknown = names.filter(name => !Object.hasOwn(scenarios, name));
  assert.deepEqual(unknown, [], `the scenarios are ${Object.keys(scenarios).join(', ')}`);
  const server = process.env.WSECHO_URL ? null : await startServer('127.0.0.1:0');
  const base = new URL('/', process.env.WSECHO_URL ?? server.base).href;
  const browser = await launch();
  let failed = 0;
  try {
    for (const name of names.length ? names : Object.keys(scenarios)) {
      const began = Date.now();
      try {
        await run(name, browser, base);
        console.log(`ok      ${name} (${Date.now() - began} ms)`);
      } catch (error) {
        failed++;
        console.log(`FAILED  ${name}\n${error.stack}`);
      }
    }
  } finally {
    await browser.close();
    await server?.stop();
  }
  return failed;
}

process.exitCode = await main(process.argv.slice(2)) === 0 ? 0 : 1;
