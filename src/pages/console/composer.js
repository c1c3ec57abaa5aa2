import { $, part } from '../shared/dom.js';
import { speak } from '../shared/speak.js';
import { visible } from '../shared/visible.js';
import { hexOf, parseHex, showSize } from './bytes.js';
import { bufferedBytes, connection, isOpen, transmit } from './connection.js';
import { logMessage } from './log.js';
import { fillIn, isCounted } from './template.js';
import { noteSent, tripOf } from './trips.js';

// The composer: what is sent, once or again and again, and what was sent before.

const MESSAGE_BYTES_MAX = 16 << 20, BUFFERED_BYTES_MAX = 8 << 20, PAST_MAX = 50, PAST_CHARACTERS_MAX = 4096;

let counter = 0;           // the last {{n}}
let past = [];             // what was sent, oldest first: { kind, text }
let place = 0;             // which of `past` is shown; its length: the draft
let draft = '';
let repeating = 0;

export const pastMessages = () => past;
export const setPast = messages => { past = messages.slice(-PAST_MAX); place = past.length; };

export const kindNow = () => document.querySelector('[name=kind]:checked').value;

export function setKind(kind) {
  $(`kind-${kind}`).checked = true;
  showKind();
}

// Puts a message into the composer.
export function compose(kind, text) {
  setKind(kind);
  $('text').value = text;
  $('text').focus();
}

function showKind() {
  const kind = kindNow();
  $('text').hidden = kind === 'file';
  $('file').hidden = kind !== 'file';
  $('text').ariaLabel = kind === 'hex' ? 'Bytes in hex' : 'Message';
  $('text').placeholder = kind === 'hex' ? '48 65 6c 6c 6f' : 'Message';
  complain('');
}

function complain(words) {
  $('send-error').textContent = words;
  if (words) speak(words);
  return false;
}

// ---- Sending. ----

// Sends a message as it is; false, with the reason shown, if that cannot be.
export function sendMessage(data) {
  if (!isOpen()) return complain('Not connected: press Connect first.');
  if (data.length > MESSAGE_BYTES_MAX) return complain(`A message may have ${showSize(MESSAGE_BYTES_MAX)} at most.`);
  if (bufferedBytes() > BUFFERED_BYTES_MAX) return complain('The server does not read: what was sent is still waiting here.');
  transmit(data);
  complain('');
  noteSent(data);
  logMessage('sent', data);
  return true;
}

// What the composer holds, as it will be sent; null, with the reason shown, if it holds nothing.
async function composed() {
  const kind = kindNow(), text = $('text').value;
  if (kind === 'text') {
    if (!$('templates').checked) return text;
    return fillIn(text, isCounted(text) && isOpen() ? ++counter : counter);
  }
  if (kind === 'hex') {
    return parseHex(text) ?? (complain('Hex is made of pairs of the digits 0–9 and a–f.'), null);
  }
  const file = $('file').files[0];
  if (!file) return complain('Choose a file first.'), null;
  if (file.size > MESSAGE_BYTES_MAX) return complain(`A message may have ${showSize(MESSAGE_BYTES_MAX)} at most.`), null;
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    return complain(visible(error.message)), null;
  }
}

async function sendComposed() {
  const data = await composed();
  return data !== null && sendMessage(data);
}

function remember() {
  const entry = { kind: kindNow(), text: $('text').value }, last = past.at(-1);
  const isNew = entry.text !== last?.text || entry.kind !== last?.kind;
  if (entry.kind !== 'file' && entry.text.length <= PAST_CHARACTERS_MAX && isNew) past.push(entry);
  if (past.length > PAST_MAX) past.shift();
  [place, draft] = [past.length, ''];
}

$('send-form').onsubmit = async event => {
  event.preventDefault();
  if (!await sendComposed()) return;
  remember();
  if (kindNow() !== 'file') $('text').select();
};

