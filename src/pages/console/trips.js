import { $ } from '../shared/dom.js';
import { isEcho } from './address.js';
import { sameBytes, showCount, showMs } from './bytes.js';
import { connection, isOpen, traffic, urlNow } from './connection.js';
import { Column, drawPlot } from './plot.js';

// Round trips: what was sent and comes back. A message that somebody else sent is no reply, so only a
// message that says the same as one of ours is taken for one; in a room of this server, none is.

const UNANSWERED_MAX = 4096, UNANSWERED_BYTES_MAX = 16 << 20; // a peer that never answers must not grow it
const TRIPS_SHOWN = 60, TICK_MS = 1000;

let unanswered = [];   // { data, at }, oldest first
let unansweredBytes = 0;
let isReply = null;    // (data, sent) => is this the reply to that?; null: there are no replies here
let strict = false;    // a server that we do not know: one message that is no reply shows that others speak there
let trips = [];        // the last round trips, in ms
let before = { ...traffic };

const isSame = (data, sent) => typeof data === typeof sent
  && (typeof data === 'string' ? data === sent : sameBytes(data, sent));

// A reply of the form that `reply=` asks for contains what it replies to.
const contains = (data, sent) => isSame(data, sent)
  || typeof data === 'string' && typeof sent === 'string' && sent !== '' && data.includes(sent);

connection.addEventListener('open', () => {
  const url = new URL(urlNow()), echo = isEcho(urlNow());
  strict = echo === null;
  isReply = echo === false ? null : echo && url.searchParams.has('reply') ? contains : isSame;
  [unanswered, unansweredBytes, trips] = [[], 0, []];
  drawTrips();
});

export function noteSent(data) {
  if (!isReply) return;
  unanswered.push({ data, at: performance.now() });
  unansweredBytes += data.length;
  while (unanswered.length > UNANSWERED_MAX || unansweredBytes > UNANSWERED_BYTES_MAX) settle(1);
}

function settle(count) {
  for (const { data } of unanswered.splice(0, count)) unansweredBytes -= data.length;
}

// The round trip that ends with this message, in ms, or undefined. Replies come in order, so what is
// older than the message that this answers will not be answered any more.
export function tripOf(data, now) {
  if (!isReply || unanswered.length === 0) return undefined;
  const at = unanswered.findIndex(sent => isReply(data, sent.data));
  if (at < 0) {
    if (strict) isReply = null;
    return undefined;
  }
  const ms = now - unanswered[at].at;
  settle(at + 1);
  trips.push(ms);
  if (trips.length > TRIPS_SHOWN) trips.shift();
  return ms;
}

// ---- Live, once a second. ----

export function drawTrips() {
  drawPlot($('spark'), trips.map(ms => new Column(ms)), Math.max(trips.length, TRIPS_SHOWN / 3));
  const sorted = [...trips].sort((a, b) => a - b);
  $('trips').textContent = sorted.length ? `${showMs(sorted[sorted.length >> 1])} median` : '';
  $('spark').ariaLabel = sorted.length
    ? `Last ${sorted.length} round trips: median ${showMs(sorted[sorted.length >> 1])}, slowest ${showMs(sorted.at(-1))}`
    : 'Round trips, none yet';
}

setInterval(() => {
  const sent = traffic.sent - before.sent, got = traffic.got - before.got;
  before = { ...traffic };
  $('rate').textContent = isOpen() || sent || got ? `↑ ${showCount(sent)}/s ↓ ${showCount(got)}/s` : '';
  if (got) drawTrips();
}, TICK_MS);
