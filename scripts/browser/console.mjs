// Scenarios of the console.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { HOSTILE, PHONE, accessible, fits, harmless, inState, logged, roomName, says } from './kit.mjs';

async function connectConsole(page) {
  await page.click('#connect');
  await inState(page, 'OPEN');
}

async function connectTo(page, url) {
  await page.fill('#url', url);
  await page.press('#url', 'Enter');
  await inState(page, 'OPEN');
}

async function send(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

// The radio buttons lie below their labels.
const kind = (page, name) => page.check(`#kind-${name}`, { force: true });
const drawer = (page, name) => page.click(`[aria-controls=drawer-${name}]`);
const rows = (page, selector) => page.locator(`#log li${selector}`);
const focusedId = page => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
const ws = base => base.replace(/^http/, 'ws');
const ROUND_TRIP = /\d ms$/;

export const consoleScenarios = {
  async console({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await says(page, '#state', /^Connected$/);
    await send(page, 'Grüße');
    await logged(page, 'sent', /Grüße/);
    await logged(page, 'got', /Grüße.*text7 B[\d.]+ ms$/s);

    await kind(page, 'hex');
    await page.fill('#text', '00 ff 7f');
    await page.click('#send');
    await logged(page, 'got', /00 ff 7f.*binary3 B/s);
    await page.fill('#text', '0');
    await page.click('#send');
    await says(page, '#send-error', /pairs of the digits/);

    await kind(page, 'file');
    await page.setInputFiles('#file', {
      name: 'bytes', mimeType: 'application/octet-stream', buffer: Buffer.alloc(70_000, 0xab),
    });
    await page.click('#send');
    await logged(page, 'got', /ab ab.*68\.4 KiB/s);

    await drawer(page, 'options');
    await page.fill('#close-code', '2000');
    assert.equal(await page.evaluate(() => document.getElementById('close-code').validity.valid), false);
    await page.fill('#close-code', '4321');
    await page.fill('#close-reason', 'enough');
    await page.click('#connect');
    await inState(page, 'CLOSED');
    await logged(page, 'note', /Closed cleanly, code 4321/);
    await page.click('#clear');
    assert.equal(await rows(page, '').count(), 0);
  },

  // A message opens to all of it, in each form that it has.
  async 'console-detail'({ open, context }) {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await open('/');
    await connectConsole(page);
    const text = '{"id": 12345678901234567890, "<b>": [1, {"deep": null}], "s": "a\\nb"}';
    await send(page, text);
    await rows(page, '.got').first().waitFor();
    await rows(page, '.got').locator('summary.line').click();
    const view = rows(page, '.got').locator('.view');
    // A number stays as it was written, though JavaScript has none like it.
    await view.getByText('12345678901234567890', { exact: true }).waitFor();
    await view.getByText('[ 2 items ]').click();
    await view.getByText('{ 1 field }').click();
    await view.getByText('null').waitFor();
    await view.getByText('<b>: ').waitFor();
    await page.getByRole('button', { name: 'Hex' }).click();
    await says(page, '#log .view', /^000000 {2}7b 22 69 64 .* {2}\{"id": 123456789/);
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.waitForFunction(() => document.querySelectorAll('#log li.got').length === 2);
    await page.getByRole('button', { name: 'Edit' }).click();
    assert.equal(await page.inputValue('#text'), text);

    // A long one comes in pieces, to its end.
    await page.click('#clear');
    await send(page, `${'x'.repeat(70_000)} the end`);
    await rows(page, '.got').locator('summary.line').click();
    await page.getByRole('button', { name: /Show more of 4,4/ }).click();
    await says(page, '#log .view', /x the end$/);
    await accessible(page, 'an opened message');
  },

  async 'console-log'({ open }) {
    const page = await open('/');
    await connectConsole(page);
    for (let i = 1; i <= 30; i++) await send(page, `message ${i} of them`);
    await logged(page, 'got', /message 30 of them/);

    await page.fill('#filter', 'MESSAGE 2 ');
    assert.equal(await rows(page, ':not([hidden])').count(), 2);
    await page.selectOption('#show', 'got');
    assert.equal(await rows(page, ':not([hidden])').count(), 1);
    await says(page, '#shown', /^1 of 6\d$/);
    assert.equal(await rows(page, ':not([hidden])').locator('.line[tabindex="0"]').count(), 1, 'Tab leads to the row');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
    assert.match(download.suggestedFilename(), /\.jsonl$/);
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line));
    assert.equal(lines.length, 1);
    const { time, round_trip_ms, ...rest } = lines[0];
    assert.deepEqual(rest, { direction: 'received', type: 'text', size: 17, data: 'message 2 of them' });
    assert.ok(!isNaN(new Date(time)) && round_trip_ms > 0, JSON.stringify(lines[0]));
    await page.fill('#filter', '');
    await page.selectOption('#show', 'all');

    // Whoever reads above is left alone, and told how much is new.
    await page.locator('#log-box').evaluate(box => { box.scrollTop = 0; });
    await send(page, 'unseen');
    await says(page, '#newest', /^↓ [12] new$/);
    assert.equal(await page.locator('#log-box').evaluate(box => box.scrollTop), 0);
    await says(page, '#newest', /^↓ 2 new$/);
    await page.click('#newest');
    await page.locator('#newest').waitFor({ state: 'hidden' });

    await page.click('#pause');
    const before = await rows(page, '').count();
    await send(page, 'while paused');
    await says(page, '#pause', /^Resume \(2\)$/);
    assert.equal(await rows(page, '').count(), before);
    await page.click('#pause');
    await logged(page, 'got', /while paused/);

    // However much comes, so many rows are kept.
    await page.evaluate(() => { for (let i = 0; i < 3000; i++) received(`flood ${i}`, 0); });
    await logged(page, 'got', /flood 2999/);
    assert.equal(await rows(page, '').count(), 1000);
  },

  async 'console-composer'({ open }) {
    const page = await open('/');
    await send(page, 'too early');
    await says(page, '#send-error', /Not connected/);
    await connectConsole(page);
    await send(page, 'first {{n}}');
    await logged(page, 'got', /first 1/);
    await send(page, 'second {{n}} at {{time}}');
    await logged(page, 'got', /second 2 at \d{4}-\d\d-\d\dT[\d:.]+Z/);

    await page.fill('#text', 'a draft');
    await page.press('#text', 'Home');
    await page.press('#text', 'ArrowUp');
    assert.equal(await page.inputValue('#text'), 'second {{n}} at {{time}}');
    await page.press('#text', 'ArrowUp');
    assert.equal(await page.inputValue('#text'), 'first {{n}}');
    await page.press('#text', 'ArrowDown');
    await page.press('#text', 'ArrowDown');
    assert.equal(await page.inputValue('#text'), 'a draft');
    // Within a text of several lines the arrows move.
    await page.fill('#text', 'one\ntwo');
    await page.press('#text', 'ArrowUp');
    assert.equal(await page.inputValue('#text'), 'one\ntwo');

    await page.fill('#text', 'kept');
    await page.click('#save');
    await drawer(page, 'saved');
    await page.fill('#text', '');
    await page.locator('#saved .use').click();
    assert.equal(await page.inputValue('#text'), 'kept');
    await page.locator('#saved button.small').click();
    await says(page, '#saved-empty', /None yet/);
    assert.equal(await focusedId(page), 'save');

    await page.fill('#repeat-ms', '1');
    await page.click('#repeat');
    assert.equal(await page.textContent('#repeat'), 'Repeat', 'below the limit of the field');
    await page.fill('#repeat-ms', '20');
    await page.fill('#text', 'tick {{n}}');
    await page.click('#repeat');
    await logged(page, 'got', /tick 7/);
    await page.click('#repeat');
    await page.click('#connect');
    await inState(page, 'CLOSED');
    const ticks = await rows(page, '.sent').count();
    await connectConsole(page);
    await send(page, 'after');
    await logged(page, 'got', /after/);
    assert.equal(await rows(page, '.sent').count(), ticks + 1, 'the repetition has ended');
  },

  // A message that somebody else sent is no reply of one's own.
  async 'console-trips'({ open, base, startServer }) {
    const room = `broadcast${roomName()}`;
    const ada = await open('/'), bob = await open('/');
    for (const page of [ada, bob]) await connectTo(page, `${ws(base)}${room}`);
    await send(ada, 'same');
    await logged(bob, 'got', /same/);
    await send(bob, 'same');
    await logged(ada, 'got', /same/);
    for (const page of [ada, bob]) {
      for (const trip of await rows(page, '.got').locator('.trip').allTextContents()) assert.equal(trip, '');
    }
    // On a server that this page does not know, one message from somebody else is enough.
    const other = await startServer('127.0.0.1:0');
    try {
      await connectTo(ada, `${ws(other.base)}ws`);
      await ada.click('#clear');
      await send(ada, 'mine');
      await logged(ada, 'got', ROUND_TRIP);
      for (const page of [ada, bob]) await connectTo(page, `${ws(other.base)}${room}`);
      await send(ada, 'mine');
      await send(bob, 'of Bob');
      await logged(ada, 'got', /of Bob/);
      await ada.click('#clear');
      // Sent by both; what comes to Ada is of Bob, since a room hands nobody their own words.
      await send(ada, 'same');
      await logged(bob, 'got', /same/);
      await send(bob, 'same');
      await logged(ada, 'got', /same/);
      assert.equal(await rows(ada, '.got').first().locator('.trip').textContent(), '');
    } finally {
      await other.stop();
    }
    // Where a template answers, a reply contains what it replies to; the welcome is no reply.
    await connectTo(ada, `${ws(base)}ws?welcome=hi&reply=Echo:+{message}`);
    await logged(ada, 'got', /hi.*text2 B$/s);
    await send(ada, 'templated');
    await logged(ada, 'got', /Echo: templated.* ms$/s);
    // Replies come in order, so the first one answers the older message.
    await connectTo(ada, `${ws(base)}ws`);
    await ada.evaluate(() => {
      unanswered = [{ data: 'equal', at: 1300 }, { data: 'lost', at: 1400 }, { data: 'equal', at: 1600 }];
      for (let i = 0; i < 3; i++) received('equal', 2000);
    });
    await logged(ada, 'got', /equal.*5 B700 ms$/s);
    await logged(ada, 'got', /equal.*5 B400 ms$/s);
    await logged(ada, 'got', /equal.*5 B$/s);
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
    // One row is in the order of the Tab key; the arrows lead to the others, Enter opens one.
    await page.focus('#log-box');
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await rows(page, '.got').locator('.view').waitFor();
    await page.keyboard.press('Home');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /typed/);
    // The focus stays where it was, or goes to the next thing of use, and never to the page's top.
    await page.click('#clear');
    assert.equal(await focusedId(page), 'clear');
    await page.focus('[aria-controls=drawer-burst]');
    await page.keyboard.press('Enter');
    assert.equal(await focusedId(page), 'h-burst');
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-controls')), 'drawer-burst');
    await page.focus('#connect');
    await page.keyboard.press('Space');
    await inState(page, 'CLOSED');
    assert.equal(await focusedId(page), 'connect');
  },

  async burst({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await drawer(page, 'burst');
    await page.fill('#burst-count', '500');
    await page.fill('#burst-size', '1000');
    await page.fill('#burst-pipeline', '8');
    await page.click('#burst');
    await says(page, '#burst-stats', /^done: 500 of 500 in .*p50 .*p99 .*max [\d.]+ ms$/);
    assert.match(await page.getAttribute('#plot', 'aria-label'), /500 of 500/);
    // What cannot be is not begun.
    await page.fill('#burst-count', '0');
    await page.click('#burst');
    assert.equal(await page.textContent('#burst'), 'Run');

    // A stop stops: at once, though replies are still under way, and these are nobody's.
    await page.click('#connect');
    await inState(page, 'CLOSED');
    await page.fill('#url', (await page.inputValue('#url')) + '?delay=400');
    await connectConsole(page);
    await page.click('#clear');
    await page.fill('#burst-count', '1000000');
    await page.click('#burst');
    await page.locator('#progress').waitFor();
    await says(page, '#burst-stats', /^[1-9]\d* of 1,000,000/);
    await accessible(page, 'a burst');
    await page.click('#burst');
    assert.equal(await page.textContent('#burst'), 'Run');
    await says(page, '#burst-stats', /^stopped: \d+ of 1,000,000/);
    await send(page, 'after the burst');
    await logged(page, 'got', /after the burst.* ms$/s);
    assert.equal(await rows(page, '.got').count(), 1);
  },

  async query({ open }) {
    const page = await open('/');
    await drawer(page, 'behaviours');
    await page.fill('#b-reply', 'Echo: {message} & more');
    await page.fill('#b-delay', '20');
    await page.check('#b-no-pong');
    const url = await page.inputValue('#url');
    assert.equal(url.split('?')[1], 'reply=Echo%3A%20%7Bmessage%7D%20%26%20more&delay=20&no-pong');
    await page.fill('#url', url.replace('delay=20', 'delay=7&mine=1'));
    assert.equal(await page.inputValue('#b-delay'), '7');

    // What is beyond its limits is said, and goes nowhere.
    await page.fill('#b-ping', '99');
    await says(page, '#behaviours-error', /^Ping every, ms: .*100/);
    await page.fill('#b-reason', 'é'.repeat(62));
    await says(page, '#behaviours-error', /Close, reason: At most 123 bytes/);
    assert.doesNotMatch(await page.inputValue('#url'), /ping|reason/);
    await page.click('#apply');
    assert.equal(await page.getAttribute('#state', 'data-state'), 'CLOSED');
    assert.equal(await focusedId(page), 'b-ping');
    await accessible(page, 'wrong behaviours');

    await page.getByRole('button', { name: 'Drops after 3' }).click();
    assert.match(await page.inputValue('#url'), /\?drop=rst&after=3$/);
    await says(page, '#behaviours-count', /^2$/);
    await page.click('#apply');
    await inState(page, 'OPEN');
    for (const text of ['1', '2', '3']) await send(page, text);
    await logged(page, 'note', /Closed without a closing handshake, code 1006/);
    // With another behaviour at once, in place of this connection.
    await inState(page, 'OPEN');
    await page.getByRole('button', { name: 'Says hello' }).click();
    await page.click('#apply');
    await logged(page, 'got', /Hello!/);
    await page.getByRole('button', { name: 'Exact echo' }).click();
    assert.doesNotMatch(await page.inputValue('#url'), /\?/);
  },

  // The link says what to connect to, and the browser keeps the last session.
  async 'console-link'({ open, base }) {
    const url = `${ws(base)}echo?delay=5&reply=a+%26+b`;
    const page = await open(`/#${new URLSearchParams({ url, protocols: 'a, b', reconnect: '0' })}`);
    assert.equal(await page.inputValue('#url'), url);
    assert.equal(await page.inputValue('#b-reply'), 'a & b');
    assert.equal(await page.inputValue('#subprotocol'), 'a, b');
    assert.equal(await page.isChecked('#reconnect'), false);
    assert.equal(await page.getAttribute('#state', 'data-state'), 'CLOSED', 'a link connects nobody');
    await drawer(page, 'behaviours');
    await page.fill('#b-delay', '6');
    await page.fill('#text', 'remember me');
    await page.click('#save');
    await page.waitForFunction(() => location.hash.includes('delay%3D6'));
    // What is written down soon after the first change may lack the last one.
    await page.waitForFunction(() => JSON.parse(localStorage.getItem('wsecho console')).saved.length === 1);
    const again = await open('/');
    assert.equal(await again.inputValue('#url'), `${ws(base)}echo?reply=a%20%26%20b&delay=6`);
    assert.equal(await again.inputValue('#text'), 'remember me');
    await says(again, '#saved-count', /^1$/);
    await drawer(again, 'options');
    await again.click('#forget');
    assert.equal(await again.inputValue('#url'), `${ws(base)}ws`);
    await again.waitForFunction(() => location.hash === '');
    // What somebody else wrote into the store does no harm.
    await again.evaluate(() => {
      localStorage.setItem('wsecho console', '{"url":7,"past":[null,{"text":1}],"saved":"x","fields":[],"ticks":null}');
    });
    const odd = await open('/');
    assert.equal(await odd.inputValue('#url'), `${ws(base)}ws`);
  },

  async 'console-url'({ open, base }) {
    const page = await open('/');
    const host = new URL(base).host;
    const wrong = [
      [`${host}/socket`, /begins with ws:/, `ws://${host}/socket`],
      [`http://${host}/ws`, /begins with ws:/, `ws://${host}/ws`],
      ['/ws', /begins with ws:/, 'ws://ws'],
      ['ftp://h/', /begins with ws:/, null],
      ['', /Enter a WebSocket URL/, `${ws(base)}ws`],
      ['ws://', /not a valid URL/, null],
      [`${ws(base)}ws#part`, /no fragment/, `${ws(base)}ws`],
    ];
    for (const [url, why, meant] of wrong) {
      await page.fill('#url', url);
      await page.click('#connect');
      await says(page, '#url-why', why);
      assert.equal(await focusedId(page), 'url');
      assert.equal(await page.getAttribute('#state', 'data-state'), 'CLOSED', url);
      assert.equal(await page.isVisible('#url-fix'), meant !== null, url);
      if (meant) assert.equal(await page.textContent('#url-fix'), `Use ${meant}`);
    }
    await accessible(page, 'a wrong URL');
    await page.click('#url-fix');
    assert.equal(await focusedId(page), 'url');
    await page.press('#url', 'Enter');
    await inState(page, 'OPEN');
    assert.equal(await page.isVisible('#url-error'), false);
  },

  // Why it failed, once, in one row, however often it is tried.
  async 'console-why'({ open, base }) {
    const page = await open('/');
    for (const [query, why] of [
      ['refuse=503', /refused the handshake with 503 Service Unavailable: 503, as asked/],
      ['delay=x', /refused the handshake with 400 Bad Request: delay: "x" is not a time/],
    ]) {
      await page.fill('#url', `${ws(base)}?${query}`);
      await page.press('#url', 'Enter');
      await logged(page, 'fault', why);
      await page.click('#connect');
      await inState(page, 'CLOSED');
    }
    await page.click('#clear');
    await page.fill('#url', 'ws://127.0.0.1:1/');
    await page.press('#url', 'Enter');
    await logged(page, 'fault', /Browsers do not tell pages why/);
    await inState(page, 'WAITING');
    await accessible(page, 'waiting');
  },

  async reconnect({ open, startServer }) {
    const server = await startServer('127.0.0.1:0');
    const page = await open('/', server.base);
    let again;
    try {
      await connectConsole(page);
      // All that a screen reader says from now on.
      await page.evaluate(() => {
        window.announced = [];
        const live = document.querySelectorAll('[role=status], [role=alert], [role=log], [aria-live], output');
        const watch = new MutationObserver(changes => announced.push(...changes.map(({ target }) => target.textContent)));
        for (const region of live) watch.observe(region, { childList: true, characterData: true, subtree: true });
      });
      await server.stop();
      await logged(page, 'note', /Closed cleanly, code 1001/);
      await inState(page, 'WAITING');
      await says(page, '#state', /^Trying again in \d+ s/);
      await logged(page, 'fault', /Could not connect, [3-9] attempts. Nothing answers at/);
      assert.equal(await rows(page, '.fault').count(), 1);
      again = await startServer(new URL(server.base).host);
      await inState(page, 'OPEN');
      const announced = await page.evaluate(() => announced);
      assert.deepEqual(announced.map(words => words.slice(0, 17)),
        ['Connection closed', 'Could not connect', 'Connected'], announced.join('\n'));
      await page.press('#text', 'Enter');
      await logged(page, 'got', /Hello, world/);
      // Without the checkbox the next end is the last one.
      await drawer(page, 'options');
      await page.uncheck('#reconnect');
    } finally {
      await server.stop();
      await again?.stop();
    }
    await inState(page, 'CLOSED');
    await says(page, '#state', /^Not connected$/);
    assert.equal(await page.textContent('#connect'), 'Connect', 'nothing is left to end');
  },

  // Text from the peer is text: it neither becomes markup nor hides itself.
  async 'console-hostile'({ open }) {
    const page = await open('/');
    await connectConsole(page);
    await send(page, `${HOSTILE}\u0007\u202e`);
    await logged(page, 'got', /<img src=x onerror=hacked=1>\[U\+0007\]\[U\+202E\]/);
    await send(page, `{"${HOSTILE}": "${HOSTILE}\u202e"}`);
    await rows(page, '.got').nth(1).locator('summary.line').click();
    await says(page, '#log .tree', /<img src=x onerror=hacked=1>: "<img src=x onerror=hacked=1>\[U\+202E\]"/);
    for (const name of ['Text', 'Hex']) await page.getByRole('button', { name, exact: true }).click();
    // As deep as a message may be.
    await send(page, '['.repeat(100_000) + ']'.repeat(100_000));
    await rows(page, '.got').nth(2).locator('summary.line').click();
    await rows(page, '.got').nth(2).locator('.view').waitFor();
    await harmless(page);
  },

  // On a phone the log has most of the window, and the composer stands below it.
  async 'console-phone'({ open }) {
    const page = await open('/', undefined, PHONE);
    await connectConsole(page);
    for (const text of ['{"a": [1, 2]}', 'x'.repeat(500)]) {
      await send(page, text);
    }
    await logged(page, 'got', /xxx/);
    const [log, draft] = [await page.locator('#log-box').boundingBox(), await page.locator('#text').boundingBox()];
    assert.ok(log.height > PHONE.height / 2, `the log has ${log.height} pixels`);
    assert.ok(draft.y > log.y + log.height && draft.y + draft.height <= PHONE.height, 'the composer is docked');
    await fits(page);
    await rows(page, '.got').first().locator('summary.line').click();
    await fits(page);
    await accessible(page, 'phone');
    for (const name of ['behaviours', 'burst', 'saved', 'options']) {
      await drawer(page, name);
      await fits(page);
      await accessible(page, `${name} on a phone`);
      await page.locator(`#drawer-${name} .close`).click();
    }
  },

  async 'console-axe'({ open }) {
    const page = await open('/');
    await accessible(page, 'at first');
    await connectConsole(page);
    await send(page, 'Hello');
    await logged(page, 'got', /Hello/);
    for (const name of ['behaviours', 'burst', 'saved', 'options']) {
      await drawer(page, name);
      await accessible(page, name);
    }
  },
};
