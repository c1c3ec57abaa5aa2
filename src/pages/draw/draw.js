import { copyBy } from '../shared/copy.js';
import { $, showState } from '../shared/dom.js';
import { linkPages, prefixOf } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';
import { speak } from '../shared/speak.js';
import { visible } from '../shared/visible.js';
import { listenToPens } from './pen.js';
import { addStroke, clearPicture, giveUp, goOn, pictureFile, removeStroke, strokesDrawn } from './picture.js';
import { POINTS_MAX, isId, parse, simplified, strokeOf } from './strokes.js';

// ---- The room. ----

// One board for each path: /draw is for all, /draw/kitchen is the kitchen's. What stands before that
// belongs to a proxy, and the links must have it too.
linkPages('/draw');
const prefix = prefixOf('/draw');
const common = prefix === null ? location.pathname.replace(/\/+$/, '') : `${prefix}/draw`;

// A name that is no UTF-8 stays as it stands in the path; any other has one spelling only.
let room = location.pathname.slice(common.length + 1).replace(/\/$/, ''), path = room ? `${common}/${room}` : common;
try {
  room = decodeURIComponent(room);
  path = room ? `${common}/${encodeURIComponent(room)}` : common;
} catch { /* as it stands */ }

$('h-room').textContent = room ? `Board ${visible(room)}` : 'The common board';
document.title = `${room ? visible(room) : 'The common board'} · wsecho draw`;

// ---- The connection. ----

const AT_ONCE_BYTES = 64 * 1024;

let socket = null;
let replaying = null;   // how many messages from before are still to come; null: that is not known yet
let empty = false;      // nothing had been kept when we came
let was = false;        // whether the board has been open before
let waiting = [];       // what was done while nobody could be told

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `Trying again in ${seconds} s`;
});

function connect() {
  retry.pause();
  // Where this page is; TLS if the page came by TLS.
  socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
  socket.binaryType = 'arraybuffer';
  let opened = false;
  socket.onopen = () => {
    opened = true;
    replaying = null;
    retry.opened();
    if (was) speak('Connected again.');
    was = true;
    showState(socket);
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') hearProgress(data);
    // Only the server's own messages begin like this; it drops those of others.
    else if (data.startsWith('{"type":')) hearServer(parse(data));
    else hearDrawing(data);
  };
  socket.onclose = () => {
    socket = null;
    $('here').textContent = 'Alone: what you draw goes to the others when the connection is back.';
    if (opened) speak('The connection is lost. What you draw goes to the others when it is back.');
    retry.later();
    showState(socket);
  };
  showState(socket);
}

// What cannot be said now is said later.
function transmit(object) {
  if (socket?.readyState === WebSocket.OPEN && replaying === 0) socket.send(JSON.stringify(object));
  else waiting.push(object);
}

function hearServer(object) {
  const { type, count } = object ?? {};
  if (!Number.isSafeInteger(count)) return;
  if (type === 'history') {
    replaying = count;
    empty = count === 0; // why, the next message tells
  } else if (type === 'presence') {
    $('here').textContent = `${count} ${count === 1 ? 'user' : 'users'}`;
    // Nobody else is here, and the server remembers nothing: it was started again. The picture is ours
    // to give.
    if (empty && count === 1) waiting = [...strokesDrawn()];
    if (empty) settle();
    empty = false;
  }
}

function hearDrawing(data) {
  const object = parse(data), stroke = strokeOf(object);
  if (stroke) addStroke(stroke);
  else if (isId(object?.undo)) removeStroke(object.undo);
  else if (object?.clear === true) {
    clearPicture();
    if (!replaying) speak('Somebody has cleared the board.');
  }
  if (replaying > 0 && --replaying === 0) settle();
}

// What was drawn before has been drawn: now for what was done meanwhile. The newest of it, because the
// server keeps no more, and takes no more at once.
function settle() {
  let left = AT_ONCE_BYTES;
  const fits = object => (left -= JSON.stringify(object).length) >= 0;
  const first = waiting.findLastIndex(object => !fits(object)) + 1;
  const all = waiting.slice(first);
  waiting = [];
  all.forEach(transmit);
}

function hearProgress(data) {
  if (data.byteLength > 16384) return;
  const stroke = strokeOf(parse(new TextDecoder().decode(data)));
  if (stroke?.id !== undefined) goOn(stroke);
}

