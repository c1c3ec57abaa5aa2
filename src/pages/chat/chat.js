import { $, part, showState } from '../shared/dom.js';
import { copyBy } from '../shared/copy.js';
import { linkPages, prefixOf } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';
import { speak } from '../shared/speak.js';
import { visible } from '../shared/visible.js';
import { divide, emptyLog, say, setTitle } from './log.js';
import { Outbox } from './outbox.js';
import { NOBODY, hueOf, inWords, people, showMessage, showName } from './words.js';

// A name is taken with this key, so that after a broken connection it is ours at once, although the
// server may take the old connection for alive. It lasts as long as the page.
const KEY = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
const TAKEN_OVER = 'your name was taken over with its key';
const NOT_HERE = 'nobody here has that name';
const USERS_MAX = 200;
const REPLAYED_MAX = 1000;  // no server keeps more of a room

let socket = null, whoTimer = 0;
let me = NOBODY;            // what the server last called us
let wish = remembered();    // the nickname to ask for, again after each reconnection
let asked = false;          // whether the wish waits for its answer
let crowd = 0;              // how many were here when we last asked
let target = null;          // to whom the next message goes in private; null: everybody
let shown = new Set();      // what stands in the log: it may be replayed after a reconnection
let replaying = 0;          // how many messages from before are still to come
let news = 0;               // how many of them had not been seen
let was = false;            // whether this room has been open since we entered it

// ---- The connection. ----

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `Trying again in ${seconds} s`;
});

const outbox = new Outbox(lost => {
  if (giveBack(lost)) speak('What was not sent is back in the field.');
});

// One room for each path: the hall is /chat, the kitchen /chat/kitchen. What stands before that belongs
// to a proxy, and the links must have it too.
linkPages('/chat');
const prefix = prefixOf('/chat');
const hall = prefix === null ? location.pathname.replace(/\/+$/, '') : `${prefix}/chat`;

const pathOf = room => room ? `${hall}/${encodeURIComponent(room)}` : hall;

// A name that is no UTF-8 stays as it stands in the path.
function roomName() {
  const segment = location.pathname.slice(hall.length + 1).replace(/\/$/, '');
  try { return decodeURIComponent(segment); } catch { return segment; }
}

// Rooms used to be fragments (#kitchen), or ?room=kitchen; and one room has one path only.
function settlePath() {
  const fragment = location.hash.slice(1) || new URLSearchParams(location.search).get('room');
  let room = roomName();
  if (fragment) {
    try { room = decodeURIComponent(fragment); } catch { room = fragment; }
  }
  if (pathOf(room) !== location.pathname + location.search + location.hash) history.replaceState(null, '', pathOf(room));
}

function connect() {
  retry.pause();
  // Where this page is; TLS if the page came by TLS.
  const ws = socket = new WebSocket(location.origin.replace(/^http/, 'ws') + location.pathname);
  let opened = false;
  ws.onopen = () => {
    opened = true;
    retry.opened();
    askName();
    askWho();
    if (was) speak('Connected again.');
    was = true;
    showConnection();
  };
  ws.onmessage = event => ws === socket && received(event.data);
  ws.onclose = ({ code, reason }) => {
    if (ws !== socket) return; // we have left for another room
    socket = null;
    asked = false;
    if (reason === TAKEN_OVER) forget(); // by another window of ours: it shall keep it
    setMe(NOBODY);
    showUsers([], 0);
    replaying = 0;
    outbox.ended();
    // Told once, however often the server cannot be reached afterwards.
    if (opened) say('system', `Disconnected, code ${code}${reason ? `: ${visible(reason)}` : ''}`);
    if (opened) speak('The connection is lost. Trying again.');
    retry.later();
    showConnection();
  };
  showConnection();
}

