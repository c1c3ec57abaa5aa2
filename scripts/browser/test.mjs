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
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { statusScenarios } from './status.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WSECHO = path.resolve(process.env.WSECHO ?? path.join(HERE, '../../target/release/wsecho'));
const PATIENCE_MS = 15_000;
const HOSTILE = '<img src=x onerror=hacked=1>';

// Each scenario gets `open(path)`, a new window on the server, and `base`, the server's address.
const scenarios = {
  ...statusScenarios,

  async console({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await page.fill('#text', 'Grüße');
    await page.press('#text', 'Enter');
    await logged(page, 'sent', /Grüße/);
    await logged(page, 'got', /Grüße.*text · 7 B · [\d.]+ ms/s);

    await page.check('#kind-hex');
    await page.fill('#text', '00 ff 7f');
    await page.click('#send');
    await logged(page, 'got', /00 ff 7f.*binary · 3 B/s);

    await page.check('#kind-file');
    await page.setInputFiles('#file', {
      name: 'bytes', mimeType: 'application/octet-stream', buffer: Buffer.alloc(70_000, 0xab),
    });
    await page.click('#send');
    await logged(page, 'got', /ab ab.*69,936 more bytes.*68\.4 KiB/s);

    await page.fill('#close-code', '4321');
    await page.fill('#close-reason', 'enough');
    await page.click('#disconnect');
    await inState(page, 'CLOSED');
    await logged(page, 'note', /Closed cleanly, code 4321/);
    await page.click('#clear');
    assert.equal(await page.locator('#log li').count(), 0);
    // Of two messages on their way, the first reply answers the older one.
    await page.evaluate(() => {
      unanswered = [1300, 1600];
      ['one', 'two'].forEach(reply => received(reply, 2000));
    });
    await logged(page, 'got', /one.* 700 ms/s);
    await logged(page, 'got', /two.* 400 ms/s);
  },

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

  async keyboard({ open }) {
    const page = await open('/');
    await page.focus('#url');
    await page.keyboard.press('Enter');
    await inState(page, 'OPEN');
    await page.focus('#text');
    await page.keyboard.type('typed');
    await page.keyboard.press('Enter');
    await logged(page, 'got', /typed/);
    await page.focus('#disconnect');
    await page.keyboard.press('Space');
    await inState(page, 'CLOSED');
  },

  async burst({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await page.fill('#burst-count', '500');
    await page.fill('#burst-size', '1000');
    await page.fill('#burst-pipeline', '8');
    await page.click('#burst');
    await says(page, '#burst-stats', /^done: 500 in .*p50 .*p99 .*max [\d.]+ ms$/);
    assert.match(await page.getAttribute('#plot', 'aria-label'), /500 in/);
  },

  async query({ open }) {
    const page = await open('/');
    await page.click('#behaviours summary');
    await page.fill('#b-reply', 'Echo: {message} & more');
    await page.fill('#b-delay', '20');
    await page.check('#b-no-pong');
    const url = await page.inputValue('#url');
    assert.equal(url.split('?')[1], 'reply=Echo%3A%20%7Bmessage%7D%20%26%20more&delay=20&no-pong');
    await page.fill('#url', url.replace('delay=20', 'delay=7&mine=1'));
    assert.equal(await page.inputValue('#b-delay'), '7');
    await page.click('#b-reset');
    await page.waitForFunction(() => document.getElementById('url').value.endsWith('?mine=1'));
  },

  // Text from the peer is text: it neither becomes markup nor hides itself.
  async 'console-hostile'({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await page.fill('#text', `${HOSTILE}\u0007\u202e`);
    await page.press('#text', 'Enter');
    await logged(page, 'got', /<img src=x onerror=hacked=1>\[U\+0007\]\[U\+202E\]/);
    await harmless(page);
  },

  async reconnect({ open }) {
    const server = await startServer('127.0.0.1:0');
    const page = await open('/', server.base);
    let again;
    try {
      await connectConsole(page);
      await server.stop();
      await inState(page, 'CLOSED');
      await says(page, '#retry', /Attempt \d+ in \d+ s/);
      again = await startServer(new URL(server.base).host);
      await inState(page, 'OPEN');
      await page.press('#text', 'Enter');
      await logged(page, 'got', /Hello, world/);
      // Without the checkbox the next end is the last one.
      await page.uncheck('#reconnect');
    } finally {
      await server.stop();
      await again?.stop();
    }
    await inState(page, 'CLOSED');
    assert.equal(await page.textContent('#retry'), '');
    assert.equal(await page.isDisabled('#disconnect'), true, 'nothing is left to end');
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

const says = (page, selector, pattern) =>
  page.locator(selector).filter({ hasText: pattern }).first().waitFor();
const logged = (page, kind, pattern) => says(page, `#log li.${kind}`, pattern);
const inState = (page, state) =>
  page.locator(`#state[data-state=${state}]`, { hasText: state }).waitFor();

async function connectConsole(page) {
  await page.click('#connect');
  await inState(page, 'OPEN');
}

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

// Each run has a room of its own, so that it may share a server with others.
const roomName = () => `/test-${process.pid}-${Math.random().toString(36).slice(2)}`;

const stroke = change =>
  JSON.stringify({ colour: '#000000', width: 8, points: [[9, 9], [90, 90]], ...change });

async function harmless(page) {
  assert.equal(await page.evaluate(() => typeof hacked), 'undefined');
  assert.equal(await page.locator('main img, main script').count(), 0);
}

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

// ---- Server and browser. ----

async function startServer(listen) {
  const child = spawn(WSECHO, ['--listen', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').catch(error => {
    throw new Error(`${WSECHO}: ${error.message}`);
  });
  const ready = once(createInterface(child.stdout), 'line').then(([line]) => line);
  const early = exited.then(([code]) => assert.fail(`${WSECHO} ended with ${code}`));
  const line = await Promise.race([ready, early]);
  const [, host] = /^wsecho listening on ws:\/\/([^/]+)\/$/.exec(line)
    ?? assert.fail(`ready line: ${line}`);
  return {
    base: `http://${host}/`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

async function run(name, browser, base) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints = [], pages = [];
  const open = async (where, server = base, viewport) => {
    const page = await context.newPage();
    if (viewport) await page.setViewportSize(viewport);
    page.on('pageerror', error => complaints.push(String(error)));
    page.on('console', message => {
      // The browser reports a refused connection itself; every other error is ours (CSP, for one).
      const text = message.text();
      if (message.type() === 'error' && !text.startsWith('WebSocket connection to')) {
        complaints.push(text);
      }
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
    await scenarios[name]({ open, base });
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
  // Root, as in a container, has no sandbox to offer; the pages are our own.
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
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
