import { $, part } from '../shared/dom.js';
import { hueOf, linksIn } from './words.js';

const LOG_MAX = 500;
// Messages of one speaker stand together if no more than this lies between them.
const GROUP_MS = 5 * 60_000;

let speaker = null;   // who spoke last, and when: what follows at once needs no name
let unread = 0;       // messages that came while nobody was looking
let title = '';

// `kind`: chat, private, system or error. `own` stands apart, `replayed` was said before we came.
export function say(kind, message, { who = '', name = '', time, own = false, replayed = false } = {}) {
  const box = $('log-box'), list = $('log');
  // Follow the newest message, but never pull a reader away from an older one.
  const follow = own || atEnd();
  const at = new Date(typeof time === 'string' ? time : Date.now());
  const entry = document.createElement('li');
  entry.className = kind;
  entry.classList.toggle('own', own);
  entry.classList.toggle('replayed', replayed);
  const key = `${kind} ${own} ${replayed} ${who}`;
  const goes = speaker?.key === key && at - speaker.at < GROUP_MS;
  speaker = who ? { key, at } : null;
  if (who) {
    const label = part(entry, 'span', goes ? 'who unseen' : 'who', who);
    entry.style.setProperty('--hue', hueOf(name));
    entry.classList.toggle('more', goes);
    label.dir = 'auto';
  }
  const what = part(entry, 'span', 'what', '');
  what.dir = 'auto';
  showText(what, message, who !== '');
  const clock = part(entry, 'time', '', isNaN(at) ? '' : clockOf(at));
  if (!isNaN(at)) clock.dateTime = at.toISOString();
  list.append(entry);
  while (list.children.length > LOG_MAX) list.firstChild.remove();
  if (follow) box.scrollTop = box.scrollHeight;
  if (who && !own && !replayed && (document.hidden || !follow)) count(unread + 1);
  return entry;
}

// A line between what was said before and what is said now.
export function divide(text) {
  speaker = null;
  part($('log'), 'li', 'divider', text);
}

export function emptyLog() {
  speaker = null;
  $('log').replaceChildren();
  count(0);
}

// What of a room stands in the title of the window, behind how much nobody has read yet.
export function setTitle(text) {
  title = text;
  count(unread);
}

const clockOf = at => {
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const today = at.toDateString() === new Date().toDateString();
  return today ? time : `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}, ${time}`;
};

// Text is text, and a link in it is a link that says where it leads.
function showText(element, text, withLinks) {
  let end = 0;
  for (const [from, to, address] of withLinks ? linksIn(text) : []) {
    element.append(text.slice(end, from));
    const link = part(element, 'a', '', text.slice(from, to));
    link.href = address;
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    end = to;
  }
  element.append(text.slice(end));
}

function atEnd() {
  const box = $('log-box');
  return box.scrollHeight - box.scrollTop - box.clientHeight < 60;
}

function count(messages) {
  unread = messages;
  document.title = unread ? `(${unread}) ${title}` : title;
  $('newer').hidden = unread === 0 || atEnd();
  $('newer').textContent = `${unread} new ${unread === 1 ? 'message' : 'messages'}`;
}

const look = () => { if (!document.hidden && atEnd() && unread) count(0); };

$('log-box').onscroll = look;
document.addEventListener('visibilitychange', look);
$('newer').onclick = () => {
  const box = $('log-box');
  box.scrollTop = box.scrollHeight;
  count(0);
  $('text').focus();
};
