// The server and the browser that scenarios and pictures are made with.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WSECHO = path.resolve(process.env.WSECHO ?? path.join(HERE, '../../target/release/wsecho'));

// Root, as in a container, has no sandbox to offer; the pages are our own.
export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
});

// The server's binary on this address, with more options.
export async function startServer(listen, ...options) {
  const child = spawn(WSECHO, ['--listen', listen, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').catch(error => {
    throw new Error(`${WSECHO}: ${error.message}`);
  });
  const ready = once(createInterface(child.stdout), 'line').then(([line]) => line);
  const early = exited.then(([code]) => assert.fail(`${WSECHO} ended with ${code}`));
  const line = await Promise.race([ready, early]);
  const [, secure, host] = /^wsecho listening on ws(s?):\/\/([^/]+)\/$/.exec(line)
    ?? assert.fail(`ready line: ${line}`);
  return {
    base: `http${secure}://${host}/`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
