import { $, part, showState } from '../shared/dom.js';
import { linkPages, prefixOf } from '../shared/nav.js';
import { Retry } from '../shared/retry.js';
import { HIDDEN, codePoint, visible } from '../shared/visible.js';

const NOBODY = 'Anonymous'; // the server's name for whoever gave none, so it belongs to nobody

// A name is taken with this key, so that after a broken connection it is ours at once, although the
// server may take the old connection for alive. It lasts as long as the page.
const KEY = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');

let socket = null, whoTimer = 0;
let me = NOBODY;      // what the server last called us
let wish = null;      // the nickname to ask for, again after each reconnection
let crowd = 0;        // how many were here when we last asked
let target = null;    // to whom the next message goes in private; null: everybody

// ---- Text from others. ----

// A message keeps its line breaks, its spaces, and what joins and varies letters and pictures.
const NEEDED = /[\n\t\p{Zs}\u200c\u200d\ufe00-\ufe0f]/u;
const showName = name => visible(typeof name === 'string' ? name.slice(0, 64) : '?');
const showMessage = text => typeof text !== 'string' ? '?'
  : text.slice(0, 16384).replace(HIDDEN, c => NEEDED.test(c) ? c : codePoint(c));

const LOG_MAX = 500, USERS_MAX = 200;

function say(kind, who, message, time) {
  const box = $('log-box'), list = $('log');
  // Follow the newest message, but never pull a reader away from an older one.
  const follow = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const entry = document.createElement('li');
  entry.className = kind;
  if (who) part(entry, 'span', 'who', who);
  const at = new Date(typeof time === 'string' ? time : Date.now());
  const what = () => part(entry, 'span', 'what', message).dir = 'auto';
  if (!who) what(); // a notice and its time share a line
  const clock = part(entry, 'time', '', isNaN(at) ? '' : at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' }));
  if (!isNaN(at)) clock.dateTime = at.toISOString();
  if (who) what();
  list.append(entry);
  while (list.children.length > LOG_MAX) list.firstChild.remove();
  if (follow) box.scrollTop = box.scrollHeight;
}

// ---- The connection. ----

const retry = new Retry(connect, seconds => {
  $('retry').textContent = seconds === null ? '' : `Back in ${seconds} s`;
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
  ws.onopen = () => {
    retry.opened();
    askName();
    askWho();
    showConnection();
  };
  ws.onmessage = event => ws === socket && received(event.data);
  ws.onclose = ({ code, reason }) => {
    if (ws !== socket) return; // we have left for another room
    socket = null;
    setMe(NOBODY);
    showUsers([]);
    say('system', '', `Disconnected, code ${code}${reason ? `: ${visible(reason)}` : ''}`);
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
  old?.close(1000);
  $('log').replaceChildren();
  $('h-room').textContent = room ? `Room ${visible(room)}` : 'The hall';
  document.title = `wsecho · chat${room ? ` · ${visible(room)}` : ''}`;
  $('room').value = room;
  setMe(NOBODY);
  aim(null);
  showUsers([]);
  connect();
}

function showConnection() {
  $('send').disabled = showState(socket) !== 'OPEN';
}

function transmit(object) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(object));
  return true;
}

// ---- What the server says. ----

function received(data) {
  let object;
  try { object = JSON.parse(data); } catch { return; } // an `Echo: …` of text that was not JSON
  if (object === null || typeof object !== 'object') return;
  const { type, username, message, from, to, users, time } = object;
  switch (type) {
    case 'system':
      say('system', '', showMessage(message), time);
      return askWho(); // somebody came, left or changed the name
    case 'chat': return say('chat', showName(username), showMessage(message), time);
    case 'private':
      return say('private', `${showName(from)} → ${showName(to)}, in private`, showMessage(message), time);
    case 'nick':
      $('nick-error').textContent = '';
      if (typeof username !== 'string') return;
      setMe(wish = username);
      return askWho();
    case 'who': return showUsers(Array.isArray(users) ? users.filter(user => typeof user === 'string') : []);
    case 'error':
      if (wish !== null && wish !== me) {
        // Not asked for again: the next reconnection must not repeat a refused wish.
        wish = me === NOBODY ? null : me;
        $('nick-error').textContent = showMessage(message);
      } else {
        say('error', '', showMessage(message), time);
      }
  }
}

function askName() {
  if (wish) transmit({ type: 'nick', username: wish, key: KEY });
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
}

function showUsers(users) {
  crowd = users.length;
  $('here-count').textContent = crowd || '';
  const focused = document.activeElement?.closest?.('#users') && document.activeElement.dataset.name;
  $('users').replaceChildren();
  for (const name of users.slice(0, USERS_MAX)) {
    const item = part($('users'), 'li', '', '');
    if (name === me || name === NOBODY) {
      part(item, 'span', '', showName(name) + (name === me && name !== NOBODY ? ' (you)' : ''));
      continue;
    }
    const button = part(item, 'button', '', showName(name));
    button.type = 'button';
    button.dataset.name = name;
    button.ariaPressed = String(name === target);
    button.onclick = () => { aim(name === target ? null : name); $('text').focus(); };
    if (name === focused) button.focus(); // the list was rebuilt under the keyboard's hands
  }
  if (users.length > USERS_MAX) part($('users'), 'li', 'hint', `and ${users.length - USERS_MAX} more`);
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
  enterRoom();
};

addEventListener('popstate', enterRoom);
enterRoom();
