const WHOLE = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

// Numbers as people read them: every digit while it can be taken in at a glance.
export const count = number => number < 1e6 ? WHOLE.format(number) : `${SHORT.format(number / 1e6)} M`;

// A size in the largest unit that it fills.
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) [bytes, unit] = [bytes / 1024, unit + 1];
  return `${unit ? SHORT.format(bytes) : bytes} ${units[unit]}`;
}

export const some = (number, one) => `${count(number)} ${one}${number === 1 ? '' : 's'}`;

// A time in its two largest units.
export function span(seconds) {
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = Math.max(0, units.findIndex(([, length]) => seconds >= length));
  const parts = units.slice(seconds < 1 ? 3 : first).slice(0, 2).map(([name, length]) => {
    const whole = Math.floor(seconds / length);
    seconds -= whole * length;
    return `${whole} ${name}`;
  });
  return parts.join(' ');
}
