import { $, STATES, part } from '../shared/dom.js';
import { linkPages } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';

// ---- Showing what others sent: always as text, and never invisibly. ----

// Control, zero-width and direction-changing characters become their code points, because each of
// them could make the log say something other than what arrived.
const visible = text => text.replace(
  /[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
  c => c === '\n' ? '↵\n' : `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);

const TEXT_SHOWN = 500, BYTES_SHOWN = 64;
const cut = (shown, rest, unit) => rest > 0 ? `${shown} … ${rest.toLocaleString('en')} more ${unit}` : shown;
const showText = text => cut(visible(text.slice(0, TEXT_SHOWN)), text.length - TEXT_SHOWN, 'characters');
const showBytes = bytes => cut(Array.from(bytes.subarray(0, BYTES_SHOWN),
  b => b.toString(16).padStart(2, '0')).join(' '), bytes.length - BYTES_SHOWN, 'bytes');
const showMs = ms => `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en')} ms`;
const showSize = n => n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;

// ---- The log. ----

// Bounded, and drawn once a frame: a server that floods us costs at most LOG_MAX entries a frame.
const LOG_MAX = 500;
const WAYS = { sent: ['→', 'sent'], got: ['←', 'received'], note: ['·', ''], fault: ['!', 'error'] };
let waiting = [];

function log(kind, what, meta = '') {
  if (waiting.length === 0) requestAnimationFrame(drawLog);
  waiting.push({ kind, what, meta, at: new Date() });
  if (waiting.length > LOG_MAX) waiting.shift();
}

function drawLog() {
  const box = $('log-box'), list = $('log');
  // Follow the newest entry, but never pull a reader away from an older one.
  const follow = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  for (const { kind, what, meta, at } of waiting) {
    const entry = document.createElement('li');
    entry.className = kind;
    const time = part(entry, 'time', '', at.toLocaleTimeString('en-GB') + '.' + String(at.getMilliseconds()).padStart(3, '0'));
    time.dateTime = at.toISOString();
    const way = part(entry, 'span', 'way', '');
    part(way, 'span', '', WAYS[kind][0]).ariaHidden = 'true';
    part(way, 'span', 'unseen', WAYS[kind][1]);
    part(entry, 'span', 'what', what).dir = 'auto';
    part(entry, 'span', 'meta', meta);
    list.append(entry);
  }
  waiting = [];
  while (list.children.length > LOG_MAX) list.firstChild.remove();
  $('log-empty').hidden = list.children.length > 0;
  if (follow) box.scrollTop = box.scrollHeight;
}

$('clear').onclick = () => {
  waiting = [];
  $('log').replaceChildren();
  $('log-empty').hidden = false;
};

// ---- The connection. ----

let socket = null;
let unanswered = [];         // times of messages sent and not yet answered, oldest first
const UNANSWERED_MAX = 4096; // a peer that never answers must not grow it

let wanted = false;

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `Attempt ${retry.attempts} in ${seconds} s`;
});

function connect() {
  retry.pause();
  const names = $('subprotocol').value.split(',').map(name => name.trim()).filter(Boolean);
  let ws;
  try {
    ws = new WebSocket($('url').value.trim(), names);
  } catch (error) {
    wanted = false;
    log('fault', visible(error.message));
    return showConnection();
  }
  socket = ws;
  ws.binaryType = 'arraybuffer';
  unanswered = [];
  const began = performance.now();
  log('note', `Connecting to ${visible(ws.url)}`);
  ws.onopen = () => {
    const chosen = ws.protocol ? `, subprotocol ${visible(ws.protocol)}` : '';
    const extensions = ws.extensions ? `, ${visible(ws.extensions)}` : '';
    log('note', `Open${chosen}${extensions}`, showMs(performance.now() - began));
    retry.opened();
    showConnection();
  };
  ws.onmessage = event => received(event.data, performance.now());
  ws.onerror = () => log('fault', 'The connection failed; a browser does not tell scripts why.');
  ws.onclose = event => closed(event);
  showConnection();
}

function closed({ code, reason, wasClean }) {
  retry.pause();
  socket = null;
  if (burst) endBurst('connection closed');
  log('note', `Closed ${wasClean ? 'cleanly' : 'without a closing handshake'}, code ${code}`
    + (reason ? `, reason “${visible(reason)}”` : ''));
  wanted &&= $('reconnect').checked;
  if (wanted) retry.later();
  showConnection();
}

function stopRetrying() {
  retry.stop();
  wanted = false;
  showConnection();
}

function showConnection() {
  const state = STATES[socket ? socket.readyState : WebSocket.CLOSED];
  if ($('state').textContent !== state) $('state').textContent = state;
  $('state').dataset.state = state;
  $('connect').disabled = state !== 'CLOSED';
  $('disconnect').disabled = state === 'CLOSING' || (state === 'CLOSED' && !wanted);
  $('send').disabled = state !== 'OPEN';
  $('burst').disabled = state !== 'OPEN';
}

