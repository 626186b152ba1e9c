"""HTTP at the gateway's edge: wrong requests, paths, the page, connections that are kept, slow clients."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge_fixture import HOST, SESSION
from edge_fixture import edge, nobody_died  # noqa: F401
from raw import Raw, proxy_v2
from tessera.busy import Busy

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
        before = time.monotonic()  # its deadline begins no sooner
        with Raw(address, timeout=30) as raw:
            began = time.monotonic()
            raw.socket.settimeout(0.05)
            sent, got = 0, b""
            while time.monotonic() - began < 60:
                if sent < len(text) and time.monotonic() - began > sent * pause:
                    size = 1 if pause else len(text)
                    try:
                        raw.socket.sendall(text[sent : sent + size])
                    except OSError:
                        pass
                    sent += size
                try:
                    data = raw.socket.recv(4096)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
                if not data:
                    break
                got += data
            return time.monotonic() - before, time.monotonic() - began, got

    request = ("GET / HTTP/1.1\r\n" + HOST + "X: " + "a" * 100).encode()
    body = (SESSION + "Content-Length: 500\r\n\r\n").encode() + b"x" * 300
    served = ("GET /livez HTTP/1.1\r\n" + HOST + "\r\n").encode()
    busy = Busy(edge.gateway, edge.tls)
    with ThreadPoolExecutor(8) as pool:
        head = pool.submit(trickle, request, 0.2, edge.gateway.address)
        late_body = pool.submit(trickle, body, 0.02, edge.gateway.address)
        silent = pool.submit(trickle, b"", 1, edge.gateway.address)
        kept = pool.submit(trickle, served, 0.0, edge.gateway.address)
        no_proxy = pool.submit(trickle, b"", 1, edge.proxy)
        slow_proxy = pool.submit(trickle, proxy_v2("192.0.2.1") + request, 0.2, edge.proxy)
        no_tls = pool.submit(trickle, b"", 1, edge.tls.address)

    def ended(future, least, most):
        at_most, at_least, got = future.result()
        assert least < at_most and at_least < most + busy.seconds
        return got

    for future in (head, late_body):
        assert ended(future, 4.8, 9).startswith(b"HTTP/1.1 408 ")
    assert ended(silent, 4.8, 7) == b""
    got = ended(kept, 14, 18)
    assert got.startswith(b"HTTP/1.1 200 ") and got.count(b"HTTP/1.1") == 1
    for future in (no_proxy, slow_proxy):
        assert ended(future, 2.8, 5) == b""
    assert ended(no_tls, 4.8, 7) == b""