function enterRoom() {
  settlePath();
  const old = socket, room = roomName();
  socket = null;
  retry.stop();
  was = false;
  shown = new Set();
  old?.close(1000);
  emptyLog();
  $('h-room').textContent = room ? `Room ${visible(room)}` : 'The hall';
  setTitle(`${room ? visible(room) : 'The hall'} · wsecho chat`);
  $('room').value = room;
  setMe(NOBODY);
  aim(null);
  showUsers([], 0);
  connect();
}

function showConnection() {
  $('send').disabled = showState(socket) !== 'OPEN';
}

function transmit(object) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(object));
  outbox.sent(object);
  return true;
}

// ---- What the server says. ----

function received(data) {
  let object;
  try { object = JSON.parse(data); } catch { return; } // an `Echo: …` of text that was not JSON
  if (object === null || typeof object !== 'object') return;
  const { type, username, message, count, from, to, users, time } = object;
  switch (type) {
    case 'system':
      say('system', inWords(showMessage(message)), { time });
      return askWho(); // somebody came, left or changed the name
    case 'history': return beginReplay(count);
    case 'chat': return hearChat(username, message, time);
    case 'private':
      if (from === me) outbox.answered('private', message);
      return say('private', showMessage(message), {
        who: from === me ? `To ${showName(to)}, in private` : `${showName(from)}, in private`,
        name: showName(from), time, own: from === me,
      });
    case 'nick':
      outbox.answered('nick');
      asked = false;
      $('nick-error').textContent = '';
      if (typeof username !== 'string') return;
      setMe(wish = username);
      remember(username);
      return askWho();
    case 'who':
      outbox.answered('who');
      return showUsers(Array.isArray(users) ? users.filter(user => typeof user === 'string') : [], count);
    case 'error': return hearError(showMessage(message), time);
  }
}

// The next messages are from before we came. They are shown, and not read out one by one.
function beginReplay(count) {
  if (!Number.isSafeInteger(count) || count < 1) return;
  replaying = count;
  news = 0;
  $('log-box').ariaLive = 'off';
}

function hearChat(username, message, time) {
  const replayed = replaying > 0;
  const key = JSON.stringify([username, message, time]);
  // Many may be anonymous: then it is ours if we have sent such a message.
  const sent = !replayed && username === me && outbox.answered('chat', message);
  if (!replayed || !shown.has(key)) {
    if (replayed && news++ === 0) divide('Earlier');
    shown.add(key);
    if (shown.size > REPLAYED_MAX) shown.delete(shown.values().next().value);
    const name = showName(username), own = sent || !replayed && username === me && me !== NOBODY;
    say('chat', showMessage(message), { who: name, name, time, own, replayed });
  }
  if (replayed && --replaying === 0) {
    if (news) divide('Now');
    // Once this has been painted.
    setTimeout(() => { $('log-box').ariaLive = 'polite'; }, 500);
  }
}

function hearError(message, time) {
  const refused = outbox.refused();
  if (refused?.type === 'nick' || !refused && asked) {
    // Not asked for again: the next reconnection must not repeat a refused wish.
    asked = false;
    wish = me === NOBODY ? null : me;
    $('nick-error').textContent = message;
    return;
  }
  if (refused?.type === 'who') return askWho();
  if (refused) giveBack([refused]);
  if (refused?.type === 'private' && message === NOT_HERE) {
    if (target === refused.to) aim(null);
    message = `${showName(refused.to)} is not here any more. Your message is back in the field, and would now go to everybody.`;
  } else if (refused) {
    message = `Not sent: ${message}. Your message is back in the field.`;
  }
  say('error', message, { time });
}

// What could not be sent stands in the field again, before what has been written since. False if
// nothing of it was written by a person.
function giveBack(requests) {
  const texts = requests.map(request => request.message).filter(text => text);
  const field = $('text');
  field.value = [...texts, field.value].filter(text => text).join('\n');
  return texts.length > 0;
}

function askName() {
  if (wish) asked = transmit({ type: 'nick', username: wish, key: KEY });
}

