import { $, part } from '../shared/dom.js';
import { speak } from '../shared/speak.js';
import { visible } from '../shared/visible.js';
import { base64Of, encode, hexOf, showCount, showMs, showSize } from './bytes.js';
import { showDetail } from './detail.js';

// The log: entries that are kept, and a row for each. It is bounded in entries and in bytes, and
// drawn once a frame: a server that floods us costs at most ENTRIES_MAX rows a frame.

const ENTRIES_MAX = 1000, KEPT_BYTES_MAX = 32 << 20;
const TEXT_SHOWN = 400, BYTES_SHOWN = 48, FOLLOW_PX = 40;
const WAYS = { sent: ['↑', 'Sent'], got: ['↓', 'Received'], note: ['·', ''], fault: ['!', 'Error:'] };

let entries = [];          // all that is kept, oldest first
let waiting = [];          // those of them that have no row yet
let keptBytes = 0, paused = false, unread = 0, heard = 0, lastHeard = null;

// A line about the connection. What it returns can be changed with `relog`.
export const note = (text, kind = 'note') => keep({ kind, text, size: 0, at: new Date() });

export const fault = text => note(text, 'fault');

// A message; `ms` is its round trip, if it is a reply.
export function logMessage(kind, data, ms) {
  const size = typeof data === 'string' ? encode(data).length : data.length;
  if (kind === 'got') hear(data);
  return keep({ kind, data, size, ms, at: new Date() });
}

// The entry says something else from now on, in the row that it has.
export function relog(entry, text) {
  entry.text = text;
  entry.at = new Date();
  if (entry.row) {
    entry.row.querySelector('.what').textContent = text;
    entry.row.querySelector('time').textContent = clock(entry.at);
  }
}

function keep(entry) {
  if (waiting.length === 0 && !paused) requestAnimationFrame(drawRows);
  entries.push(entry);
  waiting.push(entry);
  keptBytes += entry.size;
  while (entries.length > ENTRIES_MAX || keptBytes > KEPT_BYTES_MAX && entries.length > 1) forget(entries.shift());
  if (paused) showPaused();
  return entry;
}

function forget(entry) {
  keptBytes -= entry.size;
  if (waiting[0] === entry) waiting.shift();
  // Whoever was reading there goes on at the log, not at the top of the page.
  if (entry.row?.contains(document.activeElement)) $('log-box').focus();
  entry.row?.remove();
}

// ---- Rows. ----

const clock = at => `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`;

// One line, whatever is in it: a line break is shown as a mark.
function preview(data) {
  if (typeof data !== 'string') return hexOf(data.subarray(0, BYTES_SHOWN)) + (data.length > BYTES_SHOWN ? ' …' : '');
  return visible(data.slice(0, TEXT_SHOWN).replaceAll('\n', '↵ ').replaceAll('\t', ' ')) + (data.length > TEXT_SHOWN ? ' …' : '');
}

function rowOf(entry) {
  const row = document.createElement('li');
  row.className = entry.kind;
  const isMessage = entry.data !== undefined;
  const fold = isMessage ? part(row, 'details', '', '') : row;
  const line = part(fold, isMessage ? 'summary' : 'div', 'line', '');
  part(line, 'time', '', clock(entry.at)).dateTime = entry.at.toISOString();
  const way = part(line, 'span', 'way', '');
  part(way, 'span', '', WAYS[entry.kind][0]).ariaHidden = 'true';
  part(way, 'span', 'unseen', WAYS[entry.kind][1]);
  part(line, 'span', 'what', isMessage ? preview(entry.data) : entry.text).dir = 'auto';
  if (isMessage) {
    part(line, 'span', 'type', typeof entry.data === 'string' ? 'text' : 'binary');
    part(line, 'span', 'size', showSize(entry.size));
    part(line, 'span', 'trip', entry.ms === undefined ? '' : showMs(entry.ms));
    line.tabIndex = -1;
    const box = part(fold, 'div', 'detail', '');
    fold.ontoggle = () => {
      box.replaceChildren();
      if (fold.open) showDetail(box, entry);
    };
  }
  entry.row = row;
  row.hidden = !matches(entry);
  return row;
}

function drawRows() {
  if (paused) return;
  const box = $('log-box'), list = $('log');
  // Follow the newest entry, but never pull a reader away from an older one.
  const follow = box.scrollHeight - box.scrollTop - box.clientHeight < FOLLOW_PX;
  list.append(...waiting.map(rowOf));
  if (follow) box.scrollTop = box.scrollHeight;
  else showUnread(unread + waiting.filter(entry => !entry.row.hidden).length);
  waiting = [];
  keepTabStop();
  showEmpty();
}

