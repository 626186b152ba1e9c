"""The PROXY protocol, whole: both versions; what is closed without a word; and every limit of an address by the real one."""

import asyncio
import json
import struct
import time

import pytest

from raw import FIN, PING, Raw, binary, frame, proxy_v2
from tessera import protocol
from tessera.busy import Busy
from tessera.cluster import Cluster, metric
from tessera.procs import free_port, wait_until
from tessera.protocol import Verdict

HOST = "Host: localhost\r\n"
LIVEZ = f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode()
SESSION = f"POST /api/v1/session HTTP/1.1\r\n{HOST}\r\n"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_crc(source, tlvs=b"", wrong=0):
    header = proxy_v2(source, tlvs=tlvs + b"\x03\x00\x04" + bytes(4))
    return header[:-4] + struct.pack(">I", crc32c(header) ^ wrong)


class World:
    """One shard with an allowance of three for guests; gateways with PROXY listeners and one limit each."""

    def __init__(self, path):
        self.cluster = Cluster(path, shards=1, gateways=0, cooldown="10m", guests_per_address=3, width=256, height=256)
        self.open = self.add()
        self.strict = self.add("--proxy-networks=10.0.0.0/8,2001:db8::/32")
        self.connections = self.add("--connections-per-address=3")
        self.arrivals = self.add("--new-connections-per-minute=5")
        self.messages = self.add("--messages-per-address=20", "--message-rate=0")

    def add(self, *args):
        gateway = self.cluster.add_gateway()
        gateway.proxy = f"127.0.0.1:{free_port()}"
        gateway.proc.argv += [f"--proxy-listen={gateway.proxy}", *args]
        return gateway


@pytest.fixture(scope="module")
def world(module_dir):
    world = World(module_dir / "cluster")
    with world.cluster:
        yield world


GOOD = {
    "v1 tcp4": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    "v1 tcp6": b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n",
    "v1 longest": b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",
    "v1 unknown": b"PROXY UNKNOWN\r\n",
    "v1 unknown, more": b"PROXY UNKNOWN whatever it says\r\n",
    "v2 tcp4": proxy_v2("192.0.2.7"),
    "v2 tcp6": proxy_v2("2001:db8::7"),
    "v2 local": proxy_v2(),
    "v2 local, more": proxy_v2(tlvs=b"anything"),
    "v2 unspecified": proxy_v2("192.0.2.7")[:13] + b"\x00" + proxy_v2("192.0.2.7")[14:],
    "v2 tlv": proxy_v2("192.0.2.7", tlvs=b"\x04\x00\x01x\xea\x00\x02yz"),
    "v2 crc32c": with_crc("2001:db8::7", b"\x04\x00\x03xyz"),
    "v2 longest": proxy_v2("192.0.2.7", tlvs=b"\x04\x01\xf9" + bytes(505)),
}

