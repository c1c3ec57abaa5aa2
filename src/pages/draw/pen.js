import { $ } from '../shared/dom.js';
import { speak } from '../shared/speak.js';
import { pan, scaleNow, zoom } from './view.js';
import { BOARD_HEIGHT, BOARD_WIDTH, pointAt } from './strokes.js';

// Where pens are: mouse, pen and one finger draw, two fingers move the board, and the keyboard has a
// pen of its own. Whoever listens is told `begin(pen, point)`, `extend`, `end(pen)` and `cancel(pen)`.
const STEP = 20, STEP_FINE = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const sheetOf = $('board');
const fingers = new Map(); // pointer id -> where it was last on the screen

function pointOf(event) {
  const box = sheetOf.getBoundingClientRect();
  const felt = event.pointerType === 'pen' && event.pressure > 0;
  return pointAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height,
    felt ? event.pressure : undefined);
}

export function listenToPens({ begin, extend, end, cancel, isDrawing }) {
  sheetOf.onpointerdown = event => {
    if (event.button !== 0) return;
    sheetOf.setPointerCapture(event.pointerId); // a stroke may leave the board and come back
    if (event.pointerType === 'touch') {
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (fingers.size > 1) return [...fingers.keys()].forEach(cancel);
    }
    begin(event.pointerId, pointOf(event));
  };
  sheetOf.onpointermove = event => {
    if (fingers.size > 1) return moveBoard(event);
    if (!isDrawing(event.pointerId)) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const step of between.length ? between : [event]) extend(event.pointerId, pointOf(step));
  };
  sheetOf.onpointerup = sheetOf.onlostpointercapture = ({ pointerId }) => {
    fingers.delete(pointerId);
    end(pointerId);
  };
  sheetOf.onpointercancel = ({ pointerId }) => {
    fingers.delete(pointerId);
    cancel(pointerId);
  };
  listenToKeys({ begin, extend, end, isDrawing });
}

// Two fingers hold the board: it follows both.
function moveBoard(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  const [, other] = [...fingers].find(([id]) => id !== event.pointerId);
  const apart = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
  const box = $('frame').getBoundingClientRect();
  pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  zoom(scaleNow() * apart(now, other) / apart(before, other),
    (now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top);
  fingers.set(event.pointerId, now);
}

// ---- The keyboard's pen. ----

let pen = [BOARD_WIDTH / 2, BOARD_HEIGHT / 2], restTimer = 0;

function listenToKeys({ begin, extend, end, isDrawing }) {
  const show = speakAfter => {
    const down = isDrawing('keys');
    $('pen').className = down ? 'down' : '';
    $('pen').style.left = `${pen[0]}px`;
    $('pen').style.top = `${pen[1]}px`;
    clearTimeout(restTimer);
    // Spoken once the pen rests: a word for every step would only be noise.
    if (speakAfter === undefined) return;
    restTimer = setTimeout(() => {
      speak(`Pen ${down ? 'down' : 'lifted'}, ${pen[0]} across, ${pen[1]} down`);
    }, speakAfter);
  };
  const step = (event, [across, down]) => {
    const length = event.shiftKey ? STEP_FINE : STEP;
    const next = (at, direction, most) => Math.min(most, Math.max(0, at + direction * length));
    pen = [next(pen[0], across, BOARD_WIDTH), next(pen[1], down, BOARD_HEIGHT)];
    if (isDrawing('keys')) extend('keys', pen);
  };
  sheetOf.onkeydown = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) step(event, arrow);
    else if (event.key !== ' ') return;
    else if (!event.repeat && isDrawing('keys')) end('keys');
    else if (!event.repeat) begin('keys', pen);
    event.preventDefault(); // neither the arrows nor Space shall scroll
    show(arrow ? 600 : 0);
  };
  sheetOf.onblur = () => { end('keys'); show(); };
  show();
}