function showUnread(count) {
  if ($('newest').contains(document.activeElement) && count === 0) $('log-box').focus();
  unread = count;
  $('newest').hidden = count === 0;
  $('newest').textContent = `↓ ${showCount(count)} new`;
}

function showEmpty() {
  const shown = entries.filter(entry => entry.row && !entry.row.hidden).length;
  $('log-empty').hidden = shown > 0;
  $('log-empty').textContent = entries.length ? 'The filter hides all rows.' : 'Nothing yet. Connect, then send something.';
  $('shown').textContent = isFiltered() ? `${showCount(shown)} of ${showCount(entries.length)}` : '';
}

// ---- Filter, pause, clear, export. ----

const isFiltered = () => $('filter').value !== '' || $('show').value !== 'all';

function matches({ kind, data, text }) {
  const show = $('show').value, word = $('filter').value.toLowerCase();
  if (show !== 'all' && show !== (kind === 'fault' ? 'note' : kind)) return false;
  if (word === '') return true;
  const content = data === undefined ? text : typeof data === 'string' ? data : preview(data);
  return content.toLowerCase().includes(word);
}

function applyFilter() {
  for (const entry of entries) if (entry.row) entry.row.hidden = !matches(entry);
  keepTabStop();
  showEmpty();
  $('log-box').scrollTop = $('log-box').scrollHeight;
}

function showPaused() {
  const count = waiting.length ? ` (${showCount(waiting.length)})` : '';
  $('pause').textContent = paused ? `Resume${count}` : 'Pause';
}

function setPaused(now) {
  paused = now;
  $('pause').ariaPressed = String(paused);
  showPaused();
  if (!paused && waiting.length) requestAnimationFrame(drawRows);
}

function clearLog() {
  entries.forEach(entry => entry.row?.remove());
  [entries, waiting, keptBytes] = [[], [], 0];
  showUnread(0);
  showPaused();
  showEmpty();
}

function lineOf({ kind, at, data, text, size, ms }) {
  const direction = { sent: 'sent', got: 'received' }[kind] ?? 'event';
  const content = data === undefined ? { text }
    : typeof data === 'string' ? { type: 'text', size, data } : { type: 'binary', size, base64: base64Of(data) };
  return JSON.stringify({ time: at.toISOString(), direction, ...content, round_trip_ms: ms });
}

// As JSON Lines: what the filter shows, one object a line.
function exportLog() {
  const lines = entries.filter(matches).map(entry => `${lineOf(entry)}\n`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(lines, { type: 'application/jsonl' }));
  link.download = `wsecho-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.jsonl`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// ---- For ears: one message by its words, many by their number, at most once in two seconds. ----

const HEARD_MS = 2000, SPOKEN_CHARACTERS = 120;

function hear(data) {
  lastHeard = data;
  if (heard++ > 0) return;
  setTimeout(() => {
    const words = typeof lastHeard === 'string' ? lastHeard.slice(0, SPOKEN_CHARACTERS) : `${showSize(lastHeard.length)} of bytes`;
    speak(heard === 1 ? `Received: ${words}` : `${showCount(heard)} messages received`);
    [heard, lastHeard] = [0, null];
  }, HEARD_MS);
}

// ---- Hands: one row is in the order of the Tab key, and the arrows go to the others. ----

const tabStop = () => $('log').querySelector('.line[tabindex="0"]');

function keepTabStop() {
  if (tabStop()?.closest('li:not([hidden])')) return;
  tabStop()?.setAttribute('tabindex', '-1');
  $('log').querySelector('li:not([hidden]) summary.line')?.setAttribute('tabindex', '0');
}

function moveTo(line) {
  if (!line) return;
  tabStop()?.setAttribute('tabindex', '-1');
  line.tabIndex = 0;
  line.focus();
}

$('log').onkeydown = event => {
  if (!event.target.matches('summary.line')) return;
  const lines = [...$('log').querySelectorAll('li:not([hidden]) summary.line')], at = lines.indexOf(event.target);
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: lines.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  moveTo(lines[to]);
};

$('log-box').onscroll = () => {
  const box = $('log-box');
  if (unread && box.scrollHeight - box.scrollTop - box.clientHeight < FOLLOW_PX) showUnread(0);
};
$('newest').onclick = () => {
  $('log-box').scrollTop = $('log-box').scrollHeight;
  showUnread(0);
};
$('filter').oninput = $('show').onchange = applyFilter;
$('pause').onclick = () => setPaused(!paused);
$('clear').onclick = clearLog;
$('export').onclick = exportLog;