$('connect-form').onsubmit = event => {
  event.preventDefault();
  if (socket) return;
  wanted = true;
  retry.stop();
  connect();
};

$('reconnect').onchange = () => {
  if (!$('reconnect').checked && !socket) stopRetrying();
};

$('close-form').onsubmit = event => {
  event.preventDefault();
  if (!socket) return stopRetrying();
  const code = $('close-code').value, reason = $('close-reason').value;
  try {
    // A reason cannot travel without a code (RFC 6455 §5.5.1), so it brings 1000 along.
    if (code || reason) socket.close(Number(code || 1000), reason);
    else socket.close();
    stopRetrying();
    log('note', `Closing${code || reason ? ` with code ${code || 1000}` : ''}`);
  } catch (error) {
    log('fault', visible(error.message));
  }
};

// ---- Messages. ----

const utf8 = new TextEncoder();

function received(data, now) {
  if (burst) return burstReply(data, now);
  const isText = typeof data === 'string';
  const bytes = isText ? utf8.encode(data) : new Uint8Array(data);
  // Replies come in order, so the oldest unanswered message is the one this answers.
  const sentAt = unanswered.shift();
  const meta = [isText ? 'text' : 'binary', showSize(bytes.length)];
  if (sentAt !== undefined) meta.push(showMs(now - sentAt));
  log('got', isText ? showText(data) : showBytes(bytes), meta.join(' · '));
}

function send(data) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const isText = typeof data === 'string';
  const bytes = isText ? utf8.encode(data) : data;
  socket.send(data);
  unanswered.push(performance.now());
  if (unanswered.length > UNANSWERED_MAX) unanswered.shift();
  log('sent', isText ? showText(data) : showBytes(bytes), `${isText ? 'text' : 'binary'} · ${showSize(bytes.length)}`);
}

function parseHex(text) {
  const digits = text.replace(/0x|[\s,:]/gi, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], pair => parseInt(pair, 16));
}

const kind = () => document.querySelector('[name=kind]:checked').value;

$('send-form').onchange = () => {
  $('text-label').hidden = kind() === 'file';
  $('file-label').hidden = kind() !== 'file';
  $('text-name').textContent = kind() === 'hex' ? 'Bytes, such as 48 65 6c 6c 6f' : 'Message';
};

