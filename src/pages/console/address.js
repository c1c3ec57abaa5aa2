// URLs of WebSockets, and which of them are this server's own.

// The server that this page came from, with the path that a proxy serves it under.
const home = new URL('.', location.href);
export const httpHome = home.href;

// Its echo, by TLS if the page came by TLS.
export const echoUrl = new URL('ws', home.href.replace(/^http/, 'ws')).href;

// What is wrong with a URL and, where that can be guessed, the one that was meant; null if it is right.
export function wrongUrl(text) {
  if (text === '') return { why: 'Enter a WebSocket URL, which begins with ws:// or wss://.', meant: echoUrl };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1].toLowerCase();
  const why = 'A WebSocket URL begins with ws:// or wss://.';
  if (!scheme) return { why, meant: guess(`ws://${text.replace(/^\/+/, '')}`) };
  if (scheme === 'http' || scheme === 'https') return { why, meant: guess(text.replace(/^http/i, 'ws')) };
  if (scheme !== 'ws' && scheme !== 'wss') return { why, meant: null };
  const valid = guess(text);
  if (!valid) return { why: 'This is not a valid URL.', meant: null };
  if (text.includes('#')) return { why: 'A WebSocket URL has no fragment (#…).', meant: text.split('#')[0] };
  return null;
}

const guess = text => URL.canParse(text) ? text : null;

const isOwn = url => url.host === location.host && url.pathname.startsWith(home.pathname);

// Rooms and other services of this server, where a message may come from somebody else.
const SERVICES = /^(chat|draw|broadcast|status)(\/|$)/;

// Is this an echo of ours, where every message is a reply? For a server that we do not know: null.
export function isEcho(text) {
  const url = new URL(text);
  return isOwn(url) ? !SERVICES.test(url.pathname.slice(home.pathname.length)) : null;
}

const BROWSER_IS_SILENT = 'Browsers do not tell pages why.';

// Why a connection could not be opened, as far as that can be found out: this server answers a plain
// request for a path of a WebSocket as it would answer the handshake. `reachable` if it does so.
export async function whyFailed(text) {
  const url = new URL(text);
  const told = (why, reachable = false) => ({ why, reachable });
  if (location.protocol === 'https:' && url.protocol === 'ws:') {
    return told('A page that came by TLS may only use wss:// URLs.');
  }
  if (!isOwn(url)) return told(`${BROWSER_IS_SILENT} Is the server running, is the path right, and may this page connect to it?`);
  const path = url.pathname.slice(home.pathname.length);
  const asked = new URL((SERVICES.test(path) ? path : 'ws') + url.search, home);
  let answer;
  try {
    answer = await fetch(asked, { cache: 'no-store' });
  } catch {
    return told(`Nothing answers at ${url.host}: the server is down, or the network to it is.`);
  }
  const UPGRADE_REQUIRED = 426;
  if (answer.ok || answer.status === UPGRADE_REQUIRED) {
    return told('Plain requests are answered there, so the handshake was refused for its origin (see --origin), or cut off on its way. The log of the server (-v) has the reason.', true);
  }
  const reason = (await answer.text()).slice(0, 200).trim();
  return told(`The server refused the handshake with ${answer.status} ${answer.statusText}: ${reason}`);
}
