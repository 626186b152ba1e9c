"""One shard against a real Redis: what is placed, by which rules, and what an operator sees of it."""

import collections
import struct
import time
import urllib.request

from links import ALLOWANCE, BAD_COLOR, COOLDOWN, OUT_OF_BOUNDS, PLACED, READ_ONLY, STALE, unpack
from ownership import EDGE, checksum
from redis_fixture import check_all, check_tile, free_port, wait_for
from shard_fixture import CANVAS, FAST, SLOW
from shard_fixture import world  # noqa: F401
from shard_gateway import Draw, Painter


def test_places_draws(world):
    world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.paint(3000)
    painter.gateway.finish()
    placements = painter.check(world.client)
    assert sum(map(len, placements.values())) == 3000
    for draw in painter.draws:
        found = placements[draw.x // EDGE, draw.y // EDGE][draw.verdict.seq - 1]
        assert (found["user"], found["color"]) == (draw.user, draw.color), "the seq is its own"
    assert {draw.verdict.wait_ms for draw in painter.draws} == {0}


def test_checksum_and_position_beats(world):
    world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.paint(500, tiles=1)
    bus = world.client.pubsub()
    bus.subscribe("{t:0:0}:bus")
    painter.gateway.finish()

    def beaten():
        k, ks = world.client.hmget("{t:0:0}:meta", "k", "ks")
        return ks == b"500" and k == f"{checksum(world.client.get('{t:0:0}:px')):016x}".encode()

    wait_for(beaten, "the checksum of all 500 is stored", 20)
    messages = [unpack(m["data"]) for m in iter(lambda: bus.get_message(timeout=0.1), None) if m["type"] == "message"]
    epoch = int(world.client.hget("{t:0:0}:meta", "e"))
    assert [2, epoch, 500, struct.pack("<Q", checksum(world.client.get("{t:0:0}:px")))] in messages
    updates = [m for m in messages if m[0] == 1]
    assert sum(len(m[4]) // 3 for m in updates) == 500 and updates[0][1] == 0


def test_rules_need_no_redis(world):
    world.shard(*SLOW)
    gateway = world.gateway()
    verdicts = gateway.place(Draw(1, 0, 0, 32, 1), Draw(1, 512, 0, 1, 1), Draw(1, 0, 600, 1, 1))
    assert [v[1:] for v in verdicts] == [(BAD_COLOR, 0, 1, 0), (OUT_OF_BOUNDS, 0, 1, 0), (OUT_OF_BOUNDS, 0, 1, 0)]
    assert check_all(world.client) == {}


def test_read_only_by_configuration(world):
    world.shard(*FAST)
    gateway = world.gateway()
    world.client.hset("{cluster}:config", mapping={"read_only": 1, "version": 2})
    world.client.publish("{cluster}:bus", b"\x92\x04\x02")
    nonce = iter(range(1, 10000))

    def code():
        return gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].code

    wait_for(lambda: code() == READ_ONLY, "draws are refused", 20)
    assert gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].wait_ms > 0
    world.client.hset("{cluster}:config", mapping={"read_only": 0, "version": 3})
    wait_for(lambda: code() == PLACED, "found without a message too")
    check_all(world.client)


def test_cooldown_and_nonces(world):
    world.shard(*SLOW)
    gateway = world.gateway()
    first, = gateway.place(Draw(1, 0, 0, 1, 1))
    assert first[1:] == (PLACED, 1, 2, 3600000)
    repeated, other, ahead, early = gateway.place(Draw(1, 0, 0, 1, 1), Draw(1, 0, 0, 2, 1), Draw(1, 0, 0, 1, 7),
                                                  Draw(1, 200, 0, 1, 2))
    assert repeated[1:4] == (PLACED, 1, 2) and other[1:4] == (STALE, 0, 2) and ahead[1:4] == (STALE, 0, 2)
    assert early[1:4] == (COOLDOWN, 0, 2) and all(3590000 < v.wait_ms <= 3600000 for v in (repeated, other, ahead, early))
    assert sum(map(len, check_all(world.client).values())) == 1


