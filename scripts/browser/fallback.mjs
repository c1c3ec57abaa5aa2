// Scenarios of the console where WebSocket does not get through.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { accessible, inState, logged, says } from './kit.mjs';

// A proxy that knows nothing of upgrades. One that `holds` streams passes nothing on of a response
// before its end.
async function startProxy(base, holds = false) {
  const proxy = createServer((asked, answer) => {
    const { upgrade, connection, ...headers } = asked.headers;
    const onwards = request(new URL(asked.url, base), { method: asked.method, headers }, response => {
      if (holds && response.headers['content-type'] === 'text/event-stream') return;
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    onwards.on('error', () => answer.destroy());
    answer.on('close', () => onwards.destroy());
    asked.pipe(onwards);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    base: `http://127.0.0.1:${proxy.address().port}/`,
    stop() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

// Text and bytes come back as they went.
async function talk(page) {
  await page.fill('#text', 'Grüße,\nund mehr');
  await page.click('#send');
  await logged(page, 'got', /Grüße.*text17 B[\d.]+ m?s$/s);
  await page.check('#kind-hex', { force: true });
  await page.fill('#text', '00 ff 7f');
  await page.click('#send');
  await logged(page, 'got', /00 ff 7f.*binary3 B/s);
  await page.check('#kind-text', { force: true });
}

async function connect(page, words) {
  await page.click('#connect');
  await inState(page, 'OPEN');
  await says(page, '#state', words);
}

async function disconnect(page) {
  await page.click('#connect');
  await inState(page, 'CLOSED');
  await page.click('#clear');
}

export const fallbackScenarios = {
  // The console finds what gets through, and says so.
  async fallback({ open, base }) {
    const proxy = await startProxy(base);
    try {
      const page = await open('/', proxy.base);
      await connect(page, /^Connected by server-sent events$/);
      await logged(page, 'note', /WebSocket does not get through\. Falling back to server-sent events\./);
      await logged(page, 'note', /Connected in .* by server-sent events$/);
      await talk(page);
      await accessible(page, 'fallen back');
      await disconnect(page);
      // Who wants nothing else gets nothing else.
      await page.click('[aria-controls=drawer-options]');
      await page.selectOption('#transport', 'ws');
      await page.click('#connect');
      await logged(page, 'fault', /Could not connect.*Plain requests are answered there/);
      await inState(page, 'WAITING');
      await page.click('#connect');
      await inState(page, 'CLOSED');
    } finally {
      proxy.stop();
    }
  },

  // Neither do streams: it goes on to polls.
  async 'fallback-held'({ open, base }) {
    const proxy = await startProxy(base, true);
    try {
      const page = await open('/', proxy.base);
      await connect(page, /^Connected by long polling$/);
      await logged(page, 'note', /Server-sent events do not get through\. Falling back to long polling\./);
      await talk(page);
    } finally {
      proxy.stop();
    }
  },

  // Each can be tried where all get through.
  async 'fallback-forced'({ open }) {
    const page = await open('/');
    await page.click('[aria-controls=drawer-options]');
    const all = { sse: 'server-sent events', poll: 'long polling', post: 'one request for each message' };
    for (const [name, words] of Object.entries(all)) {
      await page.selectOption('#transport', name);
      await connect(page, new RegExp(`^Connected by ${words}$`));
      await talk(page);
      await disconnect(page);
    }
    await page.waitForFunction(() => location.hash.includes('transport=post'));
    await page.fill('#url', 'ws://127.0.0.1:1/');
    await page.click('#connect');
    await says(page, '#url-why', /the echo of its own server only/);
    await page.click('#url-fix');
    await page.selectOption('#transport', 'auto');
    await connect(page, /^Connected$/);
  },
};