$('send-form').onsubmit = async event => {
  event.preventDefault();
  if (kind() === 'text') return send($('text').value);
  if (kind() === 'hex') {
    const bytes = parseHex($('text').value);
    return bytes ? send(bytes) : log('fault', 'Hex wants pairs of the digits 0–9 and a–f.');
  }
  const file = $('file').files[0];
  if (!file) return log('fault', 'Choose a file first.');
  try {
    send(new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    log('fault', visible(error.message));
  }
};

$('text').onkeydown = event => {
  // While an input method composes a character, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('send-form').requestSubmit();
};

// ---- Behaviours: the form and the URL's query say the same. ----

const behaviours = [...$('behaviour-form').querySelectorAll('[name]')];

function formToUrl() {
  const [, base, query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec($('url').value);
  const names = new Set(behaviours.map(field => field.name));
  const nameOf = pair => pair.split('=')[0];
  const pairs = query.split('&').filter(pair => pair && !names.has(nameOf(pair)));
  for (const field of behaviours) {
    if (field.type === 'checkbox') field.checked && pairs.push(field.name);
    else if (field.value) pairs.push(`${field.name}=${encodeURIComponent(field.value)}`);
  }
  $('url').value = base + (pairs.length ? `?${pairs.join('&')}` : '');
  countBehaviours();
}

function urlToForm() {
  const query = new URLSearchParams($('url').value.split('#')[0].split('?')[1] ?? '');
  for (const field of behaviours) {
    if (field.type === 'checkbox') field.checked = query.has(field.name);
    else field.value = query.get(field.name) ?? '';
  }
  countBehaviours();
}

function countBehaviours() {
  const set = behaviours.filter(field => field.type === 'checkbox' ? field.checked : field.value).length;
  $('behaviours-set').textContent = set ? `${set} set` : 'none: an exact echo';
}

$('behaviour-form').oninput = formToUrl;
$('behaviour-form').onreset = () => setTimeout(formToUrl); // the fields are emptied after this event
$('behaviour-form').onsubmit = event => event.preventDefault();
$('url').oninput = urlToForm;

// ---- Burst: N messages over this connection, `pipeline` of them under way at a time. ----

const COLUMNS = 240;             // the plot's resolution: memory and drawing do not grow with N
const UNDER_WAY_MAX = 64 << 20;  // bytes; more would measure the browser's buffers
let burst = null;
let columns = [];                // of the last burst: { low, high, sum, count } in ms

$('burst-form').onsubmit = event => {
  event.preventDefault();
  if (burst) return stopBurst();
  const total = $('burst-count').valueAsNumber, size = $('burst-size').valueAsNumber;
  const pipeline = Math.min($('burst-pipeline').valueAsNumber, total);
  if (size * pipeline > UNDER_WAY_MAX) {
    $('burst-stats').textContent = 'Bytes × pipeline above 64 MiB would measure the browser’s buffers.';
    return;
  }
  burst = {
    total, size, payload: new Uint8Array(size).map((_, i) => i), trips: new Float64Array(total),
    times: new Float64Array(total), sent: 0, answered: 0, odd: 0, began: performance.now(), stopping: false,
  };
  columns = [];
  $('burst').textContent = 'Stop';
  log('note', `Burst of ${total.toLocaleString('en')} × ${showSize(size)}, pipeline ${pipeline}`);
  while (burst.sent < pipeline) burstSend();
  requestAnimationFrame(drawBurst);
};

function burstSend() {
  burst.times[burst.sent++] = performance.now();
  socket.send(burst.payload);
}

function burstReply(data, now) {
  const index = burst.answered++;
  const ms = burst.trips[index] = now - burst.times[index];
  if (data.byteLength !== burst.size) burst.odd++;
  const column = columns[Math.floor(index * COLUMNS / burst.total)] ??= { low: Infinity, high: 0, sum: 0, count: 0 };
  column.low = Math.min(column.low, ms);
  column.high = Math.max(column.high, ms);
  column.sum += ms;
  column.count++;
  if (!burst.stopping && burst.sent < burst.total && socket.readyState === WebSocket.OPEN) burstSend();
  if (burst.answered === burst.sent) endBurst(burst.stopping ? 'stopped' : 'done');
}

// The first press sends no more and waits for what is under way, so that late replies are not
// taken for answers to later messages; the second press does not wait.
function stopBurst() {
  if (burst.stopping || burst.answered === burst.sent) return endBurst('stopped');
  burst.stopping = true;
}

function endBurst(how) {
  const { answered, trips, odd, began } = burst;
  const seconds = (performance.now() - began) / 1000;
  const sorted = trips.slice(0, answered).sort();
  const at = share => showMs(sorted[Math.min(answered - 1, Math.floor(answered * share))]);
  let line = `${how}: ${answered.toLocaleString('en')} in ${seconds.toFixed(2)} s`;
  if (answered) line += ` · ${Math.round(answered / seconds).toLocaleString('en')}/s · p50 ${at(.5)} · p99 ${at(.99)} · max ${at(1)}`;
  if (odd) line += ` · ${odd.toLocaleString('en')} of another size`;
  burst = null;
  $('burst').textContent = 'Run';
  $('burst-stats').textContent = line;
  $('plot').ariaLabel = `Latency plot, ${line}`;
  log('note', `Burst ${line}`);
  drawPlot();
}

function drawBurst() {
  if (!burst) return;
  drawPlot();
  requestAnimationFrame(drawBurst);
}

// A logarithmic scale: the typical trip and the worst one are both worth seeing.
function drawPlot() {
  const canvas = $('plot'), scale = devicePixelRatio || 1, style = getComputedStyle(canvas);
  const width = canvas.clientWidth, height = canvas.clientHeight, left = 52, foot = 6;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  const most = columns.reduce((high, column) => Math.max(high, column.high), 1);
  const decades = Math.ceil(Math.log10(most) - 1e-9) + 1; // from 0.1 ms, the clock's own grain
  const y = ms => height - foot - (height - 2 * foot) * Math.max(0, Math.log10(Math.max(ms, .1)) + 1) / decades;
  const x = i => left + (width - left) * (i + .5) / COLUMNS;

  pen.font = '11px ' + style.getPropertyValue('--mono');
  pen.textBaseline = 'middle';
  pen.textAlign = 'right';
  for (let i = 0; i <= decades; i++) {
    const line = y(10 ** (i - 1));
    pen.fillStyle = style.getPropertyValue('--line');
    pen.fillRect(left, Math.round(line), width - left, 1);
    pen.fillStyle = style.getPropertyValue('--soft');
    pen.fillText(`${10 ** i / 10} ms`, left - 7, line);
  }
  pen.fillStyle = pen.strokeStyle = style.color;
  pen.globalAlpha = .25;
  columns.forEach((c, i) => {
    const top = y(c.high), bottom = y(c.low);
    pen.fillRect(x(i - .5), top, (width - left) / COLUMNS + .5, Math.max(1, bottom - top));
  });
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.beginPath();
  columns.forEach((c, i) => pen.lineTo(x(i), y(c.sum / c.count)));
  pen.stroke();
}

// ---- Start. ----

addEventListener('resize', drawPlot);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawPlot);
linkPages('');
// Beside this page, whatever path a proxy serves it under; TLS if the page came by TLS.
$('url').value = new URL('ws', location.href.replace(/^http/, 'ws')).href;
urlToForm();
drawPlot();
showConnection();
