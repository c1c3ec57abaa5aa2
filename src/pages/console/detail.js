import { part } from '../shared/dom.js';
import { copyBy } from '../shared/copy.js';
import { HIDDEN, codePoint } from '../shared/visible.js';
import { encode, hexDump, hexOf, showCount, showMs, showSize } from './bytes.js';
import { parseJson, showTree } from './json.js';

// A whole message, opened: as a tree if it is JSON, as text, and as bytes. Long ones come in pieces.

const TEXT_PIECE = 65_536, HEX_PIECE = 4096;

// A text keeps its lines and tabs; what else cannot be seen is shown as its code point.
const showWhole = text => text.replace(HIDDEN, c => c === '\n' || c === '\t' ? c : codePoint(c));

const bytesOf = entry => typeof entry.data === 'string' ? encode(entry.data) : entry.data;

function showPieces(view, length, piece, render) {
  const text = part(view, 'pre', '', '');
  let shown = 0;
  const more = () => {
    text.append(document.createTextNode((shown ? '\n' : '') + render(shown, piece)));
    shown += piece;
    if (shown >= length) return;
    const button = part(view, 'button', 'small', `Show more of ${showCount(length - shown)}`);
    button.type = 'button';
    button.onclick = () => { button.remove(); view.focus(); more(); };
  };
  more();
}

const VIEWS = {
  JSON(view, entry, value) {
    showTree(part(view, 'ul', 'tree', ''), value, undefined, true);
  },
  Text(view, entry) {
    const { data } = entry;
    showPieces(view, data.length, TEXT_PIECE, (start, length) => showWhole(data.slice(start, start + length)));
  },
  Hex(view, entry) {
    const bytes = bytesOf(entry);
    showPieces(view, bytes.length, HEX_PIECE, (start, length) => hexDump(bytes, start, length));
  },
};

// Fills `box` with an opened message. What is to be done with the message is an event of its row.
export function showDetail(box, entry) {
  const isText = typeof entry.data === 'string';
  const value = isText ? parseJson(entry.data) : undefined;
  const bar = part(box, 'div', 'bar', '');
  const view = document.createElement('div');
  view.className = 'view';
  view.tabIndex = 0;
  view.role = 'region';
  const choices = part(bar, 'div', 'choices', '');
  const names = [value !== undefined && 'JSON', isText && 'Text', 'Hex'].filter(Boolean);
  const choose = name => {
    view.replaceChildren();
    view.ariaLabel = `Message as ${name}`;
    for (const button of choices.children) button.ariaPressed = String(button.textContent === name);
    VIEWS[name](view, entry, value);
  };
  for (const name of names) action(choices, name, () => choose(name));
  action(bar, 'Copy', event => copyBy(event.target, isText ? entry.data : hexOf(entry.data)));
  for (const [name, event] of [['Edit', 'edit'], ['Send again', 'again']]) {
    action(bar, name, () => box.dispatchEvent(new CustomEvent(event, { bubbles: true, detail: entry })));
  }
  const facts = [entry.at.toISOString().replace('T', ' '), isText ? 'text' : 'binary', showSize(entry.size)];
  if (isText && entry.data.length !== entry.size) facts.push(`${showCount(entry.data.length)} characters`);
  if (entry.ms !== undefined) facts.push(`round trip ${showMs(entry.ms)}`);
  part(bar, 'span', 'facts', facts.join(' · '));
  box.append(view);
  choose(names[0]);
}

function action(parent, name, act) {
  const button = part(parent, 'button', 'small', name);
  button.type = 'button';
  button.onclick = act;
}
