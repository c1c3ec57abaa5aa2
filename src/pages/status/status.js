import { $, part, showState } from '../shared/dom.js';
import { linkPages } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';
import { count, size, some, span } from './figures.js';
import { Sparkline } from './sparkline.js';

// The server tells of itself once a second, and only while somebody looks: a page that nobody sees
// hangs up. Nothing here is a live region but the connection's own state, for a voice that reads a
// number each second helps nobody; whoever wants to read in peace holds the figures.

const KINDS = {
  echo: ['Exact echo'],
  compressed: ['Exact echo, compressed'],
  behaviour: ['Echo with a behaviour'],
  fallback: ['Without WebSocket'],
  chat: ['Chat', true],
  broadcast: ['Broadcast', true],
  draw: ['Drawing board', true],
  status: ['This page'],
  others: ['Opening or closing'],
};

const ENDINGS = {
  closed: 'closed by the client',
  gone: 'left without a Close',
  fault: 'broke the protocol or a limit',
  dropped: 'dropped within a frame at fault',
  answered: 'a page or a plain answer',
  refused: 'a request that was refused',
  handshake: 'no request in time',
  idle: 'no pong in time',
  stalled: 'stopped within a frame',
  slow: 'did not read its replies',
  shed: 'no room',
  shutdown: 'the server was stopped',
  io: 'reset, or broken on the way',
  scripted: 'ended as asked',
  expired: 'open for as long as may be',
  internal: 'a fault of the server',
};

const REASONS = {
  400: 'malformed', 401: 'no token', 403: 'origin not allowed', 404: 'nothing there', 405: 'method', 408: 'too late',
  414: 'too long', 417: 'expectation', 426: 'WebSocket only', 429: 'too many of one address', 431: 'too large', 501: 'not known',
  503: 'no room, or draining', 505: 'version',
};

const plots = {
  open: new Sparkline($('open-plot'), $('open-peak'), 'Open connections', count),
  messages: new Sparkline($('messages-plot'), $('messages-peak'), 'Messages a second', count),
  received: new Sparkline($('received-plot'), $('received-peak'), 'Received a second', size),
  sent: new Sparkline($('sent-plot'), $('sent-peak'), 'Sent a second', size),
};

// ---- What is shown. ----

let uptime = 0, frame = null, held = false;

// Rows are made once and then only change their numbers, so that nothing jumps below a finger; those
// of what has never happened wait out of sight.
const rows = new Map();

function row(table, name, label, detail, cells) {
  let entry = rows.get(`${table} ${name}`);
  if (!entry) {
    const line = part($(table), 'tr', '', '');
    const head = part(line, 'th', '', label);
    head.scope = 'row';
    if (detail) part(head, 'small', '', detail);
    entry = { line, cells: cells.map(() => part(line, 'td', '', '')) };
    rows.set(`${table} ${name}`, entry);
  }
  cells.forEach((cell, at) => { entry.cells[at].textContent = cell === null ? '' : count(cell); });
  entry.line.classList.toggle('none', cells.at(-1) === 0);
  return entry.line;
}

function showEndings({ endings, refusals }) {
  for (const [name, number] of Object.entries(endings)) {
    row('endings', name, name, ENDINGS[name], [number]).hidden = number === 0;
  }
  const never = Object.keys(endings).filter(name => endings[name] === 0);
  $('never').textContent = never.length ? `Never so far: ${never.join(', ')}` : '';
  for (const [status, number] of Object.entries(refusals)) row('refusals', status, status, REASONS[status], [number]);
  $('no-refusal').hidden = Object.keys(refusals).length > 0;
}

function take(told) {
  // It counts from its start: if it is younger than it was, it is another one.
  if (told.uptime_seconds < uptime) for (const plot of Object.values(plots)) plot.clear();
  uptime = told.uptime_seconds;
  frame = told;
  plots.open.add(told.connections.open);
  if (told.per_second) {
    plots.messages.add(told.per_second.messages);
    plots.received.add(told.per_second.received_bytes);
    plots.sent.add(told.per_second.sent_bytes);
  }
  if (!held) show();
}

function show() {
  const { connections, per_second: rates, totals, memory, inflaters } = frame;
  $('open').textContent = count(connections.open);
  $('limit').textContent = `of ${count(connections.limit)}`;
  $('messages').textContent = rates ? count(rates.messages) : '–';
  $('received').textContent = rates ? size(rates.received_bytes) : '–';
  $('sent').textContent = rates ? size(rates.sent_bytes) : '–';
  for (const [name, [label, hasRooms]] of Object.entries(KINDS)) {
    row('kinds', name, label, '', [hasRooms ? frame.rooms[name] : null, connections[name]]);
  }
  showEndings(frame);
  showMemory(memory);
  $('version').textContent = frame.version;
  $('uptime').textContent = span(frame.uptime_seconds);
  $('listeners').textContent = frame.listeners.join('\n') || '–';
  $('inflaters').textContent = `${count(inflaters.in_use)} of ${count(inflaters.limit)}`;
  $('turns').textContent = rates ? count(rates.loop_turns) : '–';
  $('total').textContent = count(totals.messages);
  $('shed').textContent = count(totals.shed);
  $('summary').textContent = `${frame.draining ? 'Draining. ' : ''}${some(connections.open, 'connection')}, `
    + (rates ? `${some(rates.messages, 'message')} a second, ` : '')
    + `${size(memory.used)} of ${size(memory.budget)} in use.`;
}

function showMemory({ budget, used, kept, inflaters, reserve, reserve_used }) {
  const queues = Math.max(0, used - kept - inflaters);
  for (const [part, bytes] of Object.entries({ kept, inflaters, queues })) {
    $(`part-${part}`).style.width = `${(100 * bytes / budget).toFixed(2)}%`;
    $(`part-${part}`).style.minWidth = bytes ? '2px' : '0';
  }
  $('kept').textContent = size(kept);
  $('inflating').textContent = size(inflaters);
  $('queues').textContent = size(queues);
  $('used').textContent = `${size(used)} of ${size(budget)}`;
  $('reserve').textContent = `${size(reserve_used)} of ${size(reserve)}`;
}

$('hold').onclick = () => {
  held = !held;
  $('hold').setAttribute('aria-pressed', held);
  if (!held && frame) show();
};

// ---- The connection. ----

let socket = null;

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `No word from the server. Next try in ${seconds} s`;
});

function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, 'ws') + location.pathname.replace(/\/+$/, ''));
  const own = socket;
  own.onopen = () => {
    retry.opened();
    showState(own);
  };
  own.onmessage = ({ data }) => take(JSON.parse(data));
  own.onclose = () => {
    if (socket !== own) return;
    socket = null;
    retry.later();
    showState(null);
  };
  showState(own);
}

function hangUp() {
  retry.stop();
  const own = socket;
  socket = null;
  own?.close();
  showState(null);
}

document.onvisibilitychange = () => {
  if (document.hidden) hangUp();
  else if (!socket) connect();
};

linkPages('/status');
connect();
