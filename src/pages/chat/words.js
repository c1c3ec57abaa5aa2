import { HIDDEN, codePoint, visible } from '../shared/visible.js';

export const NOBODY = 'Anonymous'; // the server's name for whoever gave none, so it belongs to nobody

// A message keeps its line breaks, its spaces, and what joins and varies letters and pictures.
const NEEDED = /[\n\t\p{Zs}\u200c\u200d\ufe00-\ufe0f]/u;

export const showName = name => visible(typeof name === 'string' ? name.slice(0, 64) : '?');
export const showMessage = text => typeof text !== 'string' ? '?'
  : text.slice(0, 16384).replace(HIDDEN, c => NEEDED.test(c) ? c : codePoint(c));

// The server counts in a way that fits all numbers; a reader sees one user, or several.
export const people = count => `${count} ${count === 1 ? 'user' : 'users'}`;
export const inWords = notice => notice.replace(/(\d+) user\(s\)/g, (_, count) => people(Number(count)));

// What the server makes of a message before it passes it on: without controls.
export const cleaned = text => text.replace(/[^\P{Cc}\n\t]/gu, '');

// Each name has a hue; how light and how strong a colour is, the style sheet says for all alike, so
// that each of them can be read.
export function hueOf(name) {
  let hash = 0;
  for (const c of name.toLowerCase()) hash = Math.imul(hash, 31) + c.codePointAt(0) | 0;
  // Steps of 24 degrees: neighbours can be told apart.
  return (hash >>> 0) % 15 * 24;
}

const BEHIND_ADDRESS = `.,;:!?'’”`;

// Where a message has links, as [from, to, address]. What stands behind an address in a sentence is
// not part of it, and one with a user name shows another host than it leads to.
export function linksIn(text) {
  const links = [];
  for (const found of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
    // From its end, for an expression would begin at each of many full stops anew.
    let end = found[0].length;
    while (BEHIND_ADDRESS.includes(found[0][end - 1])) end -= 1;
    let shown = found[0].slice(0, end);
    if (shown.endsWith(')') && !shown.includes('(')) shown = shown.slice(0, -1);
    let url;
    try { url = new URL(shown); } catch { continue; }
    const plain = /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
    if (plain && !shown.includes('[U+')) links.push([found.index, found.index + shown.length, url.href]);
  }
  return links;
}
