// What is drawn. A message is one stroke, or a part of one, and needs no other to be drawn:
// {"id":"k3x9","colour":"#1c2427","width":8,"points":[[x,y],…]}. A point's third number, if it has
// one, is how wide the pen is there, in percent. {"erase":true} in place of a colour takes away.

// Everybody's board has these units, whatever the size of the window.
export const BOARD_WIDTH = 1600, BOARD_HEIGHT = 1200;
export const POINTS_MAX = 256;
const PEN_MAX = 60, PRESSURE_MIN = 5, PRESSURE_MAX = 200, MESSAGE_MAX = 16384;
// Whoever draws leaves out points that move the line by less than this.
const TOLERANCE = 0.7;

const within = (value, least, most) => Number.isFinite(value) && value >= least && value <= most;

const isPoint = point => Array.isArray(point) && (point.length === 2 || point.length === 3)
  && within(point[0], 0, BOARD_WIDTH) && within(point[1], 0, BOARD_HEIGHT)
  && (point.length === 2 || within(point[2], PRESSURE_MIN, PRESSURE_MAX));

export const isId = id => typeof id === 'string' && /^[0-9a-z]{1,16}$/.test(id);

// Anybody may send anything to the room. Only a message that is wholly a stroke is drawn, and its
// limits bound what one message can cost; everything else is dropped without a word.
export function parse(text) {
  if (text.length > MESSAGE_MAX) return null;
  try { return JSON.parse(text); } catch { return null; }
}

export function strokeOf(object) {
  const { id, colour, erase, width, points } = object ?? {};
  const right = (id === undefined || isId(id))
    && (erase === true || typeof colour === 'string' && /^#[0-9a-f]{6}$/.test(colour))
    && within(width, 1, PEN_MAX)
    && Array.isArray(points) && points.length >= 1 && points.length <= POINTS_MAX
    && points.every(isPoint);
  if (!right) return null;
  return erase === true ? { id, erase, width, points } : { id, colour, width, points };
}

const pressed = pressure => Math.round(Math.min(PRESSURE_MAX, Math.max(PRESSURE_MIN, pressure * 200)));

// Whole units: finer than any screen shows, and short on the wire. A pen that feels how it is pressed
// is as wide as it was set in the middle of its range.
export function pointAt(x, y, pressure) {
  const scale = (at, most) => Math.round(Math.min(1, Math.max(0, at)) * most);
  const point = [scale(x, BOARD_WIDTH), scale(y, BOARD_HEIGHT)];
  if (pressure !== undefined) point.push(pressed(pressure));
  return point;
}

// Draws on a canvas. `paper` is the colour of the paper where an eraser cannot take away.
export function paint(context, { colour, erase, width, points }, paper) {
  context.globalCompositeOperation = erase && !paper ? 'destination-out' : 'source-over';
  context.strokeStyle = context.fillStyle = erase ? paper ?? '#000' : colour;
  context.lineCap = context.lineJoin = 'round';
  const at = point => width * (point[2] ?? 100) / 100;
  if (points.length === 1) {
    // A line to itself has no length, and a canvas paints nothing for it.
    context.beginPath();
    context.arc(points[0][0], points[0][1], at(points[0]) / 2, 0, 2 * Math.PI);
    context.fill();
  } else if (points.every(point => point.length === 2)) {
    context.beginPath();
    context.lineWidth = width;
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
  } else {
    for (let i = 1; i < points.length; i++) {
      taper(context, points[i - 1], points[i], at(points[i - 1]), at(points[i]));
    }
  }
  context.globalCompositeOperation = 'source-over';
}

// A line that is wider at one end: in steps that nobody sees.
function taper(context, [x, y], [toX, toY], width, toWidth) {
  const steps = Math.max(1, Math.ceil(Math.abs(toWidth - width)));
  for (let i = 0; i < steps; i++) {
    const on = (from, to, part) => from + (to - from) * part / steps;
    context.beginPath();
    context.lineWidth = on(width, toWidth, i + 0.5);
    context.moveTo(on(x, toX, i), on(y, toY, i));
    context.lineTo(on(x, toX, i + 1), on(y, toY, i + 1));
    context.stroke();
  }
}

// The points that make the line what it is (Douglas and Peucker, 1973), so that a picture is short.
export function simplified({ width, points }) {
  const keep = new Set([0, points.length - 1]);
  const spans = [[0, points.length - 1]];
  while (spans.length) {
    const [from, to] = spans.pop();
    let farthest = 0, distance = TOLERANCE;
    for (let i = from + 1; i < to; i++) {
      const away = distanceTo(points[i], points[from], points[to], width);
      if (away > distance) [farthest, distance] = [i, away];
    }
    if (farthest) {
      keep.add(farthest);
      spans.push([from, farthest], [farthest, to]);
    }
  }
  return points.filter((_, i) => keep.has(i));
}

// How far a point lies from a line; how wide the pen is counts as a third direction.
function distanceTo(point, from, to, width) {
  const space = ([x, y, pressure = 100]) => [x, y, pressure * width / 200];
  const [p, a, b] = [space(point), space(from), space(to)];
  const along = b.map((value, i) => value - a[i]), out = p.map((value, i) => value - a[i]);
  const dot = (one, other) => one.reduce((sum, value, i) => sum + value * other[i], 0);
  const length = dot(along, along);
  const part = length === 0 ? 0 : Math.min(1, Math.max(0, dot(out, along) / length));
  return Math.hypot(...out.map((value, i) => value - part * along[i]));
}
