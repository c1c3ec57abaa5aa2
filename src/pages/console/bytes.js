// Bytes and numbers as a person reads them.

const utf8 = new TextEncoder();

export const encode = text => utf8.encode(text);

export const hexOf = bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(' ');

// The bytes that pairs of hexadecimal digits mean, or null. Blanks, commas, colons and 0x may stand
// between them.
export function parseHex(text) {
  const digits = text.replace(/0x|[\s,:]/gi, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], pair => parseInt(pair, 16));
}

const HEX_COLUMNS = 16;

// `length` bytes from `start` on, sixteen a line: offset, hex, ASCII.
export function hexDump(bytes, start, length) {
  const lines = [];
  for (let at = start; at < Math.min(bytes.length, start + length); at += HEX_COLUMNS) {
    const row = bytes.subarray(at, Math.min(at + HEX_COLUMNS, start + length));
    const ascii = Array.from(row, byte => byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·').join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hexOf(row).padEnd(3 * HEX_COLUMNS - 1)}  ${ascii}`);
  }
  return lines.join('\n');
}

export function base64Of(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

export const sameBytes = (one, two) => one.length === two.length && one.every((byte, at) => byte === two[at]);

export const showCount = n => n.toLocaleString('en');

export const showSize = n => n < 1024 ? `${n} B`
  : n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;

export const showMs = ms => `${ms < 10 ? ms.toFixed(1) : showCount(Math.round(ms))} ms`;
