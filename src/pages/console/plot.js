// Round trips as a picture: a band from the fastest to the slowest, and a line for the mean.

// Some round trips that stand at one place.
export class Column {
  low = Infinity;
  high = 0;
  sum = 0;
  count = 0;
  constructor(ms) { if (ms !== undefined) this.add(ms); }
  add(ms) {
    this.low = Math.min(this.low, ms);
    this.high = Math.max(this.high, ms);
    this.sum += ms;
    this.count += 1;
  }
}

const SCALE_WIDTH = 52, FOOT = 6;

// Draws `columns` on a canvas with room for `places` of them. The scale is logarithmic: the typical
// trip and the worst one are both worth seeing. A canvas with `data-scale` shows it; one without is
// filled down to its foot.
export function drawPlot(canvas, columns, places) {
  const ratio = devicePixelRatio || 1, style = getComputedStyle(canvas);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const hasScale = canvas.dataset.scale !== undefined, left = hasScale ? SCALE_WIDTH : 0, foot = hasScale ? FOOT : 2;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const most = columns.reduce((high, column) => Math.max(high, column.high), 1);
  const decades = Math.ceil(Math.log10(most) - 1e-9) + 1; // from 0.1 ms, the clock's own grain
  const y = ms => height - foot - (height - 2 * foot) * Math.max(0, Math.log10(Math.max(ms, .1)) + 1) / decades;
  const x = i => left + (width - left) * (i + .5) / places;

  if (hasScale) {
    pen.font = '11px ' + style.getPropertyValue('--mono');
    pen.textBaseline = 'middle';
    pen.textAlign = 'right';
    for (let i = 0; i <= decades; i++) {
      const line = y(10 ** (i - 1));
      pen.fillStyle = style.getPropertyValue('--line');
      pen.fillRect(left, Math.round(line), width - left, 1);
      pen.fillStyle = style.getPropertyValue('--soft');
      pen.fillText(`${10 ** i / 10} ms`, left - 7, line);
    }
  }
  pen.fillStyle = pen.strokeStyle = style.color;
  pen.globalAlpha = .25;
  columns.forEach((column, i) => {
    const top = y(column.high), bottom = hasScale ? y(column.low) : height;
    pen.fillRect(x(i - .5), top, (width - left) / places + .5, Math.max(1, bottom - top));
  });
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.beginPath();
  columns.forEach((column, i) => pen.lineTo(x(i), y(column.sum / column.count)));
  pen.stroke();
}
