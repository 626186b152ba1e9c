"""What the gateway's ports speak, PROXY headers and TLS; who shares a port; and how they close: drain."""

import json
import random
import socket
import ssl
import time

import pytest

from edge_fixture import HOST, SESSION
from edge_fixture import edge, nobody_died  # noqa: F401
from raw import CLOSE, FIN, PING, Raw, binary, frame, proxy_v2
from tessera import protocol
from tessera.busy import Busy
from tessera.cluster import metric
from tessera.procs import free_port, wait_until
from tessera.protocol import NONE, Verdict
from tls_fixture import wrap

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # that it is refused is the point


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
    name = 'tessera_gateway_disconnects_total{reason="proxy_untrusted"}'
    wait_until(lambda: metric(edge.far.metrics, name) == 1, 20, "it is counted")


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
    gateway.proc.argv += [f"--tls-cert={edge.cert}", f"--tls-key={edge.key}", "--message-rate=0"]
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


def test_drain(edge):
    """SIGTERM: not ready at once, MOVE with spread delays, 1001 for who stays, and the end in time."""
    gateway = edge.add("--drain-spread=2s", "--drain-timeout=10s")
    gateway.start()
    token = edge.any_token()
    clients = [Raw(gateway.address, timeout=15).open(token) for _ in range(4)]
    kept = Raw(gateway.address, timeout=15)
    try:
        for client in clients:
            client.send(binary(protocol.hello(7, {(0, 0): NONE})))
            assert isinstance(client.message(), protocol.Welcome)
        assert kept.send(f"GET /livez HTTP/1.1\r\n{HOST}\r\n").response()[0] == 200
        began, busy = time.monotonic(), Busy(gateway)
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
        assert 2.5 < time.monotonic() - began < 6 + busy.seconds
        assert gateway.proc.popen.wait(20) == 0
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
        assert gateway.proc.popen.wait(20) == 1
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
