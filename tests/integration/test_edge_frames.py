"""WebSockets at the gateway's edge: wrong upgrades, wrong frames, frames in pieces, control frames."""

import time

import pytest

from edge_fixture import HOST
from edge_fixture import edge, nobody_died  # noqa: F401
from raw import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, binary, frame
from tessera import protocol
from tessera.busy import Busy
from tessera.cluster import metric
from tessera.procs import wait_until
from tessera.protocol import NONE


def test_bad_upgrades(edge):
    token = edge.token()
    for changes, status in [
        ({"upgrade": None}, 426),
        ({"upgrade": "h2c"}, 426),
        ({"connection": "keep-alive"}, 426),
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": None}, 426),
        ({"sec_websocket_key": None}, 400),
        ({"sec_websocket_key": "c2hvcnQ="}, 400),
        ({"sec_websocket_key": "!" * 22 + "=="}, 400),
        ({"sec_websocket_protocol": None}, 400),
        ({"sec_websocket_protocol": "tessera.v2"}, 400),
    ]:
        with edge.raw() as raw:
            got, headers, _ = raw.upgrade(token, **changes)
            assert got == status, changes
            assert headers["connection"] == "close"
            if status == 426:
                assert headers["sec-websocket-version"] == "13"
            raw.send(binary(protocol.hello(1, {})))
            assert raw.until_closed() == b""
    with edge.raw() as raw:
        assert raw.upgrade(token, sec_websocket_protocol="other, tessera.v1", connection="keep-alive, UPGRADE", upgrade="WebSocket")[0] == 101


def test_a_handshake_and_hello_byte_by_byte(edge):
    token = edge.token()
    with edge.raw() as raw:
        request = (
            f"GET /ws HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tessera.v1\r\nCookie: tessera_session={token}\r\n\r\n"
        )
        raw.send_slowly(request)
        status, headers, _ = raw.response()
        assert status == 101 and headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        raw.send_slowly(binary(protocol.hello(1, {(0, 0): NONE, (1, 0): NONE})))
        assert isinstance(raw.message(), protocol.Welcome)
    with edge.raw() as raw:  # and all in one piece: the client did not wait for the answer
        raw.send(request.encode() + binary(protocol.hello(1, {})) + frame(FIN | PING, b"x"))
        assert raw.response()[0] == 101
        assert isinstance(raw.message(), protocol.Welcome)
        assert raw.frame() == (PONG, b"x")


HELLO = protocol.hello(7, {})
BROKEN = {
    "not masked": (frame(FIN | BINARY, HELLO, mask=None), 1002),
    "reserved bit": (frame(FIN | 0x40 | BINARY, HELLO), 1002),
    "reserved opcode": (frame(FIN | 3, HELLO), 1002),
    "continuation of nothing": (frame(FIN | CONTINUATION, HELLO), 1002),
    "message in a message": (frame(BINARY, HELLO) + frame(FIN | BINARY, HELLO), 1002),
    "ping in pieces": (frame(PING, b"a"), 1002),
    "long ping": (frame(FIN | PING, b"a" * 126), 1002),
    "half a close code": (frame(FIN | CLOSE, b"\x03"), 1002),
    "reserved close code": (frame(FIN | CLOSE, b"\x03\xed"), 1002),
    "length not in the shortest form": (bytes([FIN | BINARY, 0x80 | 126, 0, 12, 0, 0, 0, 0]) + HELLO, 1002),
    "length above 2^63": (bytes([FIN | BINARY, 0x80 | 127]) + b"\xff" * 8 + b"\0" * 8, 1002),
    "text": (frame(FIN | TEXT, b"hello"), 1003),
    "text in pieces": (frame(TEXT, b"hello"), 1003),
    "too long": (frame(FIN | BINARY, b"\x01" * 4113), 1009),
    "announced too long": (frame(FIN | BINARY, b"\x01", length=1 << 40), 1009),
    "too long in pieces": (frame(BINARY, b"\x01" * 4112) + frame(FIN | CONTINUATION, b"\x01"), 1009),
    "17 frames": (frame(BINARY, b"\x01") + frame(CONTINUATION) * 15 + frame(FIN | CONTINUATION), 4002),
    "endless frames": (frame(BINARY, b"") + frame(CONTINUATION) * 5000, 4002),
    "no HELLO first": (binary(protocol.draw(1, 1, 1, 1)), 4002),
    "empty": (binary(b""), 4002),
    "a tile outside": (binary(protocol.hello(7, {(200, 0): NONE})), 4005),
    "WATCH of a tile outside": (binary(protocol.hello(7, {})) + binary(protocol.watch_tiles({(0, 200): NONE})), 4005),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("step", [1 << 20, 1])
def test_broken_frames(edge, name, step):
    data, code = BROKEN[name]
    step = max(step, len(data) // 2000)  # byte by byte, but in no more than 2,000 pieces
    with edge.raw() as raw:
        raw.open(edge.any_token())
        try:
            raw.send_slowly(data, step)
        except ConnectionError:
            pass
        assert raw.close_code_only() == code


def test_fragments_and_control_frames(edge):
    hello = protocol.hello(7, {(0, 0): NONE})
    with edge.raw() as raw:
        raw.open(edge.any_token())
        pieces = [hello[i : i + 2] for i in range(0, len(hello), 2)]
        assert len(pieces) <= 16
        data = frame(BINARY, pieces[0])
        for piece in pieces[1:-1]:
            data += frame(CONTINUATION, piece)
        raw.send(data + frame(FIN | PONG, b"unasked"))
        raw.send(frame(FIN | CONTINUATION, pieces[-1]) + frame(FIN | PING, b"are you there"))
        assert isinstance(raw.message(), protocol.Welcome)
        while True:
            opcode, payload = raw.frame()
            if opcode == PONG:
                assert payload == b"are you there"
                break
        raw.send(frame(FIN | CLOSE, b"\x03\xe8bye"))
        assert raw.close_code_only() == 1000


def test_a_flood_of_pings_is_answered_with_few_pongs(edge):
    with edge.raw() as raw:
        raw.open(edge.any_token())
        before = metric(edge.gateway.metrics, "tessera_gateway_messages_total")
        raw.send(binary(protocol.hello(7, {})) + frame(FIN | PING, b"p" * 100) * 90)
        assert isinstance(raw.message(), protocol.Welcome)
        wait_until(lambda: metric(edge.gateway.metrics, "tessera_gateway_messages_total") >= before + 91, 10, "all were read")
        raw.socket.settimeout(0.5)
        pongs = 0
        try:
            while True:
                pongs += raw.frame()[0] == PONG
        except TimeoutError:
            pass
        assert 1 <= pongs <= 45


def test_no_hello(edge):
    with edge.raw() as raw:
        before = time.monotonic()
        raw.open(edge.any_token())
        began, busy = time.monotonic(), Busy(edge.gateway)
        raw.send(frame(FIN | PING, b"x"))
        assert raw.close_code_only() == 4000
        ended = time.monotonic()
        assert 4.9 < ended - before and ended - began < 7 + busy.seconds