BAD = {
    "nothing": LIVEZ,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "garbage": bytes(range(256)) * 3,
    "zeros": bytes(600),
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 endless": b"PROXY TCP4 " + b"1" * 4096,
    "v1 bare LF": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
    "v1 no ports": b"PROXY TCP4 192.0.2.7 198.51.100.1\r\n",
    "v1 port": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
    "v1 other family": b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    "v1 name": b"PROXY TCP4 localhost localhost 1 2\r\n",
    "v1 lower case": b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    "v1 udp": b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
    "v1 twice": b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" * 2,
    "v2 twice": proxy_v2("192.0.2.7") * 2,
    "v2 signature": proxy_v2("192.0.2.7")[:11] + b"X" + proxy_v2("192.0.2.7")[12:],
    "v2 version": proxy_v2("192.0.2.7", command=0x31),
    "v2 command": proxy_v2("192.0.2.7", command=0x22),
    "v2 udp": proxy_v2("192.0.2.7", family=0x12),
    "v2 family's length": proxy_v2("192.0.2.7", family=0x21),
    "v2 too long": proxy_v2("192.0.2.7", tlvs=b"\x04\x01\xfa" + bytes(506)),
    "v2 length 65535": proxy_v2("192.0.2.7")[:14] + b"\xff\xff" + bytes(600),
    "v2 tlv cut": proxy_v2("192.0.2.7", tlvs=b"\x04\x00\x05x"),
    "v2 crc32c wrong": with_crc("192.0.2.7", wrong=1),
    "v2 crc32c short": proxy_v2("192.0.2.7", tlvs=b"\x03\x00\x02xx"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_headers(world, name):
    for step in 1 << 20, 1:
        with Raw(world.open.proxy) as raw:
            assert raw.send_slowly(GOOD[name] + LIVEZ, step).response()[0] == 200


@pytest.mark.parametrize("name", BAD)
def test_bad_headers_are_closed_without_a_word(world, name):
    before = metric(world.open.metrics, "tessera_gateway_http_requests_total")
    refused = metric(world.open.metrics, "tessera_gateway_disconnects_total{reason=\"http_refused\"}")
    with Raw(world.open.proxy) as raw:
        begin, busy = time.monotonic(), Busy(world.open)
        try:
            raw.send(BAD[name] + LIVEZ)
        except ConnectionError:
            pass
        answer = raw.until_closed()
        # Behind a good header, a second one is a malformed request like any other.
        assert answer == b"" or (name.endswith("twice") and answer.startswith(b"HTTP/1.1 400"))
        assert time.monotonic() - begin < 2 + busy.seconds
    assert metric(world.open.metrics, "tessera_gateway_http_requests_total") == before
    counted = lambda: metric(world.open.metrics, "tessera_gateway_disconnects_total{reason=\"http_refused\"}")  # noqa: E731
    wait_until(lambda: counted() >= refused + name.endswith("twice"), 20, "it is counted")
    assert counted() == refused + name.endswith("twice")


def test_cut_headers_are_closed_in_time(world):
    """Each cut somewhere, all at once: closed within 4 s, none answered."""
    cuts = [GOOD[name][: 1 + len(GOOD[name]) * k // 7] for name in GOOD for k in range(7) if 1 + len(GOOD[name]) * k // 7 < len(GOOD[name])]
    begin, busy = time.monotonic(), Busy(world.open)
    raws = [Raw(world.open.proxy).send(cut) for cut in [b"", *cuts]]
    for raw in raws:
        assert raw.until_closed() == b""
        raw.socket.close()
    assert 2.5 < time.monotonic() - begin < 4 + busy.seconds
    assert len(raws) > 60


def test_strangers_are_closed(world):
    before = metric(world.strict.metrics, "tessera_gateway_http_requests_total")
    for header in GOOD.values():
        with Raw(world.strict.proxy) as raw:
            try:
                raw.send(header + LIVEZ)
            except ConnectionError:
                pass
            assert raw.until_closed() == b""
    name = 'tessera_gateway_disconnects_total{reason="proxy_untrusted"}'
    wait_until(lambda: metric(world.strict.metrics, name) == len(GOOD), 20, "they are counted")
    assert metric(world.strict.metrics, "tessera_gateway_http_requests_total") == before


def test_a_header_on_the_public_port_is_no_header(world):
    for header in GOOD.values():
        with Raw(world.open.address) as raw:
            assert raw.send(header + LIVEZ).until_closed()[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 505")


# ---- Limits of an address, by IPv6 addresses of one /64 --------------------------------------------------------------


def through(gateway, source, request=None):
    raw = Raw(gateway.proxy)
    raw.send(proxy_v2(source))
    if request is not None:
        raw.send(request)
    return raw


def token_of(gateway, source):
    with through(gateway, source, SESSION) as raw:
        return json.loads(raw.response()[2])["token"]


def test_connections(world):
    token = token_of(world.open, "2001:db8::1")
    held = [through(world.connections, f"2001:db8:1:1::{n:x}") for n in range(1, 4)]
    try:
        assert [raw.upgrade(token)[0] for raw in held] == [101] * 3
        fourth, other = through(world.connections, "2001:db8:1:1:ffff::9"), through(world.connections, "2001:db8:1:2::1")
        held += [fourth, other]
        assert fourth.upgrade(token)[0] == 429
        assert other.upgrade(token)[0] == 101
        # As many that are no WebSockets, and the next is closed when its address is known.
        idle = [through(world.connections, f"2001:db8:1:3::{n:x}", LIVEZ) for n in range(1, 4)]
        held += idle
        assert [raw.response()[0] for raw in idle] == [200] * 3
        with through(world.connections, "2001:db8:1:3::4", LIVEZ) as raw:
            assert raw.until_closed() == b""
        name = 'tessera_gateway_disconnects_total{reason="address_full"}'
        wait_until(lambda: metric(world.connections.metrics, name) == 1, 20, "it is counted")
    finally:
        for raw in held:
            raw.socket.close()


def test_new_connections(world):
    def closed(source):
        with through(world.arrivals, source, LIVEZ) as raw:
            return not raw.until_closed() if source.endswith("::6") else raw.response()[0] != 200

    assert [closed(f"2001:db8:2:1::{n}") for n in range(1, 6)] == [False] * 5
    assert closed("2001:db8:2:1::6")
    assert not closed("2001:db8:2:2::1")
    name = 'tessera_gateway_disconnects_total{reason="address_rate"}'
    wait_until(lambda: metric(world.arrivals.metrics, name) == 1, 20, "it is counted")


def test_messages(world):
    """Two clients of a /64 share 20 messages a second (burst 40); a third, of another one, has its own."""
    sources = ["2001:db8:3:1::1", "2001:db8:3:1::2", "2001:db8:3:2::1"]
    raws = [through(world.messages, source).open(token_of(world.open, "2001:db8::2")) for source in sources]
    try:
        for raw in raws:
            raw.send(binary(protocol.hello(7, {})))
            assert isinstance(raw.message(), protocol.Welcome)

        before = metric(world.messages.metrics, "tessera_gateway_messages_total")
        begin, busy = time.monotonic(), Busy(world.messages, *world.cluster.shards, world.cluster.redis)
        for raw in raws[:2]:
            raw.send(b"".join(frame(FIN | PING, b"%d" % n) for n in range(200)))
        wait_until(lambda: metric(world.messages.metrics, "tessera_gateway_pauses_total") > 0, 20, "they pause")
        raws[2].send(binary(protocol.draw(1, 1, 1, 1)))
        while not isinstance(raws[2].message(), protocol.Answer):
            pass
        assert time.monotonic() - begin < 5 + busy.seconds
        wait_until(lambda: metric(world.messages.metrics, "tessera_gateway_messages_total") - before >= 70, 20, "seventy of them")
        count = metric(world.messages.metrics, "tessera_gateway_messages_total") - before
        took = time.monotonic() - begin
        assert count <= 40 + 1 + 20 * took + 10
    finally:
        for raw in raws:
            raw.socket.close()


def test_guests(world):
    """The allowance is the /64's, three per cooldown, whichever gateway and however many guests."""

    def draw(source, x):
        token = token_of(world.open, source)
        with through(world.open, source).open(token) as raw:
            raw.send(binary(protocol.hello(7, {})))
            assert isinstance(raw.message(), protocol.Welcome)
            raw.send(binary(protocol.draw(x, 100, 1, 1)))
            while not isinstance(answer := raw.message(), protocol.Answer):
                pass
            return answer.code

    assert [draw(f"2001:db8:4:1::{n}", n) for n in range(1, 5)] == [Verdict.PLACED] * 3 + [Verdict.ALLOWANCE]
    assert draw("2001:db8:4:2::1", 9) is Verdict.PLACED
