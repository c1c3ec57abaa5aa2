import { httpHome } from './address.js';

// What carries messages where WebSocket does not get through: plain requests to the echo of the server
// that this page came from. Each is used as a WebSocket is: readyState, send, close, onopen, onmessage,
// onclose.

export const CARRIERS = {
  ws: { words: 'WebSocket', blocked: 'WebSocket does not get through.', next: 'sse' },
  sse: { words: 'server-sent events', blocked: 'Server-sent events do not get through.', next: 'poll' },
  poll: { words: 'long polling' },
  post: { words: 'one request for each message' },
};

// A stream that something in between keeps to itself says nothing for as long as this.
const OPEN_MS = 4000;
const RETRY_MS = 1000, TOO_MANY = 429, NOTHING = 204, MISDIRECTED = 421, TRIES_MAX = 100;
const CODES = { 400: 1007, 413: 1009, 503: 1013 };

const fromBase64 = base64 => Uint8Array.from(atob(base64), character => character.charCodeAt(0)).buffer;
const rest = ms => new Promise(resolve => { setTimeout(resolve, ms); });

class Carrier {
  readyState = WebSocket.CONNECTING;
  protocol = '';
  extensions = '';
  bufferedAmount = 0;
  #gone = new AbortController();
  #sent = Promise.resolve();

  constructor(url) {
    this.url = url;
  }

  begin() {
    setTimeout(() => this.readyState === WebSocket.CONNECTING && this.ended(1006), OPEN_MS);
    this.start().catch(() => this.ended(1006));
    return this;
  }

  // Asks for something below the page's own path. Of several workers one has the mailbox, and each connection gets
  // to any of them.
  async ask(where, options = {}) {
    for (let tries = 1; ; tries++) {
      const answer = await fetch(new URL(where, httpHome), { cache: 'no-store', signal: this.#gone.signal, ...options });
      if (answer.status !== MISDIRECTED || tries === TRIES_MAX) return answer;
    }
  }

  // One after the other: a server may answer in any order what reaches it on several connections.
  send(data) {
    const length = typeof data === 'string' ? data.length : data.byteLength;
    this.bufferedAmount += length;
    this.#sent = this.#sent.then(async () => {
      await this.deliver(data);
      this.bufferedAmount -= length;
    }).catch(() => this.ended(1006));
  }

  async deliver(data) {
    const kind = typeof data === 'string' ? 'text/plain' : 'application/octet-stream';
    const options = { method: 'POST', body: data, headers: { 'Content-Type': kind } };
    for (;;) {
      const answer = await this.ask(this.mailbox, options);
      if (answer.ok) return this.answered(answer, typeof data === 'string');
      if (answer.status !== TOO_MANY) return this.ended(CODES[answer.status] ?? 1006, (await answer.text()).trim());
      await rest(RETRY_MS);
    }
  }

  // What a message was answered with is of no interest where it comes back another way.
  async answered() {}

  opened(mailbox) {
    if (this.readyState !== WebSocket.CONNECTING) return;
    this.mailbox = mailbox;
    this.readyState = WebSocket.OPEN;
    this.onopen();
  }

  arrived(data) {
    if (this.readyState === WebSocket.OPEN) this.onmessage({ data });
  }

  close(code = 1000, reason = '') {
    this.ended(code, reason, true);
  }

  // Told later, as the browser tells of a WebSocket.
  ended(code, reason = '', wasClean = false) {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.#gone.abort();
    this.stop();
    setTimeout(() => this.onclose({ code, reason, wasClean }));
  }

  stop() {}
}

class Stream extends Carrier {
  #source = null;

  async start() {
    const source = this.#source = new EventSource(new URL('sse', httpHome));
    source.addEventListener('mailbox', ({ data }) => this.opened(data));
    source.onmessage = ({ data }) => this.arrived(data);
    source.addEventListener('text', ({ data }) => this.arrived(new TextDecoder().decode(fromBase64(data))));
    source.addEventListener('binary', ({ data }) => this.arrived(fromBase64(data)));
    source.addEventListener('close', ({ data }) => this.ended(1001, data, true));
    // It would connect again by itself, to another mailbox.
    source.onerror = () => this.ended(1006);
  }

  stop() {
    this.#source?.close();
  }
}

async function dataOf(answer) {
  const isText = answer.headers.get('Content-Type')?.startsWith('text/');
  return isText ? answer.text() : answer.arrayBuffer();
}

class Polls extends Carrier {
  async start() {
    const answer = await this.ask('poll');
    if (!answer.ok) return this.ended(1006);
    this.opened((await answer.text()).trim());
    while (this.readyState === WebSocket.OPEN) {
      const next = await this.ask(this.mailbox);
      if (!next.ok) return this.ended(CODES[next.status] ?? 1006, (await next.text()).trim());
      if (next.status !== NOTHING) this.arrived(await dataOf(next));
    }
  }
}

class Posts extends Carrier {
  async start() {
    const answer = await this.ask('echo', { method: 'POST' });
    if (answer.ok) this.opened('echo');
    else this.ended(1006);
  }

  async answered(answer, isText) {
    this.arrived(await (isText ? answer.text() : answer.arrayBuffer()));
  }
}

// A connection by this carrier; throws what is wrong with a URL, as a WebSocket does.
export function carry(carrier, url, protocols) {
  if (carrier === 'ws') return new WebSocket(url, protocols);
  const kinds = { sse: Stream, poll: Polls, post: Posts };
  return new kinds[carrier](new URL(url).href).begin();
}
