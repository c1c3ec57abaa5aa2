// Exchanges compressed messages with a server through the npm package ws.
//
// client.mjs URL COUNT: exit status 0 if every message came back as it went, compressed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';

const [url, count] = [process.argv[2], Number(process.argv[3])];
const WORDS = ['alpha', 'βeta', 'γ', '0', '{"key": 17}'];

// Texts and bytes of many lengths, the same in each run.
function message(number) {
  const length = [0, 3, 40, 800][(number * 7) % 4];
  const words = Array.from({ length }, (_, at) => WORDS[(number + at * at) % WORDS.length]);
  const text = JSON.stringify({ number, words });
  return number % 3 ? text : Buffer.from(text);
}

const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0 } });
await once(socket, 'open');
assert.match(socket.extensions, /permessage-deflate/);
let [next, back] = [0, 0];
const done = new Promise((resolve, reject) => {
  socket.on('message', (data, isBinary) => {
    const sent = message(back);
    if (isBinary !== Buffer.isBuffer(sent) || !Buffer.from(sent).equals(data)) {
      reject(new Error(`message ${back} came back changed`));
    }
    back += 1;
    if (back === count) resolve();
    else if (back === next) batch();
  });
  socket.on('close', code => reject(new Error(`closed with ${code}`)));
});
function batch() {
  for (let i = 0; i < 100 && next < count; i++) socket.send(message(next++));
}
batch();
await done;
console.log(`${count} messages exchanged, ${socket.extensions}`);
socket.removeAllListeners('close');
socket.close();
