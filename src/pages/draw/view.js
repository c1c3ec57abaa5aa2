import { $ } from '../shared/dom.js';
import { BOARD_HEIGHT, BOARD_WIDTH } from './strokes.js';

// Which part of the board is seen: all of it where that fills the window well, else as much as fills
// it. Two fingers move it, and change its size.
const SCALE_MAX = 4;

const COARSE = matchMedia('(pointer: coarse)');
const frame = $('frame'), sheet = $('sheet');
let scale = 1, left = 0, top_ = 0, whole = true, moved = false;

const least = () => Math.min(frame.clientWidth / BOARD_WIDTH, frame.clientHeight / BOARD_HEIGHT);
const filling = () => Math.max(frame.clientWidth / BOARD_WIDTH, frame.clientHeight / BOARD_HEIGHT);

// What is on the screen at `x`, `y` stays there, whatever the size.
export function zoom(to, x, y) {
  const size = Math.min(SCALE_MAX, Math.max(least(), to));
  left = x - (x - left) * size / scale;
  top_ = y - (y - top_) * size / scale;
  scale = size;
  moved = true;
  place();
}

export function pan(right, down) {
  left += right;
  top_ += down;
  moved = true;
  place();
}

export const scaleNow = () => scale;

// The sheet stays in its frame, in the middle where there is room beside it.
function place() {
  const settle = (at, size, room) =>
    size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
  left = settle(left, BOARD_WIDTH * scale, frame.clientWidth);
  top_ = settle(top_, BOARD_HEIGHT * scale, frame.clientHeight);
  sheet.style.transform = `translate(${left}px, ${top_}px) scale(${scale})`;
  $('fit').hidden = !COARSE.matches || filling() / least() < 1.2;
  $('fit').textContent = whole ? 'Fill the screen' : 'Whole board';
}

function fit() {
  scale = whole ? least() : filling();
  left = (frame.clientWidth - BOARD_WIDTH * scale) / 2;
  top_ = (frame.clientHeight - BOARD_HEIGHT * scale) / 2;
  moved = false;
  place();
}

$('fit').onclick = () => { whole = !whole; fit(); };

// A wheel moves the board where there is more of it than fits; with Ctrl, and so by pinching a touchpad,
// it changes the size.
frame.onwheel = event => {
  event.preventDefault();
  const box = frame.getBoundingClientRect();
  if (event.ctrlKey) zoom(scale * Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
  else pan(-event.deltaX, -event.deltaY);
};

new ResizeObserver(() => {
  if (moved) return place();
  // Upright, a phone would show the whole board as a strip.
  whole = frame.clientHeight <= frame.clientWidth;
  fit();
}).observe(frame);
