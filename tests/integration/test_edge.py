"""The gateway's edge from outside: wrong HTTP, wrong frames, slow and greedy clients, PROXY headers, TLS, limits, drain."""

import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raw import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Closed, Raw, binary, frame, proxy_v2
from tessera import http, protocol
from tessera.cluster import Cluster, metric
from tessera.procs import free_port, wait_until
from tessera.protocol import NONE, Verdict

HOST = "Host: localhost\r\n"
SESSION = "POST /api/v1/session HTTP/1.1\r\n" + HOST


class Edge:
    """One cluster for all tests of this file. The gateways differ in their options:

    gateway: no limits, PROXY listener for loopback; tight: small limits; far: believes nobody's PROXY header; tls.
    """

    def __init__(self, path):
        self.path = path
        self.cluster = Cluster(path / "cluster", shards=1, gateways=0, cooldown="10m", width=300, height=200)
        self.proxy, self.far_proxy, self.tls_proxy = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.gateway = self.add(f"--proxy-listen={self.proxy}", "--allowed-origins=https://friend.example")
        self.tight = self.add(
            f"--proxy-listen={(tight_proxy := f'127.0.0.1:{free_port()}')}",
            "--connections-per-address=3",
            "--sessions-per-minute=4",
            "--message-rate=20",
            "--max-connections=5",
        )
        self.tight_proxy = tight_proxy
        self.far = self.add(f"--proxy-listen={self.far_proxy}", "--proxy-networks=10.0.0.0/8")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", path / "key.pem", "-out", path / "cert.pem"],
            check=True,
            capture_output=True,
        )
        self.tls = self.add(f"--tls-cert={path / 'cert.pem'}", f"--tls-key={path / 'key.pem'}", f"--proxy-listen={self.tls_proxy}")

    def add(self, *args):
        gateway = self.cluster.add_gateway()
        gateway.proc.argv += args
        # Its public port may speak TLS, or be another gateway's as well.
        gateway.ready = lambda: http.get(gateway.metrics, "/readyz", timeout=2).status == 200
        return gateway

    def token(self):
        return self.gateway.session().token

    def raw(self, **options):
        return Raw(self.gateway.address, **options)

    def tls_context(self, version=None):
        context = ssl.create_default_context(cafile=self.path / "cert.pem")
        if version:
            context.minimum_version = context.maximum_version = version
        return lambda sock: context.wrap_socket(sock, server_hostname="localhost")


@pytest.fixture(scope="module")
def edge():
    path = Path(tempfile.mkdtemp(prefix="tessera-edge-"))
    edge = Edge(path)
    with edge.cluster:
        yield edge
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def nobody_died(edge):
    yield
    for gateway in edge.cluster.gateways:
        assert gateway.proc.running, f"{gateway.proc.name}\n{gateway.proc.log_text()[-4000:]}"
    assert edge.gateway.get("/livez").status == 200


# ---- HTTP ------------------------------------------------------------------------------------------------------------

