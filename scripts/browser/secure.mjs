// The pages over TLS: they use the scheme that they came by.

import assert from 'node:assert/strict';
import { inState, logged } from './kit.mjs';

export const secureScenarios = {
  async secure({ open, startServer }) {
    const server = await startServer('wss://127.0.0.1:0', '--tls-self-signed');
    try {
      const page = await open('/', server.base);
      assert.equal(await page.inputValue('#url'), `${server.base.replace(/^http/, 'ws')}ws`);
      await page.click('#connect');
      await inState(page, 'OPEN');
      await page.fill('#text', 'x'.repeat(100_000));
      await page.click('#send');
      await logged(page, 'got', /x.*text97\.7 KiB/s);
      const chat = await open('/chat/over-tls', server.base);
      await inState(chat, 'OPEN');
      const status = await open('/status', server.base);
      await inState(status, 'OPEN');
    } finally {
      await server.stop();
    }
  },
};
