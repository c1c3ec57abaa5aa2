// The drawing board: what its page does with what people draw.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { HOSTILE, PATIENCE_MS, PHONE, accessible, fits, harmless, inState, leadsOut, roomName, says } from './kit.mjs';

const stroke = change =>
  JSON.stringify({ colour: '#000000', width: 8, points: [[9, 9], [90, 90]], ...change });

// Draws a line with the mouse; places are parts of the board.
async function line(page, ...places) {
  const box = await page.locator('#board').boundingBox();
  const at = ([x, y]) => [box.x + box.width * x, box.y + box.height * y];
  await page.mouse.move(...at(places[0]));
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...at(place), { steps: 10 });
  await page.mouse.up();
}

const board = async (open, room, viewport) => {
  const page = await open(`/draw${room}`, undefined, viewport);
  await inState(page, 'OPEN');
  await says(page, '#here', /users?$/);
  return page;
};

const inked = (page, wanted) => page.waitForFunction(([x, y, alpha]) =>
  document.getElementById('board').getContext('2d').getImageData(x, y, 1, 1).data[3] === alpha, wanted);

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

export const drawScenarios = {
  async draw({ open }) {
    const room = roomName();
    const one = await board(open, room), two = await board(open, room, { width: 500, height: 800 });
    await says(one, '#here', /^2 users$/);
    await one.check('#colours [aria-label=Red]');
    await one.fill('#width', '12');
    await line(one, [0.2, 0.2], [0.5, 0.7], [0.8, 0.2]);
    await samePicture(one, two);

    // The keyboard draws too, in the other direction.
    const before = await picture(one);
    await two.focus('#board');
    await two.keyboard.press('Space');
    for (let i = 0; i < 10; i++) await two.keyboard.press('ArrowRight');
    await two.keyboard.press('Space');
    await inked(one, [900, 600, 255]);
    await samePicture(one, two);
    assert.notDeepEqual(await picture(one), before);
    await two.close();
    await says(one, '#here', /^1 user$/);
  },

  async 'draw-rooms'({ open, base }) {
    const room = `Küche ${roomName().slice(1)}`;
    const one = await open(`/draw/${encodeURIComponent(room)}`);
    const two = await open(`/draw/${encodeURIComponent(room)}`), all = await open('/draw');
    for (const page of [one, two, all]) await inState(page, 'OPEN');
    await says(one, '#h-room', new RegExp(`^Board ${room}$`));
    await says(all, '#h-room', /^The common board$/);
    await says(one, '#here', /^2 users$/);
    await one.focus('#board');
    await one.keyboard.press('Space');
    for (let i = 0; i < 30; i++) await one.keyboard.press('ArrowRight');
    await one.keyboard.press('Space');
    await inked(two, [1200, 600, 255]);
    assert.equal((await picture(all)).ink, 0, 'another board');
    await leadsOut(one, base);
    await one.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await one.click('#copy');
    await says(one, '#copy', /^Copied$/);
    const copied = await one.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, new URL(`draw/${encodeURIComponent(room)}`, base).href);
  },

  // Others see a stroke grow, and whoever comes late gets the picture: with what was taken back,
  // and what was erased.
  async 'draw-late'({ open }) {
    const room = roomName();
    const one = await board(open, room), two = await board(open, room);
    const box = await one.locator('#board').boundingBox();
    await one.mouse.move(box.x + box.width / 4, box.y + box.height / 4);
    await one.mouse.down();
    await one.mouse.move(box.x + box.width / 2, box.y + box.height / 4, { steps: 10 });
    await two.waitForFunction(() => document.getElementById('live').getContext('2d')
      .getImageData(600, 300, 1, 1).data[3] === 255);
    assert.equal((await picture(two)).ink, 0, 'it is not done');
    await one.mouse.up();
    await inked(two, [600, 300, 255]);
    await two.waitForFunction(() => !document.getElementById('live').getContext('2d')
      .getImageData(0, 0, 1600, 1200).data.some(value => value));
    await two.fill('#width', '20');
    await line(two, [0.1, 0.8], [0.9, 0.8]);
    await line(one, [0.1, 0.5], [0.9, 0.5]);
    await inked(two, [800, 600, 255]);
    // Only what one has drawn oneself is taken back, the last of it first.
    await one.click('#undo');
    await inked(two, [800, 600, 0]);
    await two.click('#eraser');
    await two.fill('#width', '60');
    await line(two, [0.5, 0.7], [0.5, 0.9]);
    await inked(one, [800, 960, 0]);
    await inked(one, [400, 960, 255]);
    const late = await board(open, room);
    await samePicture(one, late);
    await inked(late, [800, 960, 0]);
    // The eraser is taken back like a stroke.
    await two.keyboard.press('Control+z');
    for (const page of [one, late]) await inked(page, [800, 960, 255]);
    await one.click('#undo');
    await inked(late, [600, 300, 0]);
    assert.equal(await one.isDisabled('#undo'), true, 'nothing of its own is left');
    await inked(late, [400, 960, 255]);
  },

  async 'draw-clear'({ open }) {
    const room = roomName();
    const one = await board(open, room), two = await board(open, room);
    await line(one, [0.2, 0.5], [0.8, 0.5]);
    await inked(two, [800, 600, 255]);
    await two.click('#clear');
    await says(two, '#ask', /for everybody/);
    await accessible(two, 'a question');
    assert.equal(await two.evaluate(() => document.activeElement.value), 'keep', 'the safe answer');
    await two.keyboard.press('Escape');
    assert.notEqual((await picture(two)).ink, 0, 'asked, and not said');
    await two.click('#clear');
    await two.click('#ask button[value=clear]');
    await inked(two, [800, 600, 0]);
    await inked(one, [800, 600, 0]);
    await says(one, '#spoken', /Somebody has cleared the board/);
    assert.equal(await two.isDisabled('#undo'), true);
    await line(one, [0.2, 0.9], [0.8, 0.9]);
    await inked(two, [800, 1080, 255]);
    await two.click('#clear');
    await two.keyboard.press('Escape');
    await two.waitForFunction(() => !document.getElementById('ask').open);
    assert.notEqual((await picture(two)).ink, 0, 'the last answer is not this one');
    await line(two, [0.2, 0.2], [0.8, 0.2]);
    const late = await board(open, room);
    await samePicture(two, late);
    await inked(late, [800, 600, 0]);
  },

  async 'draw-save'({ open }) {
    const page = await board(open, roomName());
    await line(page, [0.2, 0.5], [0.8, 0.5]);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
    assert.match(file.suggestedFilename(), /^test-[\w-]+\.png$/);
    const bytes = await readFile(await file.path());
    const pixels = await page.evaluate(async encoded => {
      const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const context = document.createElement('canvas').getContext('2d');
      [context.canvas.width, context.canvas.height] = [image.width, image.height];
      context.drawImage(image, 0, 0);
      const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
      return [image.width, image.height, at(3, 3), at(800, 600)];
    }, bytes.toString('base64'));
    assert.deepEqual(pixels, [1600, 1200, [253, 252, 248, 255], [28, 36, 39, 255]], 'with paper');
  },

  // What is drawn can be seen in the dark, and so can what draws.
  async 'draw-dark'({ open }) {
    const page = await board(open, roomName());
    await page.fill('#width', '60');
    await line(page, [0.2, 0.5], [0.8, 0.5]);
    const box = await page.locator('#board').boundingBox();
    const light = async place => {
      const shot = await page.screenshot({ clip: { ...place, width: 4, height: 4 } });
      return page.evaluate(async encoded => {
        const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
        const context = document.createElement('canvas').getContext('2d');
        context.drawImage(await createImageBitmap(new Blob([bytes])), 0, 0);
        const [r, g, b] = [...context.getImageData(2, 2, 1, 1).data].map(value => value / 255)
          .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      }, shot.toString('base64'));
    };
    const swatch = await page.locator('#colours [aria-label=Ink]').boundingBox();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const ink = await light({ x: box.x + box.width * 0.5, y: box.y + box.height * 0.5 - 2 });
      const paper = await light({ x: box.x + box.width * 0.5, y: box.y + box.height * 0.2 });
      const tool = await light({ x: swatch.x + swatch.width / 2 - 2, y: swatch.y + swatch.height / 2 - 2 });
      const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      assert.ok(contrast(ink, paper) >= 7, `${contrast(ink, paper)} in ${colorScheme}`);
      assert.ok(contrast(ink, tool) < 1.2, 'the tool has the colour that it draws');
      assert.equal(paper < 0.2, colorScheme === 'dark');
    }
  },

  // A pen that is pressed harder draws wider, for everybody.
  async 'draw-pressure'({ open }) {
    const room = roomName();
    const one = await board(open, room), two = await board(open, room);
    await one.fill('#width', '40');
    await one.evaluate(() => {
      const board = document.getElementById('board'), box = board.getBoundingClientRect();
      board.setPointerCapture = () => {};
      const event = (type, x, pressure) => board.dispatchEvent(new PointerEvent(type, {
        pointerId: 7, pointerType: 'pen', button: 0, pressure, bubbles: true,
        clientX: box.left + box.width * x, clientY: box.top + box.height / 2,
      }));
      event('pointerdown', 0.2, 0.1);
      for (let i = 1; i <= 20; i++) event('pointermove', 0.2 + 0.03 * i, 0.1 + 0.04 * i);
      event('pointerup', 0.8, 0);
    });
    await inked(two, [1200, 600, 255]);
    const widths = await two.evaluate(() => [400, 800, 1200].map(x => {
      const { data } = document.getElementById('board').getContext('2d').getImageData(x, 0, 1, 1200);
      return data.filter((value, at) => at % 4 === 3 && value > 127).length;
    }));
    assert.ok(widths[0] > 2 && widths[1] > 1.5 * widths[0] && widths[2] > 1.3 * widths[1], String(widths));
    await samePicture(one, two);
  },

  // The board fills a phone, and what is drawn is where the finger is.
  async 'draw-phone'({ open }) {
    const room = roomName();
    const page = await board(open, room, PHONE), other = await board(open, room);
    const frame = await page.locator('#frame').boundingBox(), sheet = await page.locator('#board').boundingBox();
    assert.ok(frame.width === 390 && frame.height > 844 * 0.65, JSON.stringify(frame));
    assert.ok(sheet.x <= 0 && sheet.x + sheet.width >= 390 && sheet.height >= frame.height - 1, JSON.stringify(sheet));
    await fits(page);
    await accessible(page, 'a phone');
    await page.emulateMedia({ colorScheme: 'light' });
    for (const tool of ['#eraser', '#undo', '#clear', '#save', '#width', '#custom']) {
      const box = await page.locator(tool).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.y + box.height <= 844, `${tool} is to be seen`);
    }
    await page.mouse.move(195, 400);
    await page.mouse.wheel(200, 0);
    await page.waitForFunction(left => document.getElementById('board').getBoundingClientRect().x < left, sheet.x - 100);
    const moved = await page.locator('#board').boundingBox();
    await page.mouse.down();
    await page.mouse.move(205, 400, { steps: 4 });
    await page.mouse.up();
    const at = [(195 - moved.x) / moved.width * 1600, (400 - moved.y) / moved.height * 1200].map(Math.round);
    await inked(other, [...at, 255]);
    // Two fingers move the board and draw nothing.
    const before = (await picture(page)).ink;
    await page.evaluate(() => {
      const board = document.getElementById('board');
      board.setPointerCapture = () => {};
      const event = (type, pointerId, clientX, clientY) => board.dispatchEvent(new PointerEvent(type, {
        pointerId, pointerType: 'touch', button: 0, bubbles: true, clientX, clientY,
      }));
      event('pointerdown', 11, 100, 300);
      event('pointermove', 11, 102, 300);
      event('pointerdown', 12, 200, 300);
      for (let i = 1; i <= 10; i++) event('pointermove', 12, 200 + 10 * i, 300);
      event('pointerup', 11, 102, 300);
      event('pointerup', 12, 300, 300);
    });
    const larger = await page.locator('#board').boundingBox();
    assert.ok(larger.width > 1.5 * moved.width, `${larger.width} after ${moved.width}`);
    assert.equal((await picture(page)).ink, before);
  },

  // A server that is started again gets the picture from who has it, with what was drawn meanwhile.
  async 'draw-restart'({ open, startServer }) {
    const server = await startServer('127.0.0.1:0');
    const room = roomName();
    const one = await open(`/draw${room}`, server.base);
    let again;
    try {
      await inState(one, 'OPEN');
      await line(one, [0.2, 0.3], [0.8, 0.3]);
      await server.stop();
      await inState(one, 'CLOSED');
      await says(one, '#here', /^Alone/);
      await line(one, [0.2, 0.6], [0.8, 0.6]);
      again = await startServer(new URL(server.base).host);
      await inState(one, 'OPEN');
      await says(one, '#here', /^1 user$/);
      const late = await open(`/draw${room}`, server.base);
      await inked(late, [800, 360, 255]);
      await inked(late, [800, 720, 255]);
      await samePicture(one, late);
    } finally {
      await server.stop();
      await again?.stop();
    }
  },

  // The server relays whatever comes; a page draws strokes and survives the rest.
  async 'draw-hostile'({ open, base }) {
    const room = roomName();
    const page = await board(open, room), rogue = await board(open, room);
    const junk = [
      'no json', 'null', '[]', '{}', '"x"', '1e999',
      stroke({ points: [] }), stroke({ points: [[1]] }), stroke({ points: [['1', 2]] }),
      stroke({ points: [[-1, 5]] }), stroke({ points: [[1e9, 5]] }), stroke({ points: 'abc' }),
      stroke({ points: [[5, 5, 1e9]] }), stroke({ points: [[5, 5, -1]] }), stroke({ points: [[5, 5, 50, 5]] }),
      stroke({ width: 1e6 }), stroke({ width: 0 }), stroke({ width: null }),
      stroke({ colour: 'url(x)' }), stroke({ colour: HOSTILE }), stroke({ colour: {} }),
      stroke({ colour: undefined, erase: 1 }), stroke({ id: HOSTILE }), stroke({ id: {} }),
      stroke({ points: Array(257).fill([5, 5]) }), 'x'.repeat(20_000),
      '{"undo":{}}', '{"undo":"__proto__"}', '{"clear":1}', `{"type":"presence","count":"${HOSTILE}"}`,
      '{"type":"presence","count":99}', ' {"type":"presence","count":99}', '{"type":"history","count":9}',
    ];
    const address = `${base.replace(/^http/, 'ws')}draw${room}`;
    await rogue.evaluate(([url, messages]) => new Promise((done, failed) => {
      const socket = new WebSocket(url);
      socket.onerror = failed;
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
        for (const message of messages) socket.send(new TextEncoder().encode(message));
        socket.send(new Uint8Array([1, 2, 3]));
        // The one good stroke comes last: once it is seen, all before it has been judged.
        socket.send('{"colour":"#ff0000","width":60,"points":[[800,600]]}');
        done();
      };
    }), [address, junk]);
    await page.waitForFunction(() => document.getElementById('board').getContext('2d')
      .getImageData(800, 600, 1, 1).data[0] === 255);
    const late = await board(open, room);
    await inked(late, [800, 600, 255]);
    for (const window of [page, late]) {
      const { ink } = await picture(window);
      assert.ok(ink > 2000 && ink < 3600, `one dot of width 60 and nothing else, but ${ink} pixels`);
      await says(window, '#here', /^4 users$/);
      await harmless(window);
    }
  },

  // What a room is sent without end costs a page no more than it costs to look at it once.
  async 'draw-flood'({ open }) {
    const page = await board(open, roomName());
    const found = await page.evaluate(() => {
      const stroke = { id: 'a', colour: '#000000', width: 1 };
      for (let i = 0; i < 50; i++) goOn({ ...stroke, points: Array(256).fill([i, i]) });
      const { points } = inProgress.get('a');
      const last = points.at(-1)[0];
      for (let i = 0; i < 500; i++) goOn({ ...stroke, id: `b${i}`, points: [[i, i]] });
      // How often the points of strokes are written out, of those with one id that differ.
      const write = Array.prototype.toString;
      let written = 0;
      Array.prototype.toString = function () { written += this.length === 3 && Array.isArray(this[0]); return write.call(this); };
      for (let i = 0; i < 100; i++) addStroke({ ...stroke, points: [[i, i], [i, 0], [0, i]] });
      Array.prototype.toString = write;
      return { points: points.length, last, ids: inProgress.size, newest: inProgress.has('b499'), written, strokes: strokesDrawn().length };
    });
    assert.deepEqual(found, { points: 4000, last: 49, ids: 100, newest: true, written: 100, strokes: 100 });
  },
};
