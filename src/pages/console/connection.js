import { $ } from '../shared/dom.js';
import { Retry } from '../shared/retry.js';
import { speak } from '../shared/speak.js';
import { visible } from '../shared/visible.js';
import { echoUrl, isEcho, whyFailed, wrongUrl } from './address.js';
import { showMs } from './bytes.js';
import { CARRIERS, carry } from './carriers.js';
import { fault, note, relog } from './log.js';

// The connection: one at a time, connected again if it was lost. `connection` says what happens to
// it: 'open', 'message' (its detail is the data) and 'closed'. It is a WebSocket, or where that does
// not get through to this server's echo, what carries messages in its place.

export const connection = new EventTarget();

let socket = null;
let wanted = false;          // the person wants to be connected
let again = false;           // and, once this connection is closed, with the URL that is in the field
let failures = null;         // the row for a series of attempts that failed: { entry, count, why, reachable }
let carrier = 'ws';          // by what it connects now
let secondsLeft = null;

const retry = new Retry(connect, seconds => {
  secondsLeft = seconds;
  showConnection();
});

export const isOpen = () => socket?.readyState === WebSocket.OPEN;
export const urlNow = () => socket?.url;
export const traffic = { sent: 0, got: 0 }; // messages, bursts included
export const bufferedBytes = () => socket?.bufferedAmount ?? 0;

// Sends a text or bytes; false if there is no open connection.
export function transmit(data) {
  if (!isOpen()) return false;
  socket.send(data);
  traffic.sent += 1;
  return true;
}

function connect() {
  const names = $('subprotocol').value.split(',').map(name => name.trim()).filter(Boolean);
  let ws;
  try {
    ws = carry(carrier, $('url').value.trim(), names);
  } catch (error) {
    wanted = false;
    fault(visible(error.message));
    speak(error.message);
    return showConnection();
  }
  socket = ws;
  ws.binaryType = 'arraybuffer';
  const began = performance.now();
  let opened = false;
  const by = carrier === 'ws' ? '' : ` by ${CARRIERS[carrier].words}`;
  if (!failures) note(`Connecting to ${visible(ws.url)}${by}`);
  ws.onopen = () => {
    opened = true;
    failures = null;
    const chosen = ws.protocol ? `, subprotocol ${visible(ws.protocol)}` : '';
    const extensions = ws.extensions ? `, ${visible(ws.extensions)}` : '';
    note(`Connected in ${showMs(performance.now() - began)}${by}${chosen}${extensions}`);
    speak(`Connected${by}`);
    retry.opened();
    tell('open');
  };
  ws.onmessage = ({ data }) => {
    traffic.got += 1;
    const message = typeof data === 'string' ? data : new Uint8Array(data);
    connection.dispatchEvent(new CustomEvent('message', { detail: message }));
  };
  ws.onclose = event => opened ? lost(event) : failed(ws.url);
  showConnection();
}

function lost({ code, reason, wasClean }) {
  const how = wasClean ? 'cleanly' : 'without a closing handshake';
  note(`Closed ${how}, code ${code}${reason ? `, reason “${visible(reason)}”` : ''}`);
  ended(`Connection closed, code ${code}.`);
}

// An attempt that failed. One row stands for all that follow each other, and they are said once.
async function failed(url) {
  if (!wanted) {
    note('Given up');
    return ended('Not connected.');
  }
  if (failures) {
    failures.count += 1;
    relog(failures.entry, `Could not connect, ${failures.count} attempts. ${failures.why}`);
    ended('');
    return fallBack(failures, url);
  }
  const series = failures = { entry: fault('Could not connect.'), count: 1, why: '', reachable: false };
  ended('');
  const told = await whyFailed(url);
  series.why = visible(told.why);
  series.reachable = told.reachable;
  const attempts = series.count > 1 ? `, ${series.count} attempts` : '';
  relog(series.entry, `Could not connect${attempts}. ${series.why}`);
  if (failures !== series) return;
  const next = fallBack(series, url);
  if (!next) speak(`Could not connect. ${series.why}${wanted ? ' Trying again.' : ''}`);
}

// The server is there, and what should carry messages to it does not get through: takes the next. True
// if there is one, and nothing else is tried at the moment.
function fallBack(series, url) {
  const { next } = CARRIERS[carrier];
  const may = $('transport').value === 'auto' && next && series.reachable && isEcho(url);
  if (!may || !wanted || socket || failures !== series) return false;
  const query = new URL(url).search ? ' Behaviours need a WebSocket, so there are none.' : '';
  const words = `${CARRIERS[carrier].blocked} Falling back to ${CARRIERS[next].words}.${query}`;
  note(words);
  speak(words);
  carrier = next;
  failures = null;
  retry.stop();
  connect();
  return true;
}

