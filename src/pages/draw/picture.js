import { $ } from '../shared/dom.js';
import { BOARD_HEIGHT, BOARD_WIDTH, paint } from './strokes.js';

// Strokes that can be taken back. Those before them are part of the paper.
const STROKES_MAX = 3000, STROKES_BAKED = 500;
// A stroke of somebody else that has not gone on for so long will not.
const IN_PROGRESS_MS = 10_000;
// Nor is it painted for ever: so many are, with their last points, whatever a room is sent.
const IN_PROGRESS_MAX = 100, IN_PROGRESS_POINTS = 4000;
const PAPER = '#fdfcf8';

const board = $('board'), ink = board.getContext('2d'), live = $('live').getContext('2d');
const base = document.createElement('canvas');
[base.width, base.height] = [BOARD_WIDTH, BOARD_HEIGHT];

let strokes = [];             // in the order of drawing
const pointsOf = new WeakMap(); // the points of a stroke as text: many may have the same id
const inProgress = new Map(); // what is being drawn now, by everybody: id -> stroke
let painting = 0, repainting = 0;

const wipe = context => context.clearRect(0, 0, BOARD_WIDTH, BOARD_HEIGHT);

// A stroke is done. It may come again, by a replay: it is drawn once.
export function addStroke(stroke) {
  if (stroke.id !== undefined && inProgress.delete(stroke.id)) paintLive();
  const points = String(stroke.points);
  const same = other => other.id === stroke.id && pointsOf.get(other) === points;
  if (stroke.id !== undefined && strokes.some(same)) return;
  pointsOf.set(stroke, points);
  strokes.push(stroke);
  paint(ink, stroke);
  if (strokes.length > STROKES_MAX) {
    const context = base.getContext('2d');
    for (const old of strokes.splice(0, STROKES_BAKED)) paint(context, old);
  }
}

// Takes back what was drawn under this id. False if there is nothing.
export function removeStroke(id) {
  const before = strokes.length;
  strokes = strokes.filter(stroke => stroke.id !== id);
  if (strokes.length === before) return false;
  repainting ||= requestAnimationFrame(() => {
    repainting = 0;
    wipe(ink);
    ink.drawImage(base, 0, 0);
    for (const stroke of strokes) paint(ink, stroke);
  });
  return true;
}

export function clearPicture() {
  strokes = [];
  inProgress.clear();
  cancelAnimationFrame(repainting);
  repainting = 0;
  for (const context of [ink, live, base.getContext('2d')]) wipe(context);
}

export const strokesDrawn = () => strokes;

// A stroke is being drawn: these points are new.
export function goOn({ points, ...stroke }) {
  const known = inProgress.get(stroke.id) ?? { ...stroke, points: [] };
  known.points.push(...points);
  known.points.splice(0, known.points.length - IN_PROGRESS_POINTS);
  known.at = performance.now();
  // The one that went on last stands last; a window that nobody sees paints none of them.
  inProgress.delete(stroke.id);
  inProgress.set(stroke.id, known);
  if (inProgress.size > IN_PROGRESS_MAX) inProgress.delete(inProgress.keys().next().value);
  paintLive();
}

export function giveUp(id) {
  if (inProgress.delete(id)) paintLive();
}

function paintLive() {
  painting ||= requestAnimationFrame(() => {
    painting = 0;
    wipe(live);
    for (const [id, stroke] of inProgress) {
      if (performance.now() - stroke.at > IN_PROGRESS_MS) inProgress.delete(id);
      else paint(live, stroke, PAPER);
    }
  });
}

// The picture on its paper, as a file.
export function pictureFile() {
  const sheet = document.createElement('canvas');
  [sheet.width, sheet.height] = [BOARD_WIDTH, BOARD_HEIGHT];
  const context = sheet.getContext('2d');
  context.fillStyle = PAPER;
  context.fillRect(0, 0, BOARD_WIDTH, BOARD_HEIGHT);
  context.drawImage(board, 0, 0);
  return new Promise(resolve => sheet.toBlob(resolve, 'image/png'));
}
