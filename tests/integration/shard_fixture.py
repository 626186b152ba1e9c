"""Shards as processes, and a small gateway that speaks part 2 of PROTOCOL.md with them: routes draws by the view in
Redis, keeps their order per tile, and sends again what came back from NOT_OWNER or a lost link."""

import collections
import hashlib
import hmac
import os
import pathlib
import random
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import redis

from redis_fixture import ROOT, wait_for

SECRET = "a-secret-of-the-cluster-for-tests-only"
SHARD = pathlib.Path(os.environ.get("TESSERA_BUILD", ROOT / "build")) / "tessera-shard"

PLACED, COOLDOWN, STALE, BAD_COLOR, OUT_OF_BOUNDS, READ_ONLY, OVERLOADED = range(7)
ALLOWANCE = 8
NOT_OWNER = "not owner"
MASK = (1 << 64) - 1

Verdict = collections.namedtuple("Verdict", "id code seq next_nonce wait_ms")


class Shard:
    def __init__(self, redis_server, *flags, log_level="info"):
        self.redis = redis_server
        self.log = tempfile.NamedTemporaryFile(prefix="tessera-shard-", suffix=".log", delete=False)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TESSERA_")}
        environment["TESSERA_CLUSTER_SECRET"] = SECRET
        self.process = subprocess.Popen(
            [str(SHARD), "--redis", redis_server.address, "--log-level", log_level, *[str(flag) for flag in flags]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log, env=environment)
        self.address = wait_for(self._ready, "the shard is ready")

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def _ready(self):
        assert self.process.poll() is None, self.output()
        match = re.search(r'msg=ready listen="?([^ "]+)"?', self.output())
        return match and match[1]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def terminate(self, seconds=5):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        self.kill()
        self.log.close()
        os.unlink(self.log.name)


# ---- msgpack, as much of it as part 2 needs ------------------------------------------------------------------------------


def pack(value):
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 | len(value)]) + b"".join(pack(item) for item in value)
    if isinstance(value, bytes):
        return (b"\xc4" + bytes([len(value)]) if len(value) < 256 else b"\xc5" + struct.pack(">H", len(value))) + value
    for limit, head, code in ((0x80, b"", ">B"), (1 << 8, b"\xcc", ">B"), (1 << 16, b"\xcd", ">H"),
                              (1 << 32, b"\xce", ">I"), (1 << 64, b"\xcf", ">Q")):
        if value < limit:
            return head + struct.pack(code, value)
    raise ValueError(value)


def unpack(data):
    at = 0

    def take(count):
        nonlocal at
        at += count
        return data[at - count:at]

    def value():
        head = take(1)[0]
        if head < 0x80:
            return head
        if head >> 4 == 9:
            return [value() for _ in range(head & 15)]
        if head in (0xCC, 0xCD, 0xCE, 0xCF):
            return int.from_bytes(take(1 << head - 0xCC), "big")
        if 0xA0 <= head < 0xC0:
            return take(head & 31)
        if head in (0xD9, 0xDA):
            return take(int.from_bytes(take(1 << head - 0xD9), "big"))
        if head in (0xC4, 0xC5):
            return take(int.from_bytes(take(1 << head - 0xC4), "big"))
        raise ValueError(hex(head))

    result = value()
    assert at == len(data)
    return result


# ---- Links ---------------------------------------------------------------------------------------------------------------


def draw_bytes(draw_id, user, x, y, color, nonce, connection=1, kind=1, address="192.0.2.1", counted=2**31):
    """A draw of FORWARD. Nonces count from 1; `counted` is what is added to those of draws with cooldown 0."""
    mapped = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address)
    return struct.pack("<IIHHBBHQQ", draw_id, nonce + counted, x, y, color, kind, 0, user, connection) + mapped


