"""The side of a gateway in part 2 of PROTOCOL.md: links to shards, message by message."""

import collections
import hashlib
import hmac
import os
import select
import socket
import struct
import time

SECRET = "a-secret-of-the-cluster-for-tests-only"
PLACED, COOLDOWN, STALE, BAD_COLOR, OUT_OF_BOUNDS, READ_ONLY, OVERLOADED = range(7)
ALLOWANCE = 8
NOT_OWNER = "not owner"
Verdict = collections.namedtuple("Verdict", "id code seq next_nonce wait_ms")


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


def draw_bytes(draw_id, user, x, y, color, nonce, connection=1, kind=1, address="192.0.2.1", counted=2**31):
    """A draw of FORWARD. Nonces count from 1; `counted` is what is added to those of draws with cooldown 0."""
    mapped = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address)
    return struct.pack("<IIHHBBHQQ", draw_id, nonce + counted, x, y, color, kind, 0, user, connection) + mapped


class Link:
    def __init__(self, address, secret=SECRET, gateway=7, shake=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
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
        while self.open and readable([self.socket], 0 if messages else seconds):
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
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.open:
            messages = self.poll(0.1)
            if messages:
                assert len(messages) == 1
                return messages[0]
        raise ConnectionError("closed" if not self.open else "no message")

    def answers(self, count, seconds=30.0):
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


def readable(sockets, seconds):
    """Whether there is something to read, within so long; of any number of sockets."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def closed(link, seconds=30.0):
    deadline = time.monotonic() + seconds
    while link.open and time.monotonic() < deadline:
        link.poll(0.1)
    return not link.open