def test_the_cooldown_is_exact(world):
    world.shard(*CANVAS, "--cooldown", "300ms", "--guests-per-address", 0)
    gateway = world.gateway()
    landed = []
    for nonce in range(1, 6):
        for _ in range(2):  # who waits as told is not refused again
            verdict, = gateway.place(Draw(1, 0, 0, nonce, nonce))
            if verdict.code == PLACED:
                break
            assert verdict.code == COOLDOWN and verdict.next_nonce == nonce
            assert 0 < verdict.wait_ms <= 300
            time.sleep(verdict.wait_ms / 1000)
        assert verdict.code == PLACED
        landed.append(struct.unpack("<Q", world.client.get("{u:1}:0000000000000001")[16:])[0])
    gaps = [b - a for a, b in zip(landed, landed[1:])]
    assert min(gaps) >= 300, gaps


def test_one_placement_per_cooldown_on_many_links(world):
    world.shard(*SLOW)
    world.shard(*SLOW)
    gateways = [world.gateway() for _ in range(20)]
    draws = []
    for i, gateway in enumerate(gateways):
        draws.append(Draw(42, 25 * i, 10, 1, 1))
        gateway.submit(draws[-1])
    for gateway in gateways:
        gateway.finish()
    codes = collections.Counter(draw.verdict.code for draw in draws)
    assert codes[PLACED] == 1 and codes[STALE] + codes[COOLDOWN] == 19
    assert sum(map(len, check_all(world.client).values())) == 1


def test_allowance_of_guests(world):
    world.shard(*SLOW, "--guests-per-address", 3)
    gateway = world.gateway()
    verdicts = gateway.place(*[Draw(user, user, 0, 1, 1, address="192.0.2.9") for user in range(1, 6)],
                             Draw(6, 6, 0, 1, 1, address="192.0.2.9", kind=2), Draw(7, 7, 0, 1, 1, address="192.0.2.10"))
    assert [v.code for v in verdicts] == [PLACED] * 3 + [ALLOWANCE] * 2 + [PLACED] * 2
    assert len(check_tile(world.client, 0, 0)) == 5


def test_repetitions_with_cooldown_0(world):
    world.shard(*FAST)
    gateway = world.gateway()
    gateway.place(*[Draw(1, nonce % 64, 0, 1, nonce) for nonce in range(1, 400) if nonce != 390])
    assert len(check_tile(world.client, 0, 0)) == 398
    again = gateway.place(*[Draw(1, nonce % 64, 0, 1, nonce) for nonce in range(380, 400)])
    assert [v.code for v in again] == [PLACED] * 20 and all(1 <= v.seq <= 399 for v in again)
    assert len(check_tile(world.client, 0, 0)) == 399, "only the one that was missing"
    assert gateway.place(Draw(1, 0, 0, 1, 399 - 256))[0][1:4] == (STALE, 0, 400)
    assert gateway.place(Draw(1, 0, 0, 1, 399 - 255))[0].code == PLACED
    # Another connection, another user, another tile: nonces of their own.
    fresh = gateway.place(Draw(1, 0, 0, 1, 5, connection=2), Draw(2, 0, 0, 1, 5), Draw(1, 64, 0, 1, 5))
    assert [v.code for v in fresh] == [PLACED] * 3
    assert len(check_tile(world.client, 0, 0)) == 401 and len(check_tile(world.client, 1, 0)) == 1


def test_metrics(world):
    port = free_port()
    world.shard(*FAST, "--metrics", f"127.0.0.1:{port}")
    world.gateway().place(Draw(1, 0, 0, 1, 1), Draw(1, 0, 0, 99, 2))

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
            return reply.read().decode()

    text = get("/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values['tessera_shard_verdicts_total{verdict="placed"}'] == "1"
    assert values['tessera_shard_verdicts_total{verdict="bad_color"}'] == "1"
    assert values["tessera_shard_owned_tiles"] == "1" and values["tessera_shard_links"] == "1"
    assert get("/readyz") and get("/livez"), "200"


def test_a_differing_flag_warns(world):
    world.shard(*FAST)
    second = world.shard(*FAST[2:], "--width", 100)
    wait_for(lambda: "width" in second.output() and "differs" in second.output(), "the warning")
