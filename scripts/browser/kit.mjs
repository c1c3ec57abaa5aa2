// What scenarios are written in: waiting for what a page shows, and looking at it with axe-core.

import assert from 'node:assert/strict';
import axe from 'axe-core';

// How long a scenario waits for what has to come.
export const PATIENCE_MS = 15_000;

export const HOSTILE = '<img src=x onerror=hacked=1>';

export const says = (page, selector, pattern) =>
  page.locator(selector).filter({ hasText: pattern }).first().waitFor();

export const logged = (page, kind, pattern) => says(page, `#log li.${kind}`, pattern);

export const inState = (page, state) => page.locator(`#state[data-state=${state}]`).waitFor();

export async function harmless(page) {
  assert.equal(await page.evaluate(() => typeof hacked), 'undefined');
  assert.equal(await page.locator('main img, main script').count(), 0);
}

// Each link of the page leads to a page.
export async function leadsOut(page, base) {
  const links = await page.locator('nav a').evaluateAll(all => all.map(link => link.href));
  assert.deepEqual(links, ['', 'chat', 'draw', 'status'].map(where => base + where));
  for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
}

// No fault that axe-core knows, in the light and in the dark.
export async function accessible(page, state) {
  await page.evaluate(axe.source);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const faults = violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html} ${node.failureSummary}`));
    assert.deepEqual(faults, [], `${state}, ${colorScheme}`);
  }
}

// The width of the window is enough: nothing has to be scrolled sideways.
export async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${wide} pixels in a window of ${window}`);
}

// A room of its own for each run, so that it may share a server with others.
export const roomName = () => `/test-${process.pid}-${Math.random().toString(36).slice(2)}`;

export const PHONE = { width: 390, height: 844 };