class Link:
    def __init__(self, address, secret=SECRET, gateway=7, shake=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.open = True
        self.refusals = 0
        self.view = 0
        if shake:
            self.shake(secret.encode(), gateway)

    def shake(self, secret, gateway):
        kind, version, nonce = self.wait()
        assert (kind, version, len(nonce)) == (1, 1, 32)
        own, who = os.urandom(32), struct.pack("<Q", gateway)
        mac = hmac.new(secret, b"tessera-gateway-1" + nonce + own + who, hashlib.sha256).digest()
        self.send([2, 1, own, gateway, mac])
        kind, mac, incarnation, self.view = self.wait()
        expected = hmac.new(secret, b"tessera-shard-1" + own + nonce + struct.pack("<Q", incarnation),
                            hashlib.sha256).digest()
        assert kind == 3 and mac == expected

    def send(self, message):
        self.send_raw(pack(message))

    def send_raw(self, data):
        try:
            self.socket.sendall(struct.pack(">I", len(data)) + data)
        except OSError:
            self.open = False

    def forward(self, view, draws, refusals=None):
        self.send([4, view, self.refusals if refusals is None else refusals, b"".join(draws)])

    def poll(self, seconds=0.0):
        """The messages that have arrived; waits for the first up to so long. open is False at the end of the stream."""
        messages = []
        while self.open and select.select([self.socket], [], [], 0 if messages else seconds)[0]:
            try:
                data = self.socket.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                self.open = False
            self.buffer += data
            while len(self.buffer) >= 4:
                length = int.from_bytes(self.buffer[:4], "big")
                if len(self.buffer) < 4 + length:
                    break
                messages.append(unpack(self.buffer[4:4 + length]))
                self.buffer = self.buffer[4 + length:]
            if messages:
                break
        return messages

    def wait(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.open:
            messages = self.poll(0.1)
            if messages:
                assert len(messages) == 1
                return messages[0]
        raise ConnectionError("closed" if not self.open else "no message")

    def answers(self, count, seconds=10.0):
        """Answers to `count` draws, in their order of arrival: Verdict, or (NOT_OWNER, id, view)."""
        found = []
        deadline = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < deadline and self.open, (found, self.open)
            for message in self.poll(0.1):
                found += self.read(message)
        assert len(found) == count
        return found

    def read(self, message):
        if message[0] == 5:
            return [Verdict(*fields) for fields in struct.iter_unpack("<IBIII", message[1])]
        if message[0] == 6:
            self.refusals += 1
            self.view = message[1]
            return [(NOT_OWNER, fields[0], message[1]) for fields in struct.iter_unpack("<I", message[2])]
        if message[0] == 8:
            self.view = message[1]
            return []
        raise AssertionError(message)

    def close(self):
        self.open = False
        self.socket.close()


# ---- Who owns a tile: common/core/member.h, once more --------------------------------------------------------------------


def mix_final(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def weight(address, tx, ty):
    value = 0xCBF29CE484222325
    for byte in address.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return mix_final(value ^ (tx << 16 | ty) * 0x9E3779B97F4A7C15 & MASK)


def checksum(px):
    return sum(mix_final(offset << 8 | color) for offset, color in enumerate(px) if color) & MASK


def read_view(client):
    """(number, [address …])"""
    stored = client.hgetall("{cluster}:members")
    addresses = [key[2:].decode() for key in stored if key.startswith(b"s:")]
    return int(stored.get(b"view", 0)), addresses


def owner_of(addresses, tx, ty):
    return max(addresses, key=lambda address: (weight(address, tx, ty), address), default=None)


# ---- The gateway ---------------------------------------------------------------------------------------------------------


class Draw:
    def __init__(self, user, x, y, color, nonce, **other):
        self.user, self.x, self.y, self.color, self.nonce, self.other = user, x, y, color, nonce, other
        self.verdict = None
        self.sent = 0  # how often


class Gateway:
    """Draws of a tile are in flight to one shard only, and keep their order."""

    def __init__(self, redis_server, edge=64, in_flight=512):
        self.client = redis.Redis(port=redis_server.port, socket_timeout=0.1)
        self.edge, self.in_flight_max = edge, in_flight
        self.view, self.addresses = 0, []
        self.links = {}
        self.queues = collections.defaultdict(collections.deque)  # tile → draws that wait
        self.flying = {}  # id → (draw, tile, link)
        self.homes = {}  # tile → (link, draws in flight)
        self.retry_at = collections.defaultdict(float)
        self.next_id = random.randrange(1 << 20)
        self.order = {}  # draw → number, to put back what came back in its first order
        self.not_owner = self.lost = 0
        self.reread_at = 0.0
        self._counted = None

    @property
    def counted(self):
        """What nonces of the tests are short of: with cooldown 0 a client counts from 2^31 + 1."""
        if self._counted is None:
            self._counted = 2**31 if self.client.hget("{cluster}:config", "cooldown_ms") == b"0" else 0
        return self._counted

    def submit(self, draw):
        self.order[draw] = len(self.order)
        self.queues[draw.x // self.edge, draw.y // self.edge].append(draw)

    def read_view(self):
        if time.monotonic() < self.reread_at:
            return
        self.reread_at = time.monotonic() + 0.01
        try:
            self.view, self.addresses = read_view(self.client)
        except redis.RedisError:  # it is away: the old view goes on
            self.reread_at = time.monotonic() + 0.3

    def _link(self, address):
        link = self.links.get(address)
        if link is None:
            try:
                link = Link(address)
            except (OSError, ConnectionError):
                return None
            self.links[address] = link
        return link

    def _back(self, tile, draws):
        self.queues[tile] = collections.deque(sorted([*draws, *self.queues[tile]], key=self.order.get))
        self.retry_at[tile] = time.monotonic() + 0.01

    def _send(self):
        outgoing = collections.defaultdict(list)
        now = time.monotonic()
        for tile, queue in self.queues.items():
            if not queue or now < self.retry_at[tile]:
                continue
            home = self.homes.get(tile)
            if home and home[1] > 0:
                link = home[0]
            else:
                address = owner_of(self.addresses, *tile)
                link = address and self._link(address)
                if not link:
                    self.retry_at[tile] = now + 0.05
                    self.read_view()
                    continue
                self.homes[tile] = home = [link, 0]
            if home[1] and owner_of(self.addresses, *tile) not in (None, self._address(link)):
                continue  # until what is in flight there has come back
            while queue and len(self.flying) < self.in_flight_max and len(outgoing[link]) < 512:
                draw = queue.popleft()
                draw.sent += 1
                self.next_id = (self.next_id + 1) % (1 << 32)
                self.flying[self.next_id] = (draw, tile, link)
                home[1] += 1
                outgoing[link].append(draw_bytes(self.next_id, draw.user, draw.x, draw.y, draw.color,
                                                 draw.nonce, counted=self.counted, **draw.other))
        for link, draws in outgoing.items():
            if draws:
                link.forward(self.view, draws)

    def _address(self, link):
        return next((address for address, known in self.links.items() if known is link), None)

    def _receive(self, seconds):
        links = [link for link in self.links.values() if link.open]
        if links:
            select.select([link.socket for link in links], [], [], seconds)
        else:
            time.sleep(seconds)
        back = collections.defaultdict(list)
        for address, link in list(self.links.items()):
            for message in link.poll():
                for answer in link.read(message):
                    if isinstance(answer, Verdict):
                        draw, tile, _ = self.flying.pop(answer.id)
                        assert draw.verdict is None, "answered once"
                        counted = min(self.counted, answer.next_nonce)
                        draw.verdict = answer._replace(next_nonce=answer.next_nonce - counted)
                        self.homes[tile][1] -= 1
                    else:
                        draw, tile, _ = self.flying.pop(answer[1])
                        self.homes[tile][1] -= 1
                        self.not_owner += 1
                        back[tile].append(draw)
                        self.read_view()
            if not link.open:
                del self.links[address]
                for draw_id, (draw, tile, home) in list(self.flying.items()):
                    if home is link:
                        del self.flying[draw_id]
                        self.homes[tile][1] -= 1
                        self.lost += 1
                        back[tile].append(draw)
                self.read_view()
        for tile, draws in back.items():
            self._back(tile, draws)

    def waiting(self):
        return len(self.flying) + sum(len(queue) for queue in self.queues.values())

    def turn(self, seconds=0.005):
        if not self.addresses:
            self.read_view()
        self._send()
        self._receive(seconds)
        for link in self.links.values():
            link.send([7])

    def finish(self, seconds=20.0):
        deadline = time.monotonic() + seconds
        while self.waiting():
            assert time.monotonic() < deadline, f"{self.waiting()} draws are not answered"
            self.turn()

    def place(self, *draws):
        for draw in draws:
            self.submit(draw)
        self.finish()
        return [draw.verdict for draw in draws]

    def close(self):
        for link in self.links.values():
            link.close()
