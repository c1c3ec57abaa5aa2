import { part } from '../shared/dom.js';
import { visible } from '../shared/visible.js';
import { showCount } from './bytes.js';

// A tree of JSON that is built where it is opened, so that its size does not matter.

const CHILDREN_SHOWN = 100, VALUE_SHOWN = 10_000;

// A number as it was written: 12345678901234567890 is none that JavaScript has.
class Written {
  constructor(source) { this.source = source; }
}

// The value of a JSON text with an object or an array at its top, or undefined.
export function parseJson(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  const keep = (key, value, context) =>
    typeof value === 'number' && context?.source ? new Written(context.source) : value;
  try { return JSON.parse(text, keep); } catch { return undefined; }
}

const isTree = value => value !== null && typeof value === 'object' && !(value instanceof Written);

const kindOf = value => value instanceof Written ? 'number' : value === null ? 'null' : typeof value;

const leafText = value => value instanceof Written ? value.source
  : typeof value === 'string' ? visible(JSON.stringify(value.slice(0, VALUE_SHOWN))) : String(value);

// Appends `value` to `list`, under its name in its parent if it has one.
export function showTree(list, value, name, open = false) {
  const item = part(list, 'li', '', '');
  const label = parent => {
    if (name !== undefined) part(parent, 'span', 'key', `${visible(name)}: `);
  };
  if (!isTree(value)) {
    label(item);
    return part(item, 'span', `value ${kindOf(value)}`, leafText(value));
  }
  const isArray = Array.isArray(value), keys = Object.keys(value);
  const branch = part(item, 'details', '', ''), head = part(branch, 'summary', '', '');
  label(head);
  const count = `${showCount(keys.length)} ${isArray ? 'item' : 'field'}${keys.length === 1 ? '' : 's'}`;
  part(head, 'span', 'size', isArray ? `[ ${count} ]` : `{ ${count} }`);
  const children = part(branch, 'ul', 'tree', '');
  let shown = 0;
  const more = () => {
    const end = Math.min(keys.length, shown + CHILDREN_SHOWN);
    for (; shown < end; shown++) showTree(children, value[keys[shown]], keys[shown]);
    if (shown === keys.length) return;
    const last = part(children, 'li', '', ''), button = part(last, 'button', '', `Show more of ${showCount(keys.length - shown)}`);
    button.type = 'button';
    button.onclick = () => { last.remove(); more(); head.focus(); };
  };
  branch.ontoggle = () => { if (branch.open && shown === 0) more(); };
  branch.open = open;
}
