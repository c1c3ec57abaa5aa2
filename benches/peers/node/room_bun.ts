// A room on Bun: each message goes to all others. `bun room_bun.ts PORT`
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("not here", { status: 404 });
  },
  websocket: {
    maxPayloadLength: 64 << 20,
    backpressureLimit: 128 << 20,
    open(ws) {
      ws.subscribe("room");
    },
    message(ws, message) {
      ws.publish("room", message);
    },
  },
});
