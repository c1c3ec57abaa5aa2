// Scenarios of the page at /status: what it shows, and what it leaves in peace.

import assert from 'node:assert/strict';
import { PHONE, accessible, fits, inState } from './kit.mjs';

const shows = (page, selector, text) =>
  page.waitForFunction(([at, wanted]) => document.querySelector(at)?.textContent === wanted, [selector, text]);
const cell = name => `#kinds tr:has(th:text-is("${name}")) td:last-child`;

// Opens sockets from the page at these paths and keeps them.
const gather = (page, paths) => page.evaluate(async wanted => {
  window.sockets = await Promise.all(wanted.map(path => new Promise((done, failed) => {
    const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
    socket.onopen = () => done(socket);
    socket.onerror = failed;
  })));
}, paths);

export const statusScenarios = {
  async status({ open }) {
    const page = await open('/status');
    await inState(page, 'OPEN');
    const room = `/chat/status-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const before = Number(await page.locator(cell('Chat')).textContent());
    const slow = Number(await page.locator(cell('Echo with a behaviour')).textContent());
    await gather(page, [room, room, '/?delay=1', '/']);
    const chat = page.locator(cell('Chat')).filter({ hasText: String(before + 2) });
    const behaviour = page.locator(cell('Echo with a behaviour')).filter({ hasText: String(slow + 1) });
    await Promise.all([chat.waitFor(), behaviour.waitFor()]);

    // A hundred messages and more are seen as such, in words and in the plot.
    await page.evaluate(() => {
      window.pump = setInterval(() => { for (let i = 0; i < 50; i++) sockets[3].send('hello'); }, 50);
    });
    await page.waitForFunction(() => Number(document.getElementById('messages').textContent) > 100);
    assert.match(await page.getAttribute('#messages-plot', 'aria-label'), /^Messages a second: \d+ now, at most \d+ in the last minute$/);
    assert.match(await page.textContent('#summary'), /^\d+ connections, \d+ messages a second, .* of .* in use\.$/);
    const points = await page.getAttribute('#messages-plot polyline', 'points');
    assert.ok(points.split(' ').length >= 2, points);

    // What ends, and what is refused, is told with its reason.
    await page.evaluate(() => sockets[2].close(1000));
    await page.locator('#endings tr:not([hidden]) th:has-text("closed")').first().waitFor();
    const answer = await page.request.get(new URL('/nothing-here', page.url()).href);
    assert.equal(answer.status(), 404);
    await page.locator('#refusals th:has-text("404")').waitFor();
    await page.evaluate(() => { clearInterval(pump); sockets.forEach(socket => socket.close()); });
  },

  // Numbers change each second and no voice says so; held, they stand still.
  async 'status-peace'({ open }) {
    const page = await open('/status');
    await inState(page, 'OPEN');
    await page.locator('#uptime').filter({ hasText: /s$/ }).waitFor();
    const spoken = await page.evaluate(async () => {
      const changes = [];
      const watch = new MutationObserver(records => changes.push(...records));
      for (const live of document.querySelectorAll('output, [role=status], [role=alert], [aria-live]')) {
        watch.observe(live, { subtree: true, childList: true, characterData: true, attributes: true });
      }
      const uptime = document.getElementById('uptime').textContent;
      await new Promise(done => {
        const tick = () => (document.getElementById('uptime').textContent === uptime ? setTimeout(tick, 50) : done());
        tick();
      });
      return changes.length;
    });
    assert.equal(spoken, 0, 'a live region spoke of a tick');

    await page.focus('#hold');
    await page.keyboard.press('Space');
    assert.equal(await page.getAttribute('#hold', 'aria-pressed'), 'true');
    const held = await page.textContent('#uptime');
    // Two more frames come, for another window as well.
    const other = await open('/status');
    const seen = await other.textContent('#uptime');
    await other.waitForFunction(text => document.getElementById('uptime').textContent !== text, seen);
    assert.equal(await page.textContent('#uptime'), held);
    await page.keyboard.press('Space');
    await page.waitForFunction(text => document.getElementById('uptime').textContent !== text, held);
  },

  // Who does not see the page does not ask for it.
  async 'status-hidden'({ open }) {
    const page = await open('/status'), witness = await open('/status');
    await Promise.all([inState(page, 'OPEN'), inState(witness, 'OPEN')]);
    const hide = hidden => page.evaluate(value => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    // The first frame may be from before the other came.
    const here = witness.locator(cell('This page'));
    await here.filter({ hasNotText: /^1?$/ }).waitFor();
    const both = Number(await here.textContent());
    await hide(true);
    await inState(page, 'CLOSED');
    await here.filter({ hasText: String(both - 1) }).waitFor();
    await hide(false);
    await inState(page, 'OPEN');
    await shows(page, '#retry', '');
  },

  async 'status-phone'({ open }) {
    const page = await open('/status', undefined, PHONE);
    await inState(page, 'OPEN');
    await page.waitForFunction(() => document.getElementById('uptime').textContent !== '–');
    await fits(page);
  },

  async 'status-axe'({ open }) {
    for (const viewport of [undefined, PHONE]) {
      const page = await open('/status', undefined, viewport);
      await inState(page, 'OPEN');
      await page.locator('#endings tr:not([hidden])').first().waitFor();
      await accessible(page, 'status');
      await page.close();
    }
  },
};
