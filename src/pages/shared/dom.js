export const $ = id => document.getElementById(id);

// A new element in `parent` that shows `text`: as text, whatever is in it.
export function part(parent, tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

export const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];

// The state of a socket, or of none; the pill is touched only if that has changed, for it is spoken.
export function showState(socket) {
  const state = STATES[socket ? socket.readyState : WebSocket.CLOSED];
  if ($('state').dataset.state !== state) $('state').textContent = $('state').dataset.state = state;
  return state;
}
