import { $, showState } from '../shared/dom.js';
import { linkPages, prefixOf } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';
import { visible } from '../shared/visible.js';

// Everybody's board has these units, whatever the size of the window; the canvas holds exactly as many
// pixels and CSS scales it, so a resize neither redraws nor loses anything.
const BOARD_WIDTH = 1600, BOARD_HEIGHT = 1200, PEN_MAX = 60, POINTS_MAX = 256, MESSAGE_MAX = 8192;
const board = $('board'), paper = board.getContext('2d');
paper.lineCap = paper.lineJoin = 'round';

// ---- Strokes. A message is one polyline and needs no other to be drawn:
//      {"colour":"#1c2427","width":8,"points":[[x,y],…]}. ----

function draw({ colour, width, points }) {
  paper.beginPath();
  if (points.length === 1) {
    // A line to itself has no length, and a canvas paints nothing for it.
    paper.fillStyle = colour;
    paper.arc(...points[0], width / 2, 0, 2 * Math.PI);
    return paper.fill();
  }
  paper.strokeStyle = colour;
  paper.lineWidth = width;
  for (const point of points) paper.lineTo(...point);
  paper.stroke();
}

const within = (value, most) => Number.isFinite(value) && value >= 0 && value <= most;

// Anybody may send anything to the room. Only a message that is wholly a stroke is drawn, and its
// limits bound what one message can cost; everything else is dropped without a word.
function strokeOf(data) {
  if (typeof data !== 'string' || data.length > MESSAGE_MAX) return null;
  let object;
  try { object = JSON.parse(data); } catch { return null; }
  const { colour, width, points } = object ?? {};
  const right = typeof colour === 'string' && /^#[0-9a-f]{6}$/.test(colour)
    && within(width, PEN_MAX) && width >= 1
    && Array.isArray(points) && points.length >= 1 && points.length <= POINTS_MAX
    && points.every(point => Array.isArray(point) && point.length === 2
      && within(point[0], BOARD_WIDTH) && within(point[1], BOARD_HEIGHT));
  return right ? { colour, width, points } : null;
}

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

if (room) {
  const shown = visible(room);
  $('h-room').textContent = `Board ${shown}`;
  document.title = `wsecho · draw · ${shown}`;
} else {
  $('h-room').textContent = 'The common board';
}

// ---- The connection. ----

let socket = null;

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `Alone: what you draw now stays here. Back in ${seconds} s`;
});

function connect() {
  // Where this page is; TLS if the page came by TLS.
  socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
  socket.onopen = () => {
    retry.opened();
    showState(socket);
  };
  socket.onmessage = ({ data }) => {
    const stroke = strokeOf(data);
    if (stroke) draw(stroke);
  };
  socket.onclose = () => {
    socket = null;
    retry.later();
    showState(socket);
  };
  showState(socket);
}

// ---- Drawing here. Each stroke is drawn at once, and sent 40 times a second: ten fingers together stay
//      within what the server lets a member say. ----

const SEND_MS = 25;

const strokes = new Map(); // pointer id (or 'keys') -> points not yet sent, the first one being already known
let colour = '#1c2427', sending = 0;

const width = () => $('width').valueAsNumber;

function begin(id, point) {
  strokes.set(id, { colour, width: width(), points: [] });
  extend(id, point);
}

function extend(id, point) {
  const stroke = strokes.get(id);
  if (!stroke) return;
  const last = stroke.points.at(-1);
  stroke.points.push(point);
  draw({ ...stroke, points: last ? [last, point] : [point] });
  if (stroke.points.length === POINTS_MAX) transmit(stroke);
  sending ||= setTimeout(() => {
    sending = 0;
    for (const waiting of strokes.values()) transmit(waiting);
  }, SEND_MS);
}

function end(id) {
  const stroke = strokes.get(id);
  if (stroke) transmit(stroke);
  strokes.delete(id);
}

// The last point sent is kept: the next message starts where this one ended.
function transmit(stroke) {
  const known = stroke.sent ? 1 : 0;
  if (stroke.points.length <= known) return;
  if (socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ colour: stroke.colour, width: stroke.width, points: stroke.points }));
  }
  stroke.points = stroke.points.slice(-1);
  stroke.sent = true;
}

// Whole units: finer than any screen shows, and short on the wire.
function pointOf(event) {
  const box = board.getBoundingClientRect(), edge = board.clientLeft;
  const scale = (at, size, most) => Math.round(Math.min(1, Math.max(0, at / size)) * most);
  return [
    scale(event.clientX - box.left - edge, board.clientWidth, BOARD_WIDTH),
    scale(event.clientY - box.top - edge, board.clientHeight, BOARD_HEIGHT),
  ];
}

board.onpointerdown = event => {
  if (event.button !== 0) return;
  board.setPointerCapture(event.pointerId); // a stroke may leave the board and come back
  begin(event.pointerId, pointOf(event));
};
board.onpointermove = event => {
  if (!strokes.has(event.pointerId)) return;
  const between = event.getCoalescedEvents?.() ?? [];
  for (const step of between.length ? between : [event]) extend(event.pointerId, pointOf(step));
};
board.onpointerup = board.onpointercancel = board.onlostpointercapture = event => end(event.pointerId);

// ---- The keyboard's pen. ----

const STEP = 20, STEP_FINE = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let pen = [BOARD_WIDTH / 2, BOARD_HEIGHT / 2], spokenTimer = 0;

board.onkeydown = event => {
  const arrow = ARROWS[event.key];
  const drawing = strokes.has('keys');
  if (arrow) {
    const step = event.shiftKey ? STEP_FINE : STEP;
    pen = [Math.min(BOARD_WIDTH, Math.max(0, pen[0] + arrow[0] * step)), Math.min(BOARD_HEIGHT, Math.max(0, pen[1] + arrow[1] * step))];
    if (drawing) extend('keys', pen);
  } else if (event.key === ' ') {
    if (event.repeat) return event.preventDefault();
    if (drawing) end('keys');
    else begin('keys', pen);
  } else {
    return;
  }
  event.preventDefault(); // neither the arrows nor Space shall scroll
  showPen(arrow ? 600 : 0);
};
board.onblur = () => { end('keys'); showPen(); };

// Spoken once the pen rests: a word for every step would only be noise.
function showPen(speakAfter) {
  const down = strokes.has('keys');
  $('pen').className = down ? 'down' : '';
  $('pen').style.left = `${pen[0] / BOARD_WIDTH * 100}%`;
  $('pen').style.top = `${pen[1] / BOARD_HEIGHT * 100}%`;
  clearTimeout(spokenTimer);
  if (speakAfter === undefined) return;
  spokenTimer = setTimeout(() => {
    $('spoken').textContent = `Pen ${down ? 'down' : 'lifted'}, ${pen[0]} across, ${pen[1]} down`;
  }, speakAfter);
}

// ---- Tools. ----

for (const swatch of document.querySelectorAll('#colours [name=colour]')) {
  swatch.style.setProperty('--swatch', swatch.value);
}
$('colours').oninput = event => {
  colour = event.target.value.toLowerCase();
  if (event.target.id === 'custom') {
    for (const swatch of document.querySelectorAll('#colours [name=colour]')) swatch.checked = false;
  }
};
$('width').oninput = () => { $('width-shown').textContent = width(); };
$('clear').onclick = () => {
  paper.clearRect(0, 0, BOARD_WIDTH, BOARD_HEIGHT);
  $('spoken').textContent = 'Your board is empty.';
};

showPen();
connect();
