// The chat: what its page does with what users say.

import assert from 'node:assert/strict';
import { HOSTILE, PHONE, accessible, fits, harmless, inState, leadsOut, logged, roomName, says } from './kit.mjs';

async function nick(page, name) {
  await inState(page, 'OPEN');
  await page.fill('#nick', name);
  await page.click('#nick-set');
  await page.waitForFunction(wanted => document.getElementById('me').textContent === wanted, name);
}

async function chat(page, message) {
  await page.fill('#text', message);
  await page.press('#text', 'Enter');
}

export const chatScenarios = {
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
    await says(ada, '#log .private.own', /To Bob, in private.*only for you/s);
    await says(bob, '#log .private:not(.own)', /Ada, in private.*only for you/s);
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
    await logged(bob, 'system', /Ada is back, 3 users online/);
    await ada.waitForFunction(() => document.getElementById('me').textContent === 'Ada');
    await chat(ada, 'here I am');
    await logged(bob, 'chat', /^Ada.*here I am/s);
    assert.doesNotMatch(await ada.textContent('#log'), /from before|Disconnected/, 'of the old one');
  },

  // Who comes late reads what was said to all; who comes back reads it once.
  async 'chat-history'({ open }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    await nick(ada, 'Ada');
    await nick(bob, 'Bob');
    await says(ada, '#users', /Bob/);
    await chat(ada, 'first of all');
    await chat(bob, `second ${HOSTILE}`);
    await ada.locator('#users button', { hasText: 'Bob' }).click();
    await chat(ada, 'between us');
    await says(bob, '#log .private', /between us/);
    await ada.click('#target-clear');
    const late = await open(`/chat${room}`);
    await says(late, '#log .replayed', /Ada.*first of all/s);
    await says(late, '#log .replayed', /Bob.*second <img src=x onerror=hacked=1>/s);
    await says(late, '#log .divider', /^Earlier$/);
    await says(late, '#log .divider', /^Now$/);
    assert.doesNotMatch(await late.textContent('#log'), /between us/);
    assert.equal(await late.title(), `${room.slice(1)} · wsecho chat`, 'none of it is unread');
    await late.locator('#log-box[aria-live=polite]').waitFor();
    await chat(bob, 'and live');
    await says(late, '#log .chat:not(.replayed)', /and live/);
    // The connection breaks, and meanwhile something is said.
    await late.evaluate(() => { connect = () => {}; socket.close(4000); });
    await says(late, '#log .system', /Disconnected/);
    await chat(bob, 'missed');
    await says(ada, '#log .chat', /missed/);
    await late.evaluate(() => location.reload());
    await says(late, '#log .replayed', /missed/);
    await bob.evaluate(() => { socket.close(4000); });
    await says(bob, '#log .system', /Disconnected/);
    await inState(bob, 'OPEN');
    await chat(ada, 'after that');
    await logged(bob, 'chat', /after that/);
    assert.equal(await bob.locator('#log .chat', { hasText: 'missed' }).count(), 1, 'once');
    await harmless(late);
  },

  // Own messages stand apart, those of one speaker together, and every name can be read.
  async 'chat-look'({ open }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    await says(ada, '#here-count', /^2 users$/);
    await nick(ada, 'Ada');
    await nick(bob, 'Bob');
    for (const words of ['one', 'two', 'three']) await chat(ada, words);
    await chat(bob, 'four');
    for (const page of [ada, bob]) await says(page, '#log .chat', /four/);
    assert.equal(await ada.locator('#log .own').count(), 3);
    assert.equal(await bob.locator('#log .own').count(), 1);
    assert.equal(await bob.locator('#log .chat.more').count(), 2, 'the name is shown once');
    assert.match(await bob.locator('#log .chat.more').first().textContent(), /^Ada/, 'and read out');
    const [own, other] = [await ada.locator('#log .own').first().boundingBox(),
      await ada.locator('#log .chat:not(.own)').first().boundingBox()];
    assert.ok(own.x + own.width > other.x + other.width + 100, 'at the other side');
    for (const colorScheme of ['light', 'dark']) {
      await ada.emulateMedia({ colorScheme });
      const worst = await ada.evaluate(leastContrast);
      assert.ok(worst.contrast >= 4.5, `${JSON.stringify(worst)} in ${colorScheme}`);
    }
    await accessible(bob, 'a conversation');
    await bob.close();
    await says(ada, '#here-count', /^1 user$/);
    await logged(ada, 'system', /Bob left, 1 user online/);
  },

  // What leads somewhere is a link, and nothing else is.
  async 'chat-links'({ open }) {
    const page = await open(`/chat${roomName()}`);
    await inState(page, 'OPEN');
    const words = ['see https://example.org/a?b=1&c=2, or (http://example.org/d).',
      'javascript:alert(1) https://user@example.org/ ftp://example.org data:text/html,x',
      'https://', 'https://example.org/"onclick="hacked=1', `<a href="https://x.example">${HOSTILE}</a>`];
    for (const line of words) await chat(page, line);
    await says(page, '#log .chat', /x\.example/);
    const links = await page.locator('#log a').evaluateAll(all =>
      all.map(link => [link.textContent, link.href, link.rel, link.target, link.attributes.length]));
    const link = (text, href = text) => [text, href, 'noopener noreferrer', '_blank', 3];
    assert.deepEqual(links, [
      link('https://example.org/a?b=1&c=2'), link('http://example.org/d'),
      link('https://example.org/'), link('https://x.example', 'https://x.example/'),
    ]);
    const shown = await page.locator('#log .chat .what').allTextContents();
    assert.deepEqual(shown, words, 'the words are what was written');
    await harmless(page);
    // However many full stops there are, each is looked at once.
    await page.waitForFunction(() => linksIn(`http://example.org/${'.'.repeat(1e6)}a`).length === 1);
  },

  // What is remembered for a replay is no more than a room may keep, however long the page is open.
  async 'chat-memory'({ open }) {
    const page = await open(`/chat${roomName()}`);
    await inState(page, 'OPEN');
    const remembered = await page.evaluate(() => {
      for (let i = 0; i < 999; i++) shown.add(`no. ${i}`);
      for (const message of ['a', 'b', 'c']) received(JSON.stringify({ type: 'chat', username: 'Ada', message }));
      return [shown.size, shown.has('no. 1'), shown.has('no. 2'), shown.has(JSON.stringify(['Ada', 'c', undefined]))];
    });
    assert.deepEqual(remembered, [1000, false, true, true]);
  },

  // A reader is not pulled away from older words, and is told of the new ones.
  async 'chat-unread'({ open }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    for (const page of [ada, bob]) await inState(page, 'OPEN');
    await chat(bob, 'line\n'.repeat(80));
    await logged(ada, 'chat', /line/);
    await ada.evaluate(() => { document.getElementById('log-box').scrollTop = 0; });
    await chat(bob, 'news');
    await logged(ada, 'chat', /news/);
    assert.equal(await ada.title(), `(1) ${room.slice(1)} · wsecho chat`);
    await chat(bob, 'more news');
    await says(ada, '#newer', /^2 new messages$/);
    assert.equal(await ada.evaluate(() => document.getElementById('log-box').scrollTop), 0);
    await logged(bob, 'chat', /more news/);
    assert.equal(await bob.locator('#log .own').count(), 3, 'though Bob is anonymous');
    assert.equal(await ada.locator('#log .own').count(), 0, 'and so is Ada');
    await ada.click('#newer');
    assert.equal(await ada.title(), `${room.slice(1)} · wsecho chat`);
    assert.equal(await ada.isVisible('#newer'), false);
    assert.equal(await ada.evaluate(() => document.activeElement.id), 'text');
    // Nor of what comes while the window is behind others.
    const hide = hidden => ada.evaluate(value => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    await chat(bob, 'behind');
    await logged(ada, 'chat', /behind/);
    await chat(ada, 'my own');
    await logged(ada, 'chat', /my own/);
    assert.equal(await ada.title(), `(1) ${room.slice(1)} · wsecho chat`);
    await hide(false);
    assert.equal(await ada.title(), `${room.slice(1)} · wsecho chat`);
  },

  // A name is asked for again at the next visit, and a link to the room is absolute.
  async 'chat-return'({ open, base }) {
    const room = roomName();
    const page = await open(`/chat${room}`);
    await nick(page, 'Ada');
    await page.reload();
    await page.waitForFunction(() => document.getElementById('me').textContent === 'Ada');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('#copy');
    await says(page, '#copy', /^Copied$/);
    await says(page, '#spoken', /^Copied$/);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, new URL(`chat${room}`, base).href);
    // A second window cannot have it too, and leaves it to the first.
    const second = await open(`/chat${room}`);
    await says(second, '#nick-error', /that name is taken/);
    assert.equal(await second.textContent('#me'), 'Anonymous');
  },

  // What was not sent is not lost.
  async 'chat-kept'({ open }) {
    const room = roomName();
    const ada = await open(`/chat${room}`), bob = await open(`/chat${room}`);
    await nick(ada, 'Ada');
    await nick(bob, 'Bob');
    await says(ada, '#users', /Bob/);
    await ada.locator('#users button', { hasText: 'Bob' }).click();
    await ada.fill('#text', 'are you there?');
    await bob.close();
    await says(ada, '#here-count', /^1 user$/);
    await ada.press('#text', 'Enter');
    await logged(ada, 'error', /Bob is not here any more/);
    assert.equal(await ada.inputValue('#text'), 'are you there?');
    assert.equal(await ada.isVisible('#target'), false, 'the next one would go to everybody');
    // Too many at once: each is said or given back.
    await ada.fill('#text', '');
    await ada.evaluate(() => {
      for (let i = 0; i < 60; i++) {
        document.getElementById('text').value = `number ${i}.`;
        document.getElementById('send-form').requestSubmit();
      }
    });
    await logged(ada, 'error', /Not sent: slow down/);
    await ada.waitForFunction(() => {
      const said = document.querySelectorAll('#log .own.chat').length;
      const back = document.getElementById('text').value.split('\n').length;
      return back > 1 && said + back === 60;
    });
    const said = await ada.locator('#log .own.chat .what').allTextContents();
    const back = (await ada.inputValue('#text')).split('\n');
    const all = Array.from({ length: 60 }, (_, i) => `number ${i}.`);
    assert.deepEqual([...said, ...back].sort(), all.sort());
    // A connection that breaks before the answer.
    await ada.fill('#text', 'into the void');
    await ada.evaluate(() => {
      socket.onmessage = null;
      document.getElementById('send-form').requestSubmit();
      socket.close(4000);
    });
    await says(ada, '#log .system', /Disconnected/);
    assert.match(await ada.inputValue('#text'), /into the void/);
  },

  // On a phone the log is the page, and the people are behind a button.
  async 'chat-phone'({ open }) {
    const room = roomName();
    const page = await open(`/chat${room}`, undefined, PHONE);
    await inState(page, 'OPEN');
    const box = await page.locator('#log-box').boundingBox();
    assert.ok(box.height > 844 * 0.6 && box.width === 390, JSON.stringify(box));
    await fits(page);
    assert.equal(await page.isVisible('#nick'), false);
    await page.click('#people');
    await nick(page, 'Ada');
    await accessible(page, 'a phone');
    await page.press('#nick', 'Escape');
    assert.equal(await page.isVisible('#nick'), false);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'people');
  },
};

// In the page: the least contrast of any name with what is behind it, as WCAG 2.2 measures it.
function leastContrast() {
  const pixel = colour => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = colour => {
    const [r, g, b] = [...pixel(colour)].map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const who = document.querySelector('#log .chat .who'), card = document.getElementById('room-card');
  const behind = light(getComputedStyle(card).backgroundColor);
  let worst = { contrast: 99 };
  for (let hue = 0; hue < 360; hue++) {
    who.parentElement.style.setProperty('--hue', hue);
    const [dark, bright] = [light(getComputedStyle(who).color), behind].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < worst.contrast) worst = { contrast, hue };
  }
  return worst;
}
