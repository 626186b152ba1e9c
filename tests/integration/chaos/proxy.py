"""A TCP proxy that misbehaves on demand: delays, trickles, stalls and resets links, and loses messages of Redis' bus.

It is a process of its own (`python3 proxy.py CONTROL-SOCKET`); `Proxy` starts it and tells it what to do. Every link has a
name, a port to listen on and a target. What a link does wrong can be changed while connections are open:

    delay    seconds that every piece of data waits, up to twice as long (never out of order)
    trickle  most bytes that pass every 10 ms and direction, 0 for all
    stall    nothing passes; nothing is lost either: what was sent arrives when the stall ends, even if its sender has
             given up meanwhile, as on a real network
    drop     probability with which a message that Redis pushes to a subscriber is lost
    refuse   new connections are reset

A connection that one side ends is ended at the other after the data before it has passed.
"""

import asyncio
import json
import random
import socket
import struct
import sys
from collections import deque

TRICKLE_EVERY_S = 0.01
CALM = {"delay": 0.0, "trickle": 0, "stall": False, "drop": 0.0, "refuse": False}


def push_end(data, at):
    """Where the RESP value at `at` ends, or None when it is not whole."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, head, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"$":
        at += max(int(head) + 2, 0)
        return at if at <= len(data) else None
    for _ in range(int(head) if kind == b"*" else 0):
        at = push_end(data, at)
        if at is None:
            return None
    return at


class Pushes:
    """Takes the answers to a subscriber apart and loses some of the messages in them, never a part of one."""

    def __init__(self, link):
        self.link = link
        self.data = b""

    def feed(self, data):
        self.data += data
        out, at = [], 0
        while at < len(self.data):
            end = push_end(self.data, at)
            if end is None:
                break
            value, at = self.data[at:end], end
            if value.startswith(b"*3\r\n$7\r\nmessage\r\n") and random.random() < self.link.faults["drop"]:
                self.link.dropped += 1
            else:
                out.append(value)
        self.data = self.data[at:]
        return b"".join(out)


class Side(asyncio.Protocol):
    """One of the two sockets of a connection: what it reads goes to `other`."""

    def __init__(self, link, upstream=None):
        self.link = link
        self.is_client = upstream is None
        self.other = upstream
        self.transport = None
        self.queue = deque()  # (due, bytes or None for the end): read here, not yet written to the other side
        self.queued = 0
        self.pumping = None
        self.pushes = Pushes(link) if link.bus and not self.is_client else None
        self.ended = False

    # ---- events of the socket ----

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link.sides.add(self)
        if self.is_client:
            if self.link.faults["refuse"]:
                self.reset()
            else:
                transport.pause_reading()
                asyncio.ensure_future(self.connect())
        elif self.other.transport.is_closing():
            transport.close()
        else:
            self.other.other = self
            self.other.transport.resume_reading()

    async def connect(self):
        try:
            await asyncio.get_running_loop().create_connection(lambda: Side(self.link, self), *self.link.target)
        except OSError:
            self.reset()

    def data_received(self, data):
        if self.is_client:
            # Only a subscriber is pushed to; for others there is nothing to take apart.
            if self.other and self.other.pushes and (b"EVALSHA" in data or b"SCRIPT" in data) and not self.other.pushes.data:
                self.other.pushes = None
        elif self.pushes:
            data = self.pushes.feed(data)
        if data:
            self.put(data)

    def eof_received(self):
        self.put(None)
        return True  # the other direction stays open until it ends, too

    def connection_lost(self, error):
        self.link.sides.discard(self)
        if not self.ended:
            self.put(None)

    def pause_writing(self):
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    # ---- passing on ----

    def put(self, data):
        if data is None:
            self.ended = True
        faults = self.link.faults
        calm = self.other and not self.queue and not faults["stall"] and not faults["delay"] and not faults["trickle"]
        if calm and data is not None:
            self.write(data)
            return
        wait = faults["delay"] * random.uniform(1, 2) if faults["delay"] else 0
        due = asyncio.get_running_loop().time() + wait
        self.queue.append((max(due, self.queue[-1][0] if self.queue else 0), data))
        self.queued += len(data or b"")
        if self.queued > 4 << 20:
            self.transport.pause_reading()
        if not self.pumping:
            self.pumping = asyncio.ensure_future(self.pump())

    def write(self, data):
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.write(data)

    async def pump(self):
        loop = asyncio.get_running_loop()
        while self.queue:
            due, data = self.queue[0]
            if self.link.faults["stall"] or due > loop.time() or not self.other:
                await asyncio.sleep(min(0.01, max(due - loop.time(), 0.001)))
                continue
            self.queue.popleft()
            trickle = self.link.faults["trickle"]
            if trickle and data and len(data) > trickle:
                self.queue.appendleft((due, data[trickle:]))
                data = data[:trickle]
            if data is None:
                self.end_other()
                break
            self.queued -= len(data)
            self.write(data)
            if trickle:
                await asyncio.sleep(TRICKLE_EVERY_S)
            if self.queued < 1 << 20 and self.transport and not self.transport.is_closing() and not self.ended:
                self.transport.resume_reading()
        self.pumping = None

    def end_other(self):
        other = self.other
        if other is None or other.transport is None or other.transport.is_closing():
            return
        if self.transport.is_closing() or other.ended:
            other.transport.close()
            self.transport.close()
        else:
            other.transport.write_eof()

    def reset(self):
        """A connection that both ends see broken at once, with what was under way lost."""
        self.ended = True
        self.queue.clear()
        if self.transport and not self.transport.is_closing():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


class Link:
    def __init__(self, target, bus):
        self.target = target
        self.bus = bus  # RESP: the messages in it can be told apart
        self.faults = dict(CALM)
        self.sides = set()
        self.dropped = 0

    def reset(self):
        for side in list(self.sides):
            side.reset()


class Server:
    """The process: commands come as lines of JSON, each is answered with one."""

    def __init__(self):
        self.links = {}

    async def add(self, name, port, target, bus):
        link = self.links[name] = Link(tuple(target), bus)
        await asyncio.get_running_loop().create_server(lambda: Side(link), "127.0.0.1", port, backlog=128)

    async def command(self, op, name=None, **args):
        if op == "add":
            await self.add(name, **args)
        elif op == "set":
            self.links[name].faults.update(args)
        elif op == "reset":
            self.links[name].reset()
        elif op == "calm":
            for link in self.links.values():
                link.faults.update(CALM)
        elif op == "dropped":
            return sum(link.dropped for link in self.links.values())
        return True

    async def serve(self, reader, writer):
        while line := await reader.readline():
            writer.write(json.dumps(await self.command(**json.loads(line))).encode() + b"\n")


async def main(path):
    server = Server()
    async with await asyncio.start_unix_server(server.serve, path) as control:
        await control.serve_forever()


class Proxy:
    """The other end: starts the process and tells it what to do."""

    def __init__(self, path, make_proc):
        self.path = path / "proxy.sock"
        self.proc = make_proc("proxy", [sys.executable, __file__, self.path], path / "proxy.log")
        self.names = []

    def start(self, wait_until):
        self.proc.start()
        self.socket = wait_until(self._dial, 20, "the proxy listens")
        self.file = self.socket.makefile("rwb")

    def _dial(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.path))
        return sock

    def _ask(self, **command):
        self.file.write(json.dumps(command).encode() + b"\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def add(self, name, port, target, bus=False):
        host, target_port = target.rsplit(":", 1)
        self.names.append(name)
        self._ask(op="add", name=name, port=port, target=[host, int(target_port)], bus=bus)

    def set(self, name, **faults):
        assert set(faults) <= set(CALM), faults
        self._ask(op="set", name=name, **faults)

    def reset(self, name):
        self._ask(op="reset", name=name)

    def calm(self):
        self._ask(op="calm")

    def dropped(self):
        return self._ask(op="dropped")

    def close(self):
        self.file.close()
        self.socket.close()
        self.proc.kill()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