// ---- Drawing here. A stroke is shown at once, and to the others as it grows; once it is done it is told
//      again in few points, and that is what is kept. ----

const SEND_MS = 50, LENGTH_MAX = 4000;

const drawing = new Map(); // pen -> stroke
const done = [];           // ids of what was drawn here, which can be taken back
let colour = '#1c2427', erasing = false, sending = 0, lastId = 0;
const AUTHOR = Math.floor(Math.random() * 36 ** 8).toString(36).padStart(8, '0');

const width = () => $('width').valueAsNumber;

function begin(pen, point) {
  end(pen);
  const look = erasing ? { erase: true } : { colour };
  drawing.set(pen, { id: AUTHOR + (++lastId).toString(36), ...look, width: width(), points: [], told: 0 });
  extend(pen, point);
}

function extend(pen, point) {
  const stroke = drawing.get(pen);
  if (!stroke) return;
  const last = stroke.points.at(-1);
  if (last && last[0] === point[0] && last[1] === point[1]) return;
  stroke.points.push(point);
  goOn({ ...lookOf(stroke), points: [point] });
  sending ||= setTimeout(() => {
    sending = 0;
    drawing.forEach(tellProgress);
  }, SEND_MS);
  if (stroke.points.length === LENGTH_MAX) {
    end(pen);
    begin(pen, point);
  }
}

const lookOf = ({ id, colour, erase, width }) => erase ? { id, erase, width } : { id, colour, width };

function tellProgress(stroke) {
  const points = stroke.points.slice(stroke.told, stroke.told + POINTS_MAX);
  stroke.told += points.length;
  if (points.length && socket?.readyState === WebSocket.OPEN && replaying === 0) {
    socket.send(new TextEncoder().encode(JSON.stringify({ ...lookOf(stroke), points })));
  }
}

function end(pen) {
  const stroke = drawing.get(pen);
  if (!stroke) return;
  drawing.delete(pen);
  giveUp(stroke.id);
  const points = simplified(stroke), look = lookOf(stroke);
  // The next part begins where this one ends.
  for (let from = 0; from === 0 || from < points.length - 1; from += POINTS_MAX - 1) {
    const part = { ...look, points: points.slice(from, from + POINTS_MAX) };
    addStroke(part);
    transmit(part);
  }
  done.push(stroke.id);
  $('undo').disabled = false;
}

// It was no stroke after all: two fingers move the board.
function cancel(pen) {
  const stroke = drawing.get(pen);
  if (stroke) giveUp(stroke.id);
  drawing.delete(pen);
}

function undo() {
  // Somebody may have cleared or taken back the last one.
  while (done.length) {
    const id = done.pop();
    if (!removeStroke(id)) continue;
    transmit({ undo: id });
    speak('Taken back.');
    break;
  }
  $('undo').disabled = done.length === 0;
}

listenToPens({ begin, extend, end, cancel, isDrawing: pen => drawing.has(pen) });

// ---- Tools. ----

function setEraser(on) {
  erasing = on;
  $('eraser').ariaPressed = String(on);
  $('frame').classList.toggle('erasing', on);
}

for (const swatch of document.querySelectorAll('#colours [name=colour]')) {
  swatch.style.setProperty('--swatch', swatch.value);
}
$('colours').oninput = $('colours').onclick = ({ target }) => {
  if (target.type !== 'radio' && target.type !== 'color') return;
  colour = target.value.toLowerCase();
  setEraser(false);
  if (target.id !== 'custom') return;
  for (const swatch of document.querySelectorAll('#colours [name=colour]')) swatch.checked = false;
};
$('width').oninput = () => { $('width-shown').textContent = width(); };
$('eraser').onclick = () => setEraser(!erasing);
$('undo').onclick = undo;
addEventListener('keydown', event => {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key !== 'z') return;
  event.preventDefault();
  undo();
});

$('clear').onclick = () => {
  $('ask').returnValue = ''; // what was answered last time
  $('ask').showModal();
};
$('ask').onclose = () => {
  if ($('ask').returnValue !== 'clear') return;
  clearPicture();
  done.length = 0;
  $('undo').disabled = true;
  transmit({ clear: true });
  speak('The board is empty, for everybody.');
};

$('save').onclick = async () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await pictureFile());
  link.download = `${room.replace(/[^\p{L}\p{N} _-]/gu, '') || 'board'}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

$('copy').onclick = () => copyBy($('copy'), location.origin + path);
connect();
