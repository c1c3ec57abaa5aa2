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
import { chatScenarios } from './chat.mjs';
import { consoleScenarios } from './console.mjs';
import { drawScenarios } from './draw.mjs';
import { fallbackScenarios } from './fallback.mjs';
import { PATIENCE_MS } from './kit.mjs';
import { launch, startServer } from './run.mjs';
import { secureScenarios } from './secure.mjs';
import { statusScenarios } from './status.mjs';

// Each scenario gets `open(path)`, a new window on the server, `base`, the server's address, and
// `startServer`, for one that it may stop.
const scenarios = {
  ...consoleScenarios,
  ...fallbackScenarios,
  ...secureScenarios,
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

  ...chatScenarios,
  ...drawScenarios,
};

// ---- Runs. ----

async function run(name, browser, base) {
  // The certificate that a server makes for itself is nobody's.
  const options = { viewport: { width: 1100, height: 800 }, ignoreHTTPSErrors: true };
  const context = await browser.newContext(options);
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
