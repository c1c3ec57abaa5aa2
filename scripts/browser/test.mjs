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
import { chatScenarios } from './chat.mjs';
import { drawScenarios } from './draw.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WSECHO = path.resolve(process.env.WSECHO ?? path.join(HERE, '../../target/release/wsecho'));
const PATIENCE_MS = 15_000;
const HOSTILE = '<img src=x onerror=hacked=1>';

// Each scenario gets `open(path)`, a new window on the server, and `base`, the server's address.
const scenarios = {
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

// Each link of the page leads to a page.
async function leadsOut(page, base) {
  const links = await page.locator('nav a').evaluateAll(all => all.map(link => link.href));
  assert.deepEqual(links, ['', 'chat', 'draw'].map(where => base + where));
  for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
}

async function harmless(page) {
  assert.equal(await page.evaluate(() => typeof hacked), 'undefined');
  assert.equal(await page.locator('main img, main script').count(), 0);
}

const tools = { HOSTILE, PATIENCE_MS, harmless, inState, leadsOut, logged, says, startServer };
Object.assign(scenarios, chatScenarios(tools), drawScenarios(tools));

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
