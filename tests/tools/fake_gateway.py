"""A gateway that fits into one file, for testing the load client without a cluster: PROTOCOL.md 1.1 and 1.2, one canvas in
memory behind several ports, and faults on request. It trusts everybody and judges nothing that it was not told to."""

import asyncio
import base64
import hashlib
import json
import struct
import zlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EDGE = 64
PALETTE = [("white", "#ffffff"), ("black", "#000000"), ("red", "#ff4500"), ("blue", "#2450a4")]
MASK64 = (1 << 64) - 1
PLACED, COOLDOWN, STALE, OVERLOADED, UNAVAILABLE = 0, 1, 2, 6, 7


def mix(offset, color):
    if color == 0:
        return 0
    z = offset << 8 | color
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK64
    return z ^ z >> 31


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows, transparent=False):
    """Indexed rows as a PNG; with `transparent`, index 255 is see-through."""
    colors = b"".join(bytes.fromhex(rgb[1:]) for _, rgb in PALETTE)
    alpha = b""
    if transparent:
        colors += bytes(3 * (256 - len(PALETTE)))
        alpha = chunk(b"tRNS", b"\xff" * 255 + b"\x00")
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"PLTE", colors) + alpha + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


class Fake:
    """`faults`: cut_after (close a socket after so many draws of it), refuse (every n-th draw is OVERLOADED), unavailable
    (every n-th is placed, but answered UNAVAILABLE), lose_frames (every n-th tile frame is not sent), wrong_color (every
    n-th placement is of color 0), snapshot_checksum (is wrong), tiles_color (the tile API lies about pixel 0), mute (draws
    are not answered), move_after (MOVE after so many draws)."""

    def __init__(self, width=100, height=80, cooldown_ms=0, **faults):
        self.width, self.height, self.cooldown_ms, self.faults = width, height, cooldown_ms, faults
        self.tls = None  # or an ssl.SSLContext: for wss://
        self.across, self.down = -(-width // EDGE), -(-height // EDGE)
        self.px = {tile: bytearray(EDGE * EDGE) for tile in self.tiles()}
        self.seq = dict.fromkeys(self.px, 0)
        self.epoch = 1767225600000
        self.placed = {}  # (connection, nonce) -> seq
        self.users = {}  # user -> [nonce, landed, (x, y, color), seq]
        self.clients = set()
        self.counts = dict.fromkeys(["draws", "placements", "duplicates", "frames", "sessions", "sockets", "resumes"], 0)
        self.log = []  # (x, y, color)

    def tiles(self):
        return [(tx, ty) for ty in range(self.down) for tx in range(self.across)]

    async def listen(self):
        return await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)

    def every(self, fault, count):
        n = self.faults.get(fault, 0)
        return n > 0 and count % n == 0

    # ---- HTTP ----

    async def serve(self, reader, writer):
        try:
            while await self.request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if path == "/ws":
            key = [line[19:] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key: ")][0]
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            writer.write(
                f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: tessera.v1\r\n\r\n".encode()
            )
            self.counts["sockets"] += 1
            await Client(self, reader, writer, headers["cookie"]).run()
            return False
        await reader.readexactly(int(headers.get("content-length", 0)))
        body = self.body(method, path)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    def body(self, method, path):
        if path == "/api/v1/session" and method == "POST":
            self.counts["sessions"] += 1
            return json.dumps({"token": f"token-{self.counts['sessions']}"}).encode()
        if path == "/api/v1/canvas":
            canvas = {"width": self.width, "height": self.height, "tile_edge": EDGE, "cooldown_ms": self.cooldown_ms}
            return json.dumps({**canvas, "palette": [{"name": n, "rgb": rgb} for n, rgb in PALETTE]}).encode()
        if path == "/api/v1/tiles":
            tiles = [struct.pack("<HHIQ", *t, *self.position(t)) + self.px[t] for t in self.tiles()]
            body = bytearray(b"".join(tiles))
            body[16] = self.faults.get("tiles_color", body[16])
            return bytes(body)
        rows = [[self.color(x, y) for x in range(self.width)] for y in range(self.height)]
        return png(self.width, self.height, rows)

    # ---- The canvas ----

    def position(self, tile):
        return (self.seq[tile], self.epoch if self.seq[tile] else 0)

    def color(self, x, y):
        return self.px[x // EDGE, y // EDGE][y % EDGE * EDGE + x % EDGE]

    def place(self, x, y, color):
        tile, offset = (x // EDGE, y // EDGE), y % EDGE * EDGE + x % EDGE
        self.counts["placements"] += 1
        self.log.append((x, y, color))
        if self.every("wrong_color", self.counts["placements"]):
            color = 0
        self.px[tile][offset] = color
        self.seq[tile] += 1
        first = self.seq[tile] == 1
        head = struct.pack("<BBHHHIQ", 0x83, first, *tile, 1, self.seq[tile], self.epoch) + bytes(8 * first)
        for client in list(self.clients):
            self.counts["frames"] += tile in client.watched
            if tile in client.watched and not self.every("lose_frames", self.counts["frames"]):
                client.send(head + struct.pack("<HB", offset, color))
        return self.seq[tile]


class Client:
    def __init__(self, fake, reader, writer, cookie):
        self.fake, self.reader, self.writer = fake, reader, writer
        self.user = int(hashlib.sha1(cookie.encode()).hexdigest()[:16], 16)
        self.connection = 0
        self.watched = set()
        self.draws = 0

    def send(self, payload, opcode=2):
        n = len(payload)
        size = bytes([n]) if n < 126 else struct.pack(">BH", 126, n) if n < 65536 else struct.pack(">BQ", 127, n)
        self.writer.write(bytes([0x80 | opcode]) + size + payload)

    async def frame(self):
        first, size = await self.reader.readexactly(2)
        assert size & 0x80, "frames of clients are masked"
        size &= 127
        if size == 126:
            size = struct.unpack(">H", await self.reader.readexactly(2))[0]
        mask, data = await self.reader.readexactly(4), await self.reader.readexactly(size)
        return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(data))

    async def run(self):
        fake = self.fake
        fake.clients.add(self)
        try:
            while True:
                opcode, data = await self.frame()
                if opcode != 2:
                    return
                if data[0] == 1:
                    self.connection = struct.unpack_from("<Q", data, 4)[0]
                    nonce = fake.users.get(self.user, [0])[0] + 1
                    sizes = (fake.width, fake.height, fake.cooldown_ms, nonce, 0, len(fake.clients))
                    self.send(struct.pack("<BBHIIIIIIIQ", 0x81, 0, EDGE, 1, *sizes, self.user))
                    self.entries(data, 12)
                elif data[0] == 4:
                    fake.counts["resumes"] += 1
                    self.entries(data, 4)
                elif not self.draw(data):
                    return
                await self.writer.drain()
        finally:
            fake.clients.discard(self)

    def entries(self, data, at):
        for i in range(at, len(data), 16):
            tx, ty, seq, epoch = struct.unpack_from("<HHIQ", data, i)
            self.watched.add((tx, ty))
            if (seq, epoch) != self.fake.position((tx, ty)):
                self.snapshot((tx, ty))

    def snapshot(self, tile):
        px, (seq, epoch) = bytes(self.fake.px[tile]), self.fake.position(tile)
        checksum = sum(mix(i, c) for i, c in enumerate(px)) & MASK64
        checksum = self.fake.faults.get("snapshot_checksum", checksum)
        self.send(struct.pack("<BBHHHIQQ", 0x84, 1, *tile, 0, seq, epoch, checksum) + zlib.compress(px))

    def draw(self, data):
        fake = self.fake
        _, color, x, y, nonce = struct.unpack("<BBHHI", data)
        self.draws += 1
        fake.counts["draws"] += 1
        code, seq, next_nonce, wait_ms = self.judge(x, y, color, nonce)
        if fake.faults.get("mute"):
            return True
        # Its answer is lost with the socket: what was placed comes again.
        if self.draws == fake.faults.get("cut_after", 0):
            return False
        self.send(struct.pack("<BBHHHIIII", 0x82, code, x, y, 0, nonce, next_nonce, wait_ms, seq))
        if self.draws == fake.faults.get("move_after", 0):
            self.send(struct.pack("<BBHI", 0x87, 0, 0, 50))
        return True

    def judge(self, x, y, color, nonce):
        fake = self.fake
        if fake.cooldown_ms:
            return self.judge_by_user(x, y, color, nonce)
        known = fake.placed.get((self.connection, nonce))
        if known:
            fake.counts["duplicates"] += 1
            return PLACED, known, nonce + 1, 0
        if fake.every("refuse", fake.counts["draws"]):
            return OVERLOADED, 0, nonce + 1, 20
        seq = fake.place(x, y, color)
        fake.placed[self.connection, nonce] = seq
        code = UNAVAILABLE if fake.every("unavailable", fake.counts["draws"]) else PLACED
        return code, seq if code == PLACED else 0, nonce + 1, 0

    def judge_by_user(self, x, y, color, nonce):
        fake, now = self.fake, asyncio.get_running_loop().time()
        record = fake.users.setdefault(self.user, [0, 0.0, None, 0])
        if nonce == record[0] and record[2] == (x, y, color):
            fake.counts["duplicates"] += 1
            return PLACED, record[3], nonce + 1, fake.cooldown_ms
        if nonce != record[0] + 1:
            return STALE, 0, record[0] + 1, 0
        left = record[1] + fake.cooldown_ms / 1000 - now
        if record[1] and left > 0:
            return COOLDOWN, 0, nonce, int(left * 1000) + 1
        record[:] = nonce, now, (x, y, color), fake.place(x, y, color)
        return PLACED, record[3], nonce + 1, fake.cooldown_ms
