import { $ } from '../shared/dom.js';
import { speak } from '../shared/speak.js';
import { showCount, showMs, showSize } from './bytes.js';
import { connection, isOpen, transmit } from './connection.js';
import { note } from './log.js';
import { Column, drawPlot } from './plot.js';

// A burst: N messages over this connection, `pipeline` of them under way at a time.

const COLUMNS = 240;             // the plot's resolution: memory and drawing do not grow with N
const UNDER_WAY_MAX = 64 << 20;  // bytes; more would measure the browser's buffers
const STAMP_BYTES = 4;

let burst = null;
let columns = [];                // of this burst, or the last one
let late = null;                 // replies that a stopped burst did not wait for: { size, count }

// A burst message has its number in its first bytes, where there are that many, so that its reply is
// known; of shorter ones the size is all there is to know.
function stamp(payload, number) {
  if (payload.length >= STAMP_BYTES) new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

function isReplyTo(data, number, size) {
  return typeof data !== 'string' && data.length === size
    && (size < STAMP_BYTES || new DataView(data.buffer).getUint32(0) === number);
}

// True if the message was a reply to a burst, and is counted there.
export function takenByBurst(data, now) {
  if (late && typeof data !== 'string' && data.length === late.size) {
    if (--late.count === 0) late = null;
    return true;
  }
  if (!burst || !isReplyTo(data, burst.answered, burst.size)) return false;
  const index = burst.answered++;
  const ms = burst.trips[index] = now - burst.times[index];
  (columns[Math.floor(index * COLUMNS / burst.total)] ??= new Column()).add(ms);
  if (burst.sent < burst.total && isOpen()) sendNext();
  if (burst.answered === burst.total) endBurst('done');
  return true;
}

function sendNext() {
  const number = burst.sent++;
  burst.times[number] = performance.now();
  transmit(stamp(burst.payload, number));
}

function startBurst() {
  const total = $('burst-count').valueAsNumber, size = $('burst-size').valueAsNumber;
  const pipeline = Math.min($('burst-pipeline').valueAsNumber, total);
  burst = {
    total, size, payload: Uint8Array.from({ length: size }, (_, i) => i), trips: new Float64Array(total),
    times: new Float64Array(total), sent: 0, answered: 0, began: performance.now(),
  };
  columns = [];
  showRunning();
  note(`Burst of ${showCount(total)} × ${showSize(size)}, ${pipeline} under way at a time`);
  speak('Burst started');
  while (burst && burst.sent < pipeline) sendNext();
  requestAnimationFrame(drawBurst);
}

// A stop stops: nothing more is sent, and replies still under way are counted nowhere.
function endBurst(how) {
  const { total, sent, size, answered, trips, began } = burst;
  const seconds = (performance.now() - began) / 1000;
  const sorted = trips.slice(0, answered).sort();
  const at = share => showMs(sorted[Math.min(answered - 1, Math.floor(answered * share))]);
  let line = `${how}: ${showCount(answered)} of ${showCount(total)} in ${seconds.toFixed(2)} s`;
  if (answered) {
    line += ` · ${showCount(Math.round(answered / seconds))}/s · p50 ${at(.5)} · p99 ${at(.99)} · max ${at(1)}`;
  }
  late = isOpen() && sent > answered ? { size, count: sent - answered } : null;
  burst = null;
  showRunning();
  drawBurst();
  $('burst-stats').textContent = line;
  $('plot').ariaLabel = `Round trips. ${line}`;
  note(`Burst: ${line}`);
  speak(`Burst: ${line}`);
}

function showRunning() {
  $('burst').textContent = burst ? 'Stop' : 'Run';
  $('progress').hidden = !burst;
  for (const id of ['burst-count', 'burst-size', 'burst-pipeline']) $(id).readOnly = burst !== null;
}

export function drawBurst() {
  drawPlot($('plot'), columns, COLUMNS);
  if (!burst) return;
  const { total, answered, began } = burst, seconds = (performance.now() - began) / 1000;
  $('progress').value = answered / total;
  $('burst-stats').textContent = `${showCount(answered)} of ${showCount(total)} · ${showCount(Math.round(answered / seconds))}/s`;
  requestAnimationFrame(drawBurst);
}

$('burst-form').oninput = () => {
  const much = $('burst-size').valueAsNumber * $('burst-pipeline').valueAsNumber > UNDER_WAY_MAX;
  $('burst-pipeline').setCustomValidity(much ? 'Bytes × pipeline above 64 MiB would measure the browser’s buffers.' : '');
};

// The browser has checked the limits of the fields.
$('burst-form').onsubmit = event => {
  event.preventDefault();
  if (burst) endBurst('stopped');
  else if (isOpen()) startBurst();
  else {
    $('burst-stats').textContent = 'Not connected: press Connect first.';
    speak($('burst-stats').textContent);
  }
};

connection.addEventListener('open', () => { late = null; });
connection.addEventListener('closed', () => { if (burst) endBurst('connection closed'); });
