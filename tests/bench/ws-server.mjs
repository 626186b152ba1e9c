// The same frames as floor_fanout.c, broadcast by npm's `ws` in the way that its documentation shows.
//
//   node ws-server.mjs CLIENTS TICK_MS UPDATES
import { createServer } from "node:http";
import WebSocket, { WebSocketServer } from "ws";

const [wanted, tickMs, updates] = process.argv.slice(2).map(Number);
const WELCOME_LEN = 40;
const TILE_HEAD_LEN = 20;
const EPOCH = 1n;
const canvas = {
    version: 1,
    width: 256,
    height: 256,
    tile_edge: 256,
    cooldown_ms: 0,
    palette: [
        { name: "a", rgb: "#ffffff" },
        { name: "b", rgb: "#000000" },
    ],
};
const stats = { clients: 0, frames: 0, rounds: 0, full: 0 };

function welcome() {
    const frame = Buffer.alloc(WELCOME_LEN);
    frame[0] = 0x81;
    frame.writeUInt16LE(256, 2);
    frame.writeUInt32LE(1, 4);
    frame.writeUInt32LE(256, 8);
    frame.writeUInt32LE(256, 12);
    frame.writeUInt32LE(1, 20);
    return frame;
}

let seq = 0;
function tileFrame() {
    const first = seq === 0;
    const head = TILE_HEAD_LEN + (first ? 8 : 0);
    const frame = Buffer.alloc(head + 3 * updates);
    frame[0] = 0x83;
    frame[1] = first ? 1 : 0;
    frame.writeUInt16LE(updates, 6);
    frame.writeUInt32LE(seq + 1, 8);
    frame.writeBigUInt64LE(EPOCH, 12);
    for (let i = 0; i < updates; i++) {
        frame[head + 3 * i] = ((seq + i) * 7) & 0xff;
        frame[head + 3 * i + 2] = (seq + i) % 2;
    }
    seq += updates;
    return frame;
}

const server = createServer((request, response) => {
    const body = JSON.stringify(request.url === "/stats" ? stats : canvas);
    response.end(body);
});
const sockets = new WebSocketServer({ server, path: "/ws", perMessageDeflate: false, clientTracking: true });

function round() {
    const frame = tileFrame();
    sockets.clients.forEach((client) => {
        if (client.readyState === WebSocket.OPEN) {
            client.send(frame, { binary: true });
        }
    });
    stats.frames += sockets.clients.size;
    stats.rounds++;
}

let ticking = false;
sockets.on("connection", (socket) => {
    socket.once("message", () => {
        socket.send(welcome());
        stats.clients++;
        if (stats.clients >= wanted && !ticking) {
            ticking = true;
            setTimeout(() => setInterval(round, tickMs), 1000);
        }
    });
    socket.on("error", () => socket.terminate());
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => console.log(`port ${server.address().port}`));
