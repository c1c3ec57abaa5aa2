// A room on the npm package ws: each message goes to all others. `node room_ws.js PORT`
const { WebSocketServer } = require("ws");
const room = new WebSocketServer({
  host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096, perMessageDeflate: false,
});
room.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (message, binary) => {
    for (const other of room.clients) if (other !== socket) other.send(message, { binary });
  });
});
