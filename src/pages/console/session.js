import { $ } from '../shared/dom.js';
import { copyBy } from '../shared/copy.js';
import { speak } from '../shared/speak.js';
import { echoUrl } from './address.js';
import { urlToForm } from './behaviours.js';
import { kindNow, pastMessages, savedMessages, setKind, setPast, setSaved } from './composer.js';

// What outlives the page: the link (`#url=…`) says what to connect to, and the browser keeps the last
// session. A link never connects by itself.

const STORE = 'wsecho console', WRITE_MS = 300;
const FIELDS = ['text', 'subprotocol', 'transport', 'close-code', 'close-reason', 'repeat-ms', 'burst-count', 'burst-size', 'burst-pipeline'];
const TICKS = ['reconnect', 'templates'];
let writing = 0;

const TRANSPORT = 'auto';

// One that there is, or the first.
function setTransport(name) {
  $('transport').value = name;
  if (!$('transport').value) $('transport').value = TRANSPORT;
}

const isMessage = message => typeof message?.text === 'string' && ['text', 'hex'].includes(message.kind);
const messagesOf = list => Array.isArray(list) ? list.filter(isMessage) : [];

function linkHash() {
  const said = new URLSearchParams();
  if ($('url').value !== echoUrl) said.set('url', $('url').value);
  if ($('subprotocol').value) said.set('protocols', $('subprotocol').value);
  if ($('transport').value !== TRANSPORT) said.set('transport', $('transport').value);
  if (!$('reconnect').checked) said.set('reconnect', '0');
  return said.size ? `#${said}` : '';
}

function writeSession() {
  writing = 0;
  history.replaceState(null, '', location.pathname + location.search + linkHash());
  const session = { url: $('url').value, kind: kindNow(), past: pastMessages(), saved: savedMessages(), fields: {}, ticks: {} };
  for (const id of FIELDS) session.fields[id] = $(id).value;
  for (const id of TICKS) session.ticks[id] = $(id).checked;
  // Without room, or where nothing may be kept, the page works as well.
  try { localStorage.setItem(STORE, JSON.stringify(session)); } catch { /* not kept */ }
}

// Once the person rests: every keystroke comes here.
function writeSoon() {
  writing ||= setTimeout(writeSession, WRITE_MS);
}

function readStore() {
  try { return JSON.parse(localStorage.getItem(STORE)) ?? {}; } catch { return {}; }
}

function readSession() {
  const { url, kind, past, saved, fields = {}, ticks = {} } = readStore();
  if (typeof url === 'string') $('url').value = url;
  for (const id of FIELDS) if (typeof fields?.[id] === 'string') $(id).value = fields[id];
  setTransport($('transport').value);
  for (const id of TICKS) if (typeof ticks?.[id] === 'boolean') $(id).checked = ticks[id];
  if (kind === 'hex') setKind(kind);
  setPast(messagesOf(past));
  setSaved(messagesOf(saved));
}

function readLink() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (!said.size) return;
  $('url').value = said.get('url') ?? echoUrl;
  $('subprotocol').value = said.get('protocols') ?? '';
  setTransport(said.get('transport'));
  $('reconnect').checked = said.get('reconnect') !== '0';
}

export function startSession() {
  $('url').value = echoUrl;
  readSession();
  readLink();
  urlToForm();
  for (const event of ['input', 'change', 'submit', 'click']) addEventListener(event, writeSoon);
  addEventListener('pagehide', writeSession);
  addEventListener('hashchange', () => { readLink(); urlToForm(); });
}

$('copy-link').onclick = () => {
  writeSession();
  copyBy($('copy-link'), location.href);
};

$('forget').onclick = () => {
  $('url').value = echoUrl;
  for (const id of FIELDS) $(id).value = $(id).defaultValue ?? '';
  setTransport(TRANSPORT);
  for (const id of TICKS) $(id).checked = $(id).defaultChecked;
  setKind('text');
  setPast([]);
  setSaved([]);
  urlToForm();
  speak('Everything is as at first.');
};
