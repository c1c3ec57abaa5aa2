const RETRY_FIRST_MS = 500, RETRY_MAX_MS = 30000, STEADY_MS = 5000;

// When to connect again. The wait doubles up to a bound, and half of it is left to chance: clients
// that lost the same server must not all come back at the same moment.
export class Retry {
  attempts = 0;
  #timer = 0;
  #steady = 0;
  #connect;
  #tell;

  // `tell` is called once a second with the seconds that are left, and with null when they are over.
  constructor(connect, tell) {
    this.#connect = connect;
    this.#tell = tell;
  }

  // Only a connection that lasts proves the server well; one that opens and dies keeps backing off.
  opened() {
    this.#steady = setTimeout(() => { this.attempts = 0; }, STEADY_MS);
  }

  // The connection has ended, or could not be opened: connect again, later.
  later() {
    this.pause();
    const bound = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.attempts++, 16));
    const due = performance.now() + bound * (0.5 + Math.random() / 2);
    const wait = () => {
      const left = due - performance.now();
      if (left <= 0) {
        this.#tell(null);
        return this.#connect();
      }
      this.#tell(Math.ceil(left / 1000));
      this.#timer = setTimeout(wait, Math.min(left, 1000));
    };
    wait();
  }

  // Nothing happens by itself any more, but the next wait is as long as it would have been.
  pause() {
    clearTimeout(this.#timer);
    clearTimeout(this.#steady);
    this.#tell(null);
  }

  // Nothing happens by itself any more, and what was is forgotten.
  stop() {
    this.pause();
    this.attempts = 0;
  }
}