function ended(words) {
  socket = null;
  wanted &&= $('reconnect').checked;
  if (again) setTimeout(begin);
  else if (wanted) retry.later();
  else retry.pause();
  if (words) speak(words + (wanted ? ' Trying again.' : ''));
  tell('closed');
}

function tell(what) {
  showConnection();
  connection.dispatchEvent(new Event(what));
}

function stopTrying() {
  wanted = false;
  failures = null;
  retry.stop();
  speak('Not connected.');
}

function disconnect() {
  const code = $('close-code').value, reason = $('close-reason').value;
  wanted = false;
  // A reason cannot travel without a code (RFC 6455 §5.5.1), so it brings 1000 along.
  const sendable = $('close-form').checkValidity();
  if (!sendable) fault('That close code or reason cannot be sent, so none is.');
  if (isOpen() && sendable && (code || reason)) socket.close(Number(code || 1000), reason);
  else socket.close();
  retry.pause();
  showConnection();
}

// ---- The bar. ----

function stateNow() {
  const tries = failures ? ` (${failures.count} failed)` : '';
  if (!socket && secondsLeft !== null) return ['WAITING', `Trying again in ${secondsLeft} s${tries}`, 'Stop'];
  switch (socket?.readyState) {
    case WebSocket.CONNECTING: return ['CONNECTING', `Connecting${tries}`, 'Stop'];
    case WebSocket.OPEN: return ['OPEN', `Connected${carrier === 'ws' ? '' : ` by ${CARRIERS[carrier].words}`}`, 'Disconnect'];
    case WebSocket.CLOSING: return ['CLOSING', 'Closing', 'Closing'];
    default: return ['CLOSED', 'Not connected', 'Connect'];
  }
}

// One button, which keeps the focus whatever it does next.
export function showConnection() {
  const [state, words, verb] = stateNow();
  $('state').dataset.state = state;
  $('state').textContent = words;
  $('connect').textContent = verb;
  $('connect').classList.toggle('main', state === 'CLOSED');
  $('connect').ariaDisabled = String(state === 'CLOSING');
  $('send').ariaDisabled = $('burst').ariaDisabled = String(state !== 'OPEN');
}

function showUrlError(wrong) {
  const { why = '', meant = null } = wrong ?? {};
  $('url').ariaInvalid = String(wrong !== null);
  $('url-error').hidden = wrong === null;
  $('url-why').textContent = why;
  $('url-fix').hidden = meant === null;
  $('url-fix').textContent = meant === null ? '' : `Use ${visible(meant)}`;
  $('url-fix').dataset.url = meant ?? '';
}

// What is wrong with a URL to be reached without WebSocket, if anything is.
function wrongPlace(url) {
  const fits = carrier === 'ws' || isEcho(url);
  return fits ? null : { why: 'Without WebSocket this page reaches the echo of its own server only.', meant: echoUrl };
}

// Connects to the URL in the field, if it is one.
function begin() {
  again = false;
  const chosen = $('transport').value;
  carrier = chosen === 'auto' ? 'ws' : chosen;
  const wrong = wrongUrl($('url').value.trim()) ?? wrongPlace($('url').value.trim());
  showUrlError(wrong);
  if (wrong) {
    speak(wrong.why);
    return $('url').focus();
  }
  wanted = true;
  failures = null;
  retry.stop();
  connect();
}

// The same, in place of the connection that there is.
export function connectAgain() {
  if (!socket) return begin();
  again = true;
  disconnect();
}

$('connect-form').onsubmit = event => {
  event.preventDefault();
  if (socket?.readyState === WebSocket.CLOSING) return;
  if (socket) disconnect();
  else if (wanted) stopTrying();
  else begin();
};

// Enter in the field means this URL, whatever the button would do.
$('url').onkeydown = event => {
  if (event.key !== 'Enter' || event.isComposing) return;
  event.preventDefault();
  connectAgain();
};
$('url').addEventListener('input', () => showUrlError(null));

$('url-fix').onclick = () => {
  $('url').value = $('url-fix').dataset.url;
  $('url').focus();
  $('url').dispatchEvent(new Event('input', { bubbles: true }));
};

$('reconnect').onchange = () => {
  if (!$('reconnect').checked && !socket && wanted) stopTrying();
};

const CLOSE_REASON_BYTES_MAX = 123;

$('close-form').oninput = () => {
  const code = $('close-code').value;
  const sendable = code === '' || code === '1000' || code >= 3000 && code <= 4999;
  $('close-code').setCustomValidity(sendable ? '' : 'Browsers send 1000 or 3000 to 4999.');
  const long = new TextEncoder().encode($('close-reason').value).length > CLOSE_REASON_BYTES_MAX;
  $('close-reason').setCustomValidity(long ? 'A reason has at most 123 bytes.' : '');
};