REFUSED = {
    "CL and TE": (SESSION + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE and CL": (SESSION + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "TE": (SESSION + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE with a space": (SESSION + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "TE folded": (SESSION + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "two CL": (SESSION + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400),
    "two equal CL": (SESSION + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "CL list": (SESSION + "Content-Length: 5,5\r\n\r\nhello", 400),
    "CL sign": (SESSION + "Content-Length: +5\r\n\r\nhello", 400),
    "CL huge": (SESSION + "Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "body too long": (SESSION + "Content-Length: 1025\r\n\r\n", 413),
    "body on GET": ("GET / HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\n\r\nhello", 400),
    "body on upgrade": ("GET /ws HTTP/1.1\r\n" + HOST + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello", 400),
    "no host": ("GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": ("GET / HTTP/1.1\r\n" + HOST + HOST + "\r\n", 400),
    "bare LF": ("GET / HTTP/1.1\n" + HOST + "\r\n", 400),
    "folded": ("GET / HTTP/1.1\r\n" + HOST + "X: a\r\n b\r\n\r\n", 400),
    "absolute target": ("GET http://localhost/ HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "asterisk": ("OPTIONS * HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "connect": ("CONNECT localhost:80 HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "control in target": ("GET /\x01 HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "method": ("FROB / HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "version": ("GET / HTTP/2.0\r\n" + HOST + "\r\n", 505),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "PROXY header on the plain port": (proxy_v2("192.0.2.1").decode("latin-1") + "GET / HTTP/1.1\r\n" + HOST + "\r\n", 400),
    "65 headers": ("GET / HTTP/1.1\r\n" + HOST + "".join(f"X-{i}: y\r\n" for i in range(64)) + "\r\n", 431),
    "long line": ("GET /" + "a" * 9000 + " HTTP/1.1\r\n" + HOST + "\r\n", 431),
    "long header": ("GET / HTTP/1.1\r\n" + HOST + "X: " + "a" * 9000 + "\r\n\r\n", 431),
    "endless header": ("GET / HTTP/1.1\r\n" + HOST + "X: " + "a" * 200000, 431),
    "expect": (SESSION + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 417),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("step", [1 << 20, 1])
def test_refused_requests(edge, name, step):
    text, status = REFUSED[name]
    data = text.encode("latin-1")
    step = max(step, len(data) // 2000)  # byte by byte, but in no more than 2,000 pieces
    with edge.raw() as raw:
        try:
            # What follows must never be taken for a request of its own.
            raw.send_slowly(data + b"GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n", step)
        except ConnectionError:
            pass  # refused before we were done
        got, headers, body = raw.response()
        assert got == status, body
        assert headers["connection"] == "close"
        error = json.loads(body)
        assert error["error"] and error["message"]
        assert raw.until_closed() == b""


def test_methods_and_paths(edge):
    for method, path, status, allow in [
        ("POST", "/", 405, "GET, HEAD"),
        ("DELETE", "/api/v1/canvas", 405, "GET, HEAD"),
        ("GET", "/api/v1/session", 405, "POST"),
        ("POST", "/ws", 405, "GET"),
        ("POST", "/nowhere", 404, None),
        ("GET", "/api/v1", 404, None),
        ("GET", "/api/v1/canvas/", 404, None),
        ("GET", "/api/v1/tiles/0", 404, None),
        ("GET", "/api/v1/tiles/0/", 404, None),
        ("GET", "/api/v1/tiles/00/0", 404, None),
        ("GET", "/api/v1/tiles/0/0/0", 404, None),
        ("GET", "/api/v1/tiles/-1/0", 404, None),
        ("GET", "/api/v1/tiles/65536/0", 404, None),
        ("GET", "/api/v1/tiles/2/0", 404, None),
        ("GET", "/../proto/PROTOCOL.md", 404, None),
        ("GET", "/%2e%2e/etc/passwd", 404, None),
        ("GET", "//", 404, None),
    ]:
        with edge.raw() as raw:
            got, headers, _ = raw.send(f"{method} {path} HTTP/1.1\r\n{HOST}\r\n").response()
            assert (got, headers.get("allow")) == (status, allow), (method, path)


def test_the_page(edge):
    page = edge.gateway.get("/?x=1&y=2")
    assert page.status == 200 and b"<" in page.body
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert edge.gateway.get("/?x=1&y=2", **{"If-None-Match": page.headers["etag"]}).status == 304
    packed = edge.gateway.get("/?x=1&y=2", **{"Accept-Encoding": "gzip"})
    if packed.headers.get("content-encoding") == "gzip":
        import gzip

        assert gzip.decompress(packed.body) == page.body
        assert packed.headers["etag"] != page.headers["etag"]
        assert "accept-encoding" in packed.headers["vary"].lower()
    with edge.raw() as raw:
        raw.send("HEAD /style.css HTTP/1.1\r\n" + HOST + "\r\nGET /livez HTTP/1.1\r\n" + HOST + "\r\n")
        status, headers, _ = raw.response(head=True)
        assert status == 200 and int(headers["content-length"]) == len(edge.gateway.get("/style.css").body)
        assert raw.response()[0] == 200


def test_pipelining_and_the_hundredth_request(edge):
    with edge.raw() as raw:
        raw.send(("GET /livez HTTP/1.1\r\n" + HOST + "\r\n" + "GET /nowhere HTTP/1.1\r\n" + HOST + "\r\n") * 60)
        for i in range(100):
            status, headers, _ = raw.response()
            assert status == (404 if i % 2 else 200)
            assert (headers.get("connection") == "close") == (i == 99)
        assert raw.until_closed() == b""


def test_http_1_0(edge):
    with edge.raw() as raw:
        status, headers, _ = raw.send("GET /livez HTTP/1.0\r\n" + HOST + "\r\n").response()
        assert status == 200 and headers["connection"] == "close"
        assert raw.until_closed() == b""
    # Who asks to go on is told that it does.
    with edge.raw() as raw:
        for _ in range(2):
            status, headers, _ = raw.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + "\r\n").response()
            assert status == 200 and headers["connection"] == "keep-alive"


def test_the_canvas_and_its_pixels(edge):
    canvas = edge.gateway.canvas()
    assert (canvas["width"], canvas["height"], canvas["tile_edge"], canvas["cooldown_ms"]) == (300, 200, 256, 600000)
    assert canvas["limits"] == {"watch": 256, "in_flight": 4}
    assert len(canvas["palette"]) == 32 and canvas["palette"][0] == {"name": "white", "rgb": "#ffffff"}
    reply = edge.gateway.get("/api/v1/tiles/1/0")
    assert reply.status == 200 and len(reply.body) == 256 * 256
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "public, max-age=1"
    assert edge.gateway.get("/api/v1/tiles/1/0", **{"If-None-Match": reply.headers["etag"]}).status == 304
    png = edge.gateway.get("/api/v1/canvas.png")
    assert png.status == 200 and png.headers["content-type"] == "image/png" and png.body[:4] == b"\x89PNG"


def test_slow_clients(edge):
    """Absolute deadlines: bytes that trickle do not extend them."""

    def trickle(text, pause, address):
        with Raw(address, timeout=30) as raw:
            began = time.monotonic()
            raw.socket.settimeout(0.05)
            sent, got = 0, b""
            while time.monotonic() - began < 25:
                if sent < len(text) and time.monotonic() - began > sent * pause:
                    try:
                        raw.socket.sendall(text[sent : sent + 1])
                    except OSError:
                        pass
                    sent += 1
                try:
                    data = raw.socket.recv(4096)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
                if not data:
                    break
                got += data
            return time.monotonic() - began, got

    request = ("GET / HTTP/1.1\r\n" + HOST + "X: " + "a" * 100).encode()
    body = (SESSION + "Content-Length: 500\r\n\r\n").encode() + b"x" * 300
    served = ("GET /livez HTTP/1.1\r\n" + HOST + "\r\n").encode()
    with ThreadPoolExecutor(8) as pool:
        head = pool.submit(trickle, request, 0.2, edge.gateway.address)
        late_body = pool.submit(trickle, body, 0.02, edge.gateway.address)
        silent = pool.submit(trickle, b"", 1, edge.gateway.address)
        kept = pool.submit(trickle, served, 0.0, edge.gateway.address)
        no_proxy = pool.submit(trickle, b"", 1, edge.proxy)
        slow_proxy = pool.submit(trickle, proxy_v2("192.0.2.1") + request, 0.2, edge.proxy)
        no_tls = pool.submit(trickle, b"", 1, edge.tls.address)
    for future in (head, late_body):
        seconds, got = future.result()
        assert 4.8 < seconds < 9 and got.startswith(b"HTTP/1.1 408 ")
    seconds, got = silent.result()
    assert 4.8 < seconds < 7 and got == b""
    seconds, got = kept.result()
    assert 14 < seconds < 18 and got.startswith(b"HTTP/1.1 200 ") and got.count(b"HTTP/1.1") == 1
    for future in (no_proxy, slow_proxy):
        seconds, got = future.result()
        assert 2.8 < seconds < 5 and got == b""
    seconds, got = no_tls.result()
    assert 4.8 < seconds < 7 and got == b""


# ---- Sessions and origins --------------------------------------------------------------------------------------------


def test_sessions(edge):
    reply = http.request(edge.gateway.address, "POST", "/api/v1/session")
    answer = json.loads(reply.body)
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"tessera_session={answer['token']}; Path=/; ")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert reply.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in reply.headers
    for header in ({"Cookie": f"a=b; tessera_session={answer['token']}"}, {"Authorization": f"Bearer {answer['token']}"}):
        again = json.loads(http.request(edge.tight.address, "POST", "/api/v1/session", header).body)
        assert again["user"] == answer["user"]
    other = json.loads(http.request(edge.gateway.address, "POST", "/api/v1/session", {"Cookie": "tessera_session=rubbish"}).body)
    assert other["user"] != answer["user"]


def test_tampered_tokens(edge):
    token = edge.token()
    with edge.raw() as raw:
        raw.open(token)
    for i in range(0, len(token), 3):
        wrong = token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :]
        with edge.raw() as raw:
            assert raw.upgrade(wrong)[0] == 401, i
    for wrong in (None, "x", token[:-1], token + "A", token + ".", "t1..", "." * 90, token.replace("t1", "t2")):
        with edge.raw() as raw:
            status, headers, _ = raw.upgrade(wrong)
            assert status == 401 and headers["connection"] == "close"
            assert raw.until_closed() == b""
    with edge.raw() as raw:
        assert raw.upgrade(None, authorization=f"Bearer {token}")[0] == 101


def test_origins(edge):
    token = edge.token()
    good = [None, "http://localhost", "https://localhost", "https://friend.example"]
    bad = ["http://evil.example", "null", "", "http://localhost:81", "http://friend.example", "file://localhost"]
    for origin in good + bad:
        with edge.raw() as raw:
            status, headers, _ = raw.upgrade(token, origin=origin)
            assert status == (101 if origin in good else 403), origin
            assert "access-control-allow-origin" not in headers
        reply = http.request(edge.gateway.address, "POST", "/api/v1/session", {"Host": "localhost", **({"Origin": origin} if origin is not None else {})})
        assert reply.status == (200 if origin in good else 403), origin


# ---- Upgrades --------------------------------------------------------------------------------------------------------


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


# ---- Frames ----------------------------------------------------------------------------------------------------------

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
        raw.open(edge_token(edge))
        try:
            raw.send_slowly(data, step)
        except ConnectionError:
            pass
        assert raw.close_code_only() == code


_tokens = {}


def edge_token(edge):
    """One session for the tests that do not care whose it is."""
    return _tokens.setdefault(id(edge), edge.token())


def test_fragments_and_control_frames(edge):
    hello = protocol.hello(7, {(0, 0): NONE})
    with edge.raw() as raw:
        raw.open(edge_token(edge))
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
        raw.open(edge_token(edge))
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
        raw.open(edge_token(edge))
        began = time.monotonic()
        raw.send(frame(FIN | PING, b"x"))
        assert raw.close_code_only() == 4000
        assert 4.5 < time.monotonic() - began < 7


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_message_rate_pauses_and_does_not_spin(edge):
    """tight: 20 a second, burst 40."""
    with Raw(edge.tight.address, timeout=30) as raw:
        raw.open(edge_token(edge))
        raw.send(binary(protocol.hello(7, {})))
        assert isinstance(raw.message(), protocol.Welcome)
        before = metric(edge.tight.metrics, "tessera_gateway_messages_total")
        began, cpu = time.monotonic(), cpu_seconds(edge.tight.proc.pid)
        raw.send(b"".join(frame(FIN | PING, b"%d" % i) for i in range(99)) + frame(FIN | PING, b"last"))
        while raw.frame() != (PONG, b"last"):
            pass
        seconds = time.monotonic() - began
        assert 2.0 < seconds < 8, "100 messages, 40 at once and the rest at 20 a second"
        assert cpu_seconds(edge.tight.proc.pid) - cpu < 0.25 * seconds
        assert metric(edge.tight.metrics, "tessera_gateway_messages_total") == before + 100
        assert metric(edge.tight.metrics, "tessera_gateway_pauses_total") > 0


def test_draws_in_flight(edge):
    """With a cooldown, four: what follows is read when one was answered."""
    edge.cluster.shards[0].proc.pause()
    try:
        with edge.raw() as raw:
            raw.open(edge.token())
            raw.send(binary(protocol.hello(7, {})))
            assert isinstance(raw.message(), protocol.Welcome)
            before = metric(edge.gateway.metrics, "tessera_gateway_draws_total")
            raw.send(b"".join(binary(protocol.draw(i, 9, 1, 1)) for i in range(6)) + frame(FIN | PING, b"after"))
            time.sleep(0.5)
            assert metric(edge.gateway.metrics, "tessera_gateway_draws_total") == before + 4
            edge.cluster.shards[0].proc.resume()
            answers = []
            while len(answers) < 6:
                message = raw.message()
                if isinstance(message, protocol.Answer):
                    answers.append(message)
            assert [answer.x for answer in answers] == list(range(6))
            assert answers[0].code is Verdict.PLACED
            assert all(answer.code is not Verdict.PLACED for answer in answers[1:])
    finally:
        edge.cluster.shards[0].proc.resume()


def test_a_client_that_does_not_read(edge):
    """It may ask as much as it likes: the answers stay bounded, and others are served."""
    with edge.raw() as raw, edge.raw() as other:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.open(edge_token(edge))
        raw.send(binary(protocol.hello(7, {})))
        raw.socket.settimeout(1)
        try:
            for _ in range(3000):
                raw.send(frame(FIN | PING, b"p" * 125) * 50)
        except TimeoutError:
            pass  # it is not read any more
        other.open(edge_token(edge))
        other.send(binary(protocol.hello(8, {})))
        assert isinstance(other.message(), protocol.Welcome)


# ---- Limits ----------------------------------------------------------------------------------------------------------


def hello_through_proxy(address, token, source):
    raw = Raw(address)
    raw.send(proxy_v2(source))
    return raw, raw.upgrade(token)[0]


def test_connections_per_address_and_in_all(edge):
    """tight: three an address (IPv6: /64), five in all."""
    token = edge_token(edge)
    held = []
    try:
        for source, status in [("192.0.2.1", 101)] * 3 + [("192.0.2.1", 429), ("192.0.2.2", 101), ("2001:db8::1", 101)]:
            raw, got = hello_through_proxy(edge.tight_proxy, token, source)
            held.append(raw)
            assert got == status, source
        raw, got = hello_through_proxy(edge.tight_proxy, token, "192.0.2.3")
        held.append(raw)
        assert got == 503
        held.pop(0).socket.close()
        wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 4, 5, "it is noticed")
        raw, got = hello_through_proxy(edge.tight_proxy, token, "192.0.2.1")
        held.append(raw)
        assert got == 101
    finally:
        for raw in held:
            raw.socket.close()
    wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 0, 5, "all are gone")
    try:
        held = [hello_through_proxy(edge.tight_proxy, token, f"2001:db8:1:2::{i:x}") for i in range(4)]
        assert [got for _, got in held] == [101, 101, 101, 429]
    finally:
        for raw, _ in held:
            raw.socket.close()
    wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 0, 5, "all are gone")


def test_sessions_per_minute(edge):
    """tight: four an address. Showing a good token costs nothing."""

    def ask(source, headers=""):
        with Raw(edge.tight_proxy) as raw:
            raw.send(proxy_v2(source) + (SESSION + headers + "\r\n").encode())
            return raw.response()

    answers = [ask("198.51.100.1") for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 200, 429]
    assert 1 <= int(answers[4][1]["retry-after"]) <= 60
    assert ask("198.51.100.2")[0] == 200
    token = json.loads(answers[0][2])["token"]
    assert ask("198.51.100.1", f"Cookie: tessera_session={token}\r\n")[0] == 200


# ---- PROXY protocol --------------------------------------------------------------------------------------------------


def test_proxy_headers(edge):
    request = f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode()
    good = [proxy_v2("192.0.2.7"), proxy_v2("2001:db8::7"), proxy_v2(), proxy_v2("192.0.2.7", tlvs=b"\x04\x00\x01x"),
            proxy_v2("192.0.2.7", tlvs=b"\x04\x01\xf9" + b"\0" * 505)]  # 536 bytes
    for header in good:
        for step in (1 << 20, 1):
            with Raw(edge.proxy) as raw:
                assert raw.send_slowly(header + request, step).response()[0] == 200
    assert len(good[-1]) == 536
    bad = [request, proxy_v2("192.0.2.7")[:11] + b"X" + proxy_v2("192.0.2.7")[12:],
           proxy_v2("192.0.2.7", command=0x22) + request, proxy_v2("192.0.2.7", command=0x31) + request,
           proxy_v2("192.0.2.7", family=0x12) + request, proxy_v2("192.0.2.7", family=0x21) + request,
           proxy_v2("192.0.2.7", tlvs=b"\0" * 510) + request]
    for data in bad:
        with Raw(edge.proxy) as raw:
            raw.send(data)
            assert raw.until_closed() == b"", data


def test_proxy_header_of_a_stranger(edge):
    with Raw(edge.far_proxy) as raw:
        try:
            raw.send(proxy_v2("192.0.2.7") + f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
        except ConnectionError:
            pass
        assert raw.until_closed() == b""
    assert metric(edge.far.metrics, 'tessera_gateway_disconnects_total{reason="proxy_untrusted"}') == 1


# ---- TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(edge, version):
    wrap = edge.tls_context(version)
    with Raw(edge.tls.address, wrap=wrap) as raw:
        status, headers, body = raw.send(SESSION + "\r\n").response()
        assert status == 200 and headers["set-cookie"].endswith("; Secure")
        token = json.loads(body)["token"]
        status, _, body = raw.send(f"GET /api/v1/tiles HTTP/1.1\r\n{HOST}\r\n").response()
        assert status == 200 and len(body) == 2 * (16 + 65536)
    with Raw(edge.tls.address, wrap=wrap) as raw:
        raw.open(token).send(binary(protocol.hello(7, {(0, 0): NONE, (1, 0): NONE})))
        assert isinstance(raw.message(), protocol.Welcome)
        raw.send(binary(protocol.draw(9, 9, 3, 1)) + b"".join(frame(FIN | PING, b"%d" % i) for i in range(80)))
        while not isinstance(message := raw.message(), protocol.Answer):
            pass
        assert message.code is Verdict.PLACED
        raw.send(frame(FIN | CLOSE, b"\x03\xe8"))
        while (got := raw.frame())[0] != CLOSE:
            pass
        assert got[1] == b"\x03\xe8"


def test_a_slow_reader_over_tls(make_cluster, edge):
    """What OpenSSL has begun to write comes again unchanged after a full socket: frames, answers and HTTP bodies stay whole."""
    cluster = make_cluster(shards=1, gateways=0, width=256, height=256)
    gateway = cluster.add_gateway()
    gateway.proc.argv += [f"--tls-cert={edge.path / 'cert.pem'}", f"--tls-key={edge.path / 'key.pem'}", "--message-rate=0"]
    gateway.ready = lambda: http.get(gateway.metrics, "/readyz", timeout=2).status == 200
    gateway.start()
    wrap = edge.tls_context()

    def small(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return wrap(sock)

    with Raw(gateway.address, wrap=wrap) as raw:
        token = json.loads(raw.send(SESSION + "\r\n").response()[2])["token"]
    rng = random.Random(1)
    with Raw(gateway.address, wrap=wrap, timeout=30) as drawer:
        drawer.open(token).send(binary(protocol.hello(7, {})))
        first = drawer.message().next_nonce
        draws = [(n % 256, n // 256, rng.randrange(32), first + n) for n in range(65536)]
        for start in range(0, len(draws), 256):
            drawer.send(b"".join(binary(protocol.draw(*draw)) for draw in draws[start : start + 256]))
            answers = 0
            while answers < 256:
                message = drawer.message()
                answers += isinstance(message, protocol.Answer) and message.code is Verdict.PLACED
    with Raw(gateway.address, wrap=small, timeout=30) as raw:
        raw.open(token).send(binary(protocol.hello(8, {(0, 0): NONE})))
        # Each is answered with a snapshot of noise, so of 40 KB and more; between them answers of our own.
        for n in range(1, 251):
            raw.send(binary(protocol.resume({(0, 0): NONE})) + frame(FIN | PING, b"%d" % n))
            time.sleep(0.004)
        raw.send(binary(protocol.draw(1, 1, 1, first)))
        replica = protocol.Replica(256)
        got = placed = 0
        while placed == 0 or replica.pos.seq < 65537:
            message = raw.message()
            if isinstance(message, protocol.Snapshot):
                replica.load(message)
                got += 1
            elif isinstance(message, protocol.Tile):
                replica.apply(message)
                got += 1
            elif isinstance(message, protocol.Answer):
                assert message.code is Verdict.PLACED
                placed += 1
        assert got > 50 and placed == 1
    canvas = cluster.canvas()
    assert bytes(replica.colors) == canvas.colors[0, 0]
    with Raw(gateway.address, wrap=small, timeout=30) as raw:
        raw.send(f"GET /api/v1/tiles HTTP/1.1\r\n{HOST}\r\n" * 40)
        for _ in range(40):
            time.sleep(0.01)
            status, _, body = raw.response()
            assert status == 200 and body[16:] == canvas.colors[0, 0]


def test_tls_behind_a_proxy_header(edge):
    context = edge.tls_context()

    def wrap(sock):
        sock.sendall(proxy_v2("192.0.2.7"))
        return context(sock)

    with Raw(edge.tls_proxy, wrap=wrap) as raw:
        assert raw.send(f"GET /livez HTTP/1.1\r\n{HOST}\r\n").response()[0] == 200


def test_wrong_tls(edge):
    with Raw(edge.tls.address) as raw:
        raw.send("GET / HTTP/1.1\r\n" + HOST + "\r\n")
        assert not raw.until_closed().startswith(b"HTTP/")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        Raw(edge.tls.address, wrap=lambda sock: context.wrap_socket(sock, server_hostname="localhost"))


# ---- Drain -----------------------------------------------------------------------------------------------------------


def test_drain(edge):
    """SIGTERM: not ready at once, MOVE with spread delays, 1001 for who stays, and the end in time."""
    gateway = edge.add("--drain-spread=2s", "--drain-timeout=10s")
    gateway.start()
    token = edge_token(edge)
    clients = [Raw(gateway.address, timeout=15).open(token) for _ in range(4)]
    kept = Raw(gateway.address, timeout=15)
    try:
        for client in clients:
            client.send(binary(protocol.hello(7, {(0, 0): NONE})))
            assert isinstance(client.message(), protocol.Welcome)
        assert kept.send(f"GET /livez HTTP/1.1\r\n{HOST}\r\n").response()[0] == 200
        began = time.monotonic()
        gateway.proc.send(15)
        gateway.proc.wait_log("msg=draining")
        status, _, body = kept.send(f"GET /readyz HTTP/1.1\r\n{HOST}\r\n").response()
        assert status == 503 and b"draining" in body
        with Raw(gateway.address) as late:
            assert late.upgrade(token)[0] == 503
        delays = []
        for client in clients:
            while not isinstance(message := client.message(), protocol.Move):
                pass
            delays.append(message.delay_ms)
        assert delays == sorted(delays) and delays[-1] - delays[0] > 500 and delays[-1] <= 2500
        clients[0].send(frame(FIN | CLOSE, b"\x03\xe8"))
        assert clients[0].close_code_only() == 1000
        for client in clients[1:]:
            assert client.close_code_only() == 1001
        assert 2.5 < time.monotonic() - began < 6
        assert gateway.proc.popen.wait(5) == 0
    finally:
        for raw in [*clients, kept]:
            raw.socket.close()
        gateway.proc.popen.wait(15)
        gateway.proc.popen = None
        edge.cluster.gateways.remove(gateway)


def test_a_port_in_use_is_said(edge):
    """Other programs' ports; gateways among themselves may share one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway = edge.add(f"--listen=127.0.0.1:{taken.getsockname()[1]}")
        edge.cluster.gateways.remove(gateway)
        gateway.proc.start()
        assert gateway.proc.popen.wait(10) == 1
        assert "cannot listen" in gateway.proc.log_text()
        gateway.proc.popen = None


def test_two_gateways_on_one_port(edge):
    port = free_port()
    pair = [edge.add(f"--listen=127.0.0.1:{port}") for _ in range(2)]
    try:
        for gateway in pair:
            gateway.address = f"127.0.0.1:{port}"
            gateway.start()
        before = [metric(gateway.metrics, "tessera_gateway_accepted_total") for gateway in pair]
        for _ in range(60):
            with Raw(f"127.0.0.1:{port}") as raw:
                assert raw.send(f"GET /livez HTTP/1.1\r\n{HOST}\r\n").response()[0] == 200
        after = [metric(gateway.metrics, "tessera_gateway_accepted_total") for gateway in pair]
        assert all(b > a for a, b in zip(before, after)), "both serve"
    finally:
        for gateway in pair:
            gateway.proc.stop()
            edge.cluster.gateways.remove(gateway)