$('send-form').onchange = event => { if (event.target.name === 'kind') showKind(); };

// ---- Before and after: the arrows, where they do not move within the text. ----

function recall(to) {
  if (place === past.length) draft = $('text').value;
  place = to;
  const { kind, text } = past[to] ?? { kind: kindNow(), text: draft };
  setKind(kind);
  $('text').value = text;
  $('text').setSelectionRange(text.length, text.length);
}

$('text').onkeydown = event => {
  // While an input method composes a character, Enter and the arrows belong to it.
  if (event.isComposing || event.shiftKey) return;
  const { value, selectionStart, selectionEnd } = $('text');
  const whole = selectionStart === 0 && selectionEnd === value.length; // as after sending
  const isFirst = whole || !value.slice(0, selectionStart).includes('\n');
  const isLast = whole || !value.slice(selectionEnd).includes('\n');
  if (event.key === 'Enter') $('send-form').requestSubmit();
  else if (event.key === 'ArrowUp' && isFirst && place > 0) recall(place - 1);
  else if (event.key === 'ArrowDown' && isLast && place < past.length) recall(place + 1);
  else return;
  event.preventDefault();
};

// ---- Again and again. ----

function stopRepeating(words = '') {
  clearInterval(repeating);
  repeating = 0;
  $('repeat').textContent = 'Repeat';
  $('repeat').ariaPressed = 'false';
  if (words) complain(words);
}

$('repeat').onclick = async () => {
  if (repeating) return stopRepeating();
  if (!$('repeat-ms').reportValidity() || !await sendComposed()) return;
  remember();
  repeating = setInterval(async () => { if (!await sendComposed()) stopRepeating(); }, $('repeat-ms').valueAsNumber);
  $('repeat').textContent = 'Stop';
  $('repeat').ariaPressed = 'true';
};
$('repeat-ms').oninput = () => stopRepeating();

connection.addEventListener('open', () => { counter = 0; complain(''); });
connection.addEventListener('closed', () => { if (repeating) stopRepeating('Repeating ended with the connection.'); });

// ---- What the log asks for. ----

$('log').addEventListener('again', ({ detail }) => sendMessage(detail.data));
$('log').addEventListener('edit', ({ detail }) =>
  typeof detail.data === 'string' ? compose('text', detail.data) : compose('hex', hexOf(detail.data)));

// A message came that no burst takes for its own.
export function received(data, now) {
  logMessage('got', data, tripOf(data, now));
}

// ---- Saved messages. ----

const SAVED_MAX = 100;
let saved = [];            // { kind, text }

export const savedMessages = () => saved;

export function setSaved(messages) {
  saved = messages.slice(0, SAVED_MAX);
  drawSaved();
}

function drawSaved() {
  $('saved').replaceChildren();
  $('saved-empty').hidden = saved.length > 0;
  $('saved-count').textContent = saved.length || '';
  saved.forEach((message, at) => {
    const item = part($('saved'), 'li', '', '');
    const use = part(item, 'button', 'use', visible(message.text.slice(0, 200)) || '(empty)');
    use.type = 'button';
    use.onclick = () => compose(message.kind, message.text);
    const drop = part(item, 'button', 'small', '×');
    drop.type = 'button';
    drop.ariaLabel = `Delete ${visible(message.text.slice(0, 40))}`;
    drop.onclick = () => {
      setSaved(saved.filter(other => other !== message));
      ($('saved').children[Math.min(at, saved.length - 1)]?.firstChild ?? $('save')).focus();
      $('saved').dispatchEvent(new Event('input', { bubbles: true }));
    };
  });
}

$('save').onclick = () => {
  if (kindNow() === 'file') return complain('A file cannot be saved.');
  if (saved.length === SAVED_MAX) return complain(`${SAVED_MAX} messages are saved: delete one first.`);
  setSaved([...saved, { kind: kindNow(), text: $('text').value }]);
  speak('Saved');
};

showKind();
