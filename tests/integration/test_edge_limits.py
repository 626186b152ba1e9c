"""Greedy clients: rates, draws under way, answers that are not read, connections and sessions of an address."""

import json
import os
import socket
import time
from pathlib import Path

from edge_fixture import SESSION
from edge_fixture import edge, nobody_died  # noqa: F401
from raw import FIN, PING, PONG, Raw, binary, frame, proxy_v2
from tessera import protocol
from tessera.busy import Busy
from tessera.cluster import metric
from tessera.procs import wait_until
from tessera.protocol import Verdict


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_message_rate_pauses_and_does_not_spin(edge):
    """tight: 20 a second, burst 40."""
    with Raw(edge.tight.address, timeout=30) as raw:
        raw.open(edge.any_token())
        raw.send(binary(protocol.hello(7, {})))
        assert isinstance(raw.message(), protocol.Welcome)
        before = metric(edge.tight.metrics, "tessera_gateway_messages_total")
        began, cpu, busy = time.monotonic(), cpu_seconds(edge.tight.proc.pid), Busy(edge.tight)
        raw.send(b"".join(frame(FIN | PING, b"%d" % i) for i in range(99)) + frame(FIN | PING, b"last"))
        while raw.frame() != (PONG, b"last"):
            pass
        seconds = time.monotonic() - began
        assert 2.0 < seconds < 8 + busy.seconds, "100 messages, 40 at once and the rest at 20 a second"
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
            wait_until(lambda: metric(edge.gateway.metrics, "tessera_gateway_draws_total") >= before + 4, 20, "four are read")
            time.sleep(0.3)
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
        raw.open(edge.any_token())
        raw.send(binary(protocol.hello(7, {})))
        raw.socket.settimeout(1)
        try:
            for _ in range(3000):
                raw.send(frame(FIN | PING, b"p" * 125) * 50)
        except TimeoutError:
            pass  # it is not read any more
        other.open(edge.any_token())
        other.send(binary(protocol.hello(8, {})))
        assert isinstance(other.message(), protocol.Welcome)


def hello_through_proxy(address, token, source):
    raw = Raw(address)
    raw.send(proxy_v2(source))
    return raw, raw.upgrade(token)[0]


def test_connections_per_address_and_in_all(edge):
    """tight: three an address (IPv6: /64), five in all."""
    token = edge.any_token()
    wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 0, 20, "those of other tests are gone")
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
        wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 4, 20, "it is noticed")
        raw, got = hello_through_proxy(edge.tight_proxy, token, "192.0.2.1")
        held.append(raw)
        assert got == 101
    finally:
        for raw in held:
            raw.socket.close()
    wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 0, 20, "all are gone")
    try:
        held = [hello_through_proxy(edge.tight_proxy, token, f"2001:db8:1:2::{i:x}") for i in range(4)]
        assert [got for _, got in held] == [101, 101, 101, 429]
    finally:
        for raw, _ in held:
            raw.socket.close()
    wait_until(lambda: metric(edge.tight.metrics, "tessera_gateway_clients") == 0, 20, "all are gone")


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
