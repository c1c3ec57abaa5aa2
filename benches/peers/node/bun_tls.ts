// An echo over TLS: bun bun_tls.ts PORT CERTIFICATE KEY
const [port, cert, key] = Bun.argv.slice(2);
Bun.serve({
  port: Number(port),
  hostname: '127.0.0.1',
  tls: { cert: Bun.file(cert), key: Bun.file(key) },
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('only WebSocket', { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    maxPayloadLength: 64 << 20,
    perMessageDeflate: false,
    message(ws, message) { ws.send(message); },
  },
});