// A crowd that arrives together is asked for once, and everybody in a crowd asks at another moment.
function askWho() {
  whoTimer ||= setTimeout(() => {
    whoTimer = 0;
    transmit({ type: 'who' });
  }, 200 + Math.random() * 5 * crowd);
}

function setMe(name) {
  me = name;
  $('me').textContent = showName(name);
  if (name !== NOBODY) $('nick').value = name;
}

// The name of the last visit is asked for at the next one. Where nothing may be stored, it is not.
function remembered() {
  try { return localStorage.getItem('wsecho-nick') || null; } catch { return null; }
}

function remember(name) {
  try { localStorage.setItem('wsecho-nick', name); } catch { /* it lasts as long as the page */ }
}

// By this window only: another one has it.
function forget() {
  wish = null;
  $('nick-error').textContent = 'Another window has your name.';
}

function showUsers(users, count) {
  crowd = Number.isSafeInteger(count) ? count : users.length;
  $('here-count').textContent = crowd ? people(crowd) : '';
  $('people').textContent = crowd ? `People (${crowd})` : 'People';
  const focused = document.activeElement?.closest?.('#users') && document.activeElement.dataset.name;
  $('users').replaceChildren();
  for (const name of users.slice(0, USERS_MAX)) {
    const item = part($('users'), 'li', '', '');
    item.style.setProperty('--hue', hueOf(showName(name)));
    if (name === me || name === NOBODY) {
      part(item, 'span', '', showName(name) + (name === me && name !== NOBODY ? ' (you)' : ''));
      continue;
    }
    const button = part(item, 'button', '', showName(name));
    button.type = 'button';
    button.dataset.name = name;
    button.ariaPressed = String(name === target);
    button.title = 'Write in private';
    button.onclick = () => { aim(name === target ? null : name); showSide(false); $('text').focus(); };
    if (name === focused) button.focus(); // the list was rebuilt under the keyboard's hands
  }
  if (crowd > USERS_MAX) part($('users'), 'li', 'hint', `and ${crowd - USERS_MAX} more`);
}

function aim(name) {
  target = name;
  $('target').hidden = name === null;
  $('target-name').textContent = name === null ? '' : `In private to ${showName(name)}`;
  for (const button of $('users').querySelectorAll('button')) button.ariaPressed = String(button.dataset.name === name);
}

// ---- What the person does. ----

$('send-form').onsubmit = event => {
  event.preventDefault();
  const message = $('text').value;
  if (!message.trim()) return;
  const sent = target === null
    ? transmit({ message })
    : transmit({ type: 'private', to: target, message });
  if (sent) $('text').value = ''; // what could not be sent stays for later
};

$('text').onkeydown = event => {
  if (event.key === 'Escape') return aim(null);
  // While an input method composes a character, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('send-form').requestSubmit();
};

$('target-clear').onclick = () => { aim(null); $('text').focus(); };

$('nick-form').onsubmit = event => {
  event.preventDefault();
  wish = $('nick').value.trim();
  $('nick-error').textContent = '';
  askName();
};

$('room').oninput = () => {
  // A browser would take these for a step in the path, however they are written.
  $('room').setCustomValidity(/^\s*\.\.?\s*$/.test($('room').value) ? 'No room can have this name.' : '');
};

$('room-form').onsubmit = event => {
  event.preventDefault();
  history.pushState(null, '', pathOf($('room').value.trim()));
  showSide(false);
  enterRoom();
};

// On a phone the people are behind a button.
function showSide(open) {
  $('side').classList.toggle('open', open);
  $('people').ariaExpanded = String(open);
}

$('side').onkeydown = event => {
  if (event.key !== 'Escape' || !$('side').classList.contains('open')) return;
  showSide(false);
  $('people').focus();
};

$('people').onclick = () => showSide($('people').ariaExpanded !== 'true');
$('copy').onclick = () => copyBy($('copy'), location.origin + pathOf(roomName()));

addEventListener('popstate', enterRoom);
enterRoom();
