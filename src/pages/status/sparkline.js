const SAMPLES = 60, HEIGHT = 30, SVG = 'http://www.w3.org/2000/svg';

// One minute of a figure, a sample a second, with the newest at the right. `show` writes a number as
// a person reads it.
export class Sparkline {
  samples = [];
  #svg;
  #peak;
  #what;
  #show;
  #line;
  #area;

  constructor(svg, peak, what, show) {
    [this.#svg, this.#peak, this.#what, this.#show] = [svg, peak, what, show];
    svg.setAttribute('viewBox', `0 0 ${SAMPLES - 1} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `${what}: nothing yet`);
    const made = (tag, attributes = {}) => {
      const element = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      svg.append(element);
      return element;
    };
    made('line', { x1: 0, x2: SAMPLES - 1, y1: HEIGHT, y2: HEIGHT });
    this.#area = made('polygon');
    this.#line = made('polyline');
  }

  add(sample) {
    this.samples.push(sample);
    if (this.samples.length > SAMPLES) this.samples.shift();
    this.#draw();
  }

  // What was before was another server's.
  clear() {
    this.samples = [];
    this.#draw();
  }

  #draw() {
    const peak = Math.max(0, ...this.samples), first = SAMPLES - this.samples.length;
    const points = this.samples.map((sample, at) => {
      const height = peak ? sample / peak * (HEIGHT - 2) : 0;
      return `${first + at},${(HEIGHT - height).toFixed(2)}`;
    });
    this.#line.setAttribute('points', points.join(' '));
    this.#area.setAttribute('points', [`${first},${HEIGHT}`, ...points, `${SAMPLES - 1},${HEIGHT}`].join(' '));
    const known = this.samples.length > 0;
    this.#peak.textContent = known ? `peak ${this.#show(peak)}` : '';
    const told = () => `${this.#show(this.samples.at(-1))} now, at most ${this.#show(peak)} in the last minute`;
    this.#svg.setAttribute('aria-label', `${this.#what}: ${known ? told() : 'nothing yet'}`);
  }
}
