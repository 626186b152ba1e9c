"""Plain sockets for tests of the gateway's edge: HTTP and WebSocket bytes as they are, also wrong ones."""

import base64
import os
import socket
import struct
import time

from tessera import protocol

FIN, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 0, 1, 2, 8, 9, 10


class Closed(Exception):
    """The other side ended the stream."""


class Raw:
    """A TCP connection to host:port, with what was read and not yet used."""

    def __init__(self, address, timeout=10, wrap=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        if wrap:
            self.socket = wrap(self.socket)
        self.rest = b""
        self.deadline = time.monotonic() + 4 * timeout  # beats keep coming: a read that times out is no bound

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def send_slowly(self, data, step=1, pause=0.0):
        data = data.encode() if isinstance(data, str) else data
        for at in range(0, len(data), step):
            self.socket.sendall(data[at : at + step])
            if pause:
                time.sleep(pause)
        return self

    def more(self):
        if time.monotonic() > self.deadline:
            raise AssertionError("what was waited for does not come")
        try:
            got = self.socket.recv(65536)
        except ConnectionError as e:
            raise Closed from e
        if not got:
            raise Closed
        self.rest += got

    def take(self, n):
        while len(self.rest) < n:
            self.more()
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def take_line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line.decode("latin-1")

    def until_closed(self):
        """Everything up to the end of the stream."""
        try:
            while True:
                self.more()
        except Closed:
            data, self.rest = self.rest, b""
            return data

    # ---- HTTP ----

    def response(self, head=False):
        """(status, headers, body) of the next answer; `head`: of a HEAD request."""
        version, status = self.take_line().split(" ", 2)[:2]
        assert version == "HTTP/1.1"
        headers = {}
        while line := self.take_line():
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        status = int(status)
        length = 0 if head or status in (101, 304) else int(headers["content-length"])
        return status, headers, self.take(length)

    # ---- WebSocket ----

    def upgrade(self, token, path="/ws", **changes):
        """Sends the handshake; headers are replaced or, with None, left out by keywords with underscores. Returns the answer."""
        headers = {
            "host": "localhost",
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec_websocket_version": "13",
            "sec_websocket_key": base64.b64encode(os.urandom(16)).decode(),
            "sec_websocket_protocol": protocol.SUBPROTOCOL,
            "cookie": f"tessera_session={token}" if token else None,
            **changes,
        }
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
        self.send(f"GET {path} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n")
        return self.response()

    def open(self, token):
        status, headers, body = self.upgrade(token)
        assert status == 101, (status, body)
        assert headers["sec-websocket-protocol"] == protocol.SUBPROTOCOL
        assert "sec-websocket-extensions" not in headers
        return self

    def frame(self):
        """(opcode, payload) of the next frame, which is whole and not masked."""
        first, second = self.take(2)
        assert first & FIN and not first & 0x70 and not second & 0x80
        length = second
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        return first & 0xF, self.take(length)

    def message(self):
        """The next message of the protocol; pongs are passed over."""
        while True:
            opcode, payload = self.frame()
            if opcode == BINARY:
                return protocol.decode(payload)
            if opcode == CLOSE:
                raise AssertionError(f"closed with {close_code(payload)}")

    def close_code_only(self):
        """The code that the connection is closed with; other frames are passed over. Answers it, and sees the end of the stream."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                break
        try:
            self.send(frame(FIN | CLOSE, payload[:2]))
        except OSError:
            pass
        self.until_closed()
        return close_code(payload)


def close_code(payload):
    return struct.unpack(">H", payload[:2])[0] if payload else None


def frame(first, payload=b"", mask=b"\x01\x02\x03\x04", length=None):
    """Bytes of a client's frame. `length` announces another length than there is."""
    n = len(payload) if length is None else length
    masked = 0x80 if mask is not None else 0
    head = bytes([first])
    if n < 126:
        head += bytes([masked | n])
    elif n < 65536:
        head += bytes([masked | 126]) + struct.pack(">H", n)
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", n)
    if mask is None:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def binary(payload):
    return frame(FIN | BINARY, payload)


def proxy_v2(source=None, command=0x21, family=None, tlvs=b""):
    """A PROXY v2 header. `source` is an IPv4 or IPv6 address in text; None: LOCAL."""
    signature = b"\r\n\r\n\x00\r\nQUIT\n"
    if source is None:
        return signature + struct.pack(">BBH", 0x20, 0, len(tlvs)) + tlvs
    v6 = ":" in source
    packed = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, source)
    body = packed * 2 + struct.pack(">HH", 1234, 80) + tlvs
    return signature + struct.pack(">BBH", command, family or (0x21 if v6 else 0x11), len(body)) + body
