import { cleaned } from './words.js';

// What was sent and not answered yet. The server answers in the order of sending: an answer to
// something tells that whatever was sent before it has been lost, and an error is about the first.
// What is lost is given back to whoever wrote it.
const LOST_AFTER_MS = 3000;

export class Outbox {
  #waiting = [];
  #timer = 0;
  #giveBack;

  // `giveBack` is called with the requests that were lost.
  constructor(giveBack) {
    this.#giveBack = giveBack;
  }

  // `request`: a message for the server, as an object.
  sent(request) {
    this.#waiting.push(request);
  }

  // An answer has come that only a request like this can have. False if there was none.
  answered(kind, message) {
    const is = ({ type = 'chat', message: text }) =>
      type === kind && (message === undefined || cleaned(text) === message);
    const at = this.#waiting.findIndex(is);
    if (at >= 0) this.#lose(this.#waiting.splice(0, at + 1).slice(0, -1));
    return at >= 0;
  }

  // The first request was refused: it is taken out. Those behind it may have been lost without a
  // word; if nothing comes back for a while, they were.
  refused() {
    const first = this.#waiting.shift();
    clearTimeout(this.#timer);
    const behind = [...this.#waiting];
    this.#timer = setTimeout(() => {
      const lost = this.#waiting.filter(request => behind.includes(request));
      this.#waiting = this.#waiting.filter(request => !behind.includes(request));
      this.#lose(lost);
    }, LOST_AFTER_MS);
    return first;
  }

  // The connection has ended.
  ended() {
    clearTimeout(this.#timer);
    this.#lose(this.#waiting.splice(0));
  }

  #lose(requests) {
    if (requests.length) this.#giveBack(requests);
  }
}
