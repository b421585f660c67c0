// Node's Socket.IO server with a chat as its documentation writes one: what ours is measured beside. It stores nothing.
//   node server.mjs FOLDER_WITH_NODE_MODULES
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server } = createRequire(`${process.argv[2]}/package.json`)("socket.io");

const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval: 20_000, pingTimeout: 20_000 });
const audience = io.of("/audience");
let seq = Date.now() * 1000;

audience.on("connection", (socket) => {
  socket.emit("snapshot", { seq, resumed: false, reset: false, audience: { chat: [] } });
  socket.on("chat.send", ({ text }, answer) => {
    if (typeof text !== "string" || text.length > 200) return answer({ ok: false });
    const at = new Date();
    const id = `${at.getTime().toString(16)}${Math.random().toString(16).slice(2)}`;
    const data = {
      id, participant: socket.id, name: socket.handshake.auth.name ?? "", role: "", text, at: at.toISOString(),
      media_at: at.getTime(), session: null, reply_to: null, state: "visible",
    };
    seq += 1;
    audience.emit("events", [{ seq, type: "chat.message", at: at.toISOString(), media_at: at.getTime(), data }]);
    answer({ ok: true, id, state: "visible", at: at.toISOString(), media_at: at.getTime() });
  });
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
