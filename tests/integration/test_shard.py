"""Shards against a real Redis, with a gateway of the test's own: what is acknowledged is there, once, whatever dies."""

import collections
import pathlib
import random
import signal
import struct
import time
import urllib.request

import pytest

from redis_fixture import RealRedis, Scripts, check_all, check_tile, free_port, wait_for
from shard_fixture import (ALLOWANCE, BAD_COLOR, COOLDOWN, NOT_OWNER, OUT_OF_BOUNDS, OVERLOADED, PLACED, READ_ONLY, SECRET, STALE,
                           Draw, Gateway, Link, Shard, Verdict, checksum, draw_bytes, owner_of, read_view, unpack)

EDGE = 64
CANVAS = ["--width", 512, "--height", 512, "--tile-edge", EDGE]
FAST = [*CANVAS, "--cooldown", 0]
SLOW = [*CANVAS, "--cooldown", "1h"]


class World:
    """Redis and shards that are gone with the test; what failed is told with the shards' logs."""

    def __init__(self):
        self.redis = RealRedis()
        self.shards, self.gateways = [], []

    @property
    def client(self):
        return self.redis.client

    def shard(self, *flags):
        shard = Shard(self.redis, *flags)
        self.shards.append(shard)
        return shard

    def gateway(self, **options):
        gateway = Gateway(self.redis, EDGE, **options)
        self.gateways.append(gateway)
        return gateway

    def close(self):
        for gateway in self.gateways:
            gateway.close()
        for shard in self.shards:
            print(f"---- {shard.address}\n{shard.output()}")
            alive = shard.process.poll() is None
            shard.close()
            assert alive or shard.process.returncode in (0, -signal.SIGKILL), "a shard ended by itself"
        self.redis.close()


@pytest.fixture
def world():
    world = World()
    yield world
    world.close()


class Painter:
    """Users that draw without waiting, cooldown 0: every draw has a place and time of its own in the record."""

    def __init__(self, gateway, users=8, seed=1):
        self.gateway, self.random = gateway, random.Random(seed)
        self.nonces = collections.Counter()
        self.users = users
        self.draws = []

    def paint(self, count, tiles=8):
        for _ in range(count):
            user = self.random.randrange(1, self.users + 1)
            self.nonces[user] += 1
            draw = Draw(user, self.random.randrange(tiles * EDGE), self.random.randrange(tiles * EDGE),
                        self.random.randrange(1, 32), self.nonces[user], connection=1000 + user)
            self.draws.append(draw)
            self.gateway.submit(draw)

    def run(self, seconds, rate=4000, tiles=8):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.gateway.waiting() < 256:
                self.paint(rate // 100, tiles)
            self.gateway.turn()

    def check(self, client):
        """All were placed, each once, in the order of each tile, and the canvas is what was drawn."""
        assert all(draw.verdict and draw.verdict.code == PLACED for draw in self.draws), \
            collections.Counter(draw.verdict and draw.verdict.code for draw in self.draws)
        expected = collections.defaultdict(list)
        for draw in self.draws:
            tile = (draw.x // EDGE, draw.y // EDGE)
            expected[tile].append((draw.user, draw.y % EDGE * EDGE + draw.x % EDGE, draw.color))
        placements = check_all(client)
        for tile, wanted in expected.items():
            found = [(p["user"], p["offset"], p["color"]) for p in placements[tile]]
            assert collections.Counter(found) == collections.Counter(wanted), "placed, and once"
            assert found == wanted, "in order"
        for draw in self.draws:
            tile = (draw.x // EDGE, draw.y // EDGE)
            assert 1 <= draw.verdict.seq <= len(placements[tile])
        return placements


# ---- One shard -----------------------------------------------------------------------------------------------------------


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

    wait_for(beaten, "the checksum of all 500 is stored", 5)
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

    wait_for(lambda: code() == READ_ONLY, "draws are refused", 2)
    assert gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].wait_ms > 0
    world.client.hset("{cluster}:config", mapping={"read_only": 0, "version": 3})
    wait_for(lambda: code() == PLACED, "found without a message too", 3)
    check_all(world.client)


def test_read_only_when_redis_is_nearly_full(world):
    world.shard(*FAST)
    gateway = world.gateway()
    assert gateway.place(Draw(1, 0, 0, 1, 1))[0].code == PLACED
    used = world.client.info("memory")["used_memory"]
    world.client.config_set("maxmemory", used * 100 // 85)
    nonce = iter(range(2, 10000))
    wait_for(lambda: gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].code == READ_ONLY, "draws are refused", 4)
    world.client.config_set("maxmemory", 0)
    wait_for(lambda: gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].code == PLACED, "draws are placed", 4)
    check_all(world.client)


def test_redis_out_of_memory_is_read_only(world):
    world.shard(*FAST)
    gateway = world.gateway()
    assert gateway.place(Draw(1, 0, 0, 1, 1))[0].code == PLACED
    world.client.config_set("maxmemory", 1)
    assert gateway.place(Draw(1, 1, 0, 1, 2))[0].code == READ_ONLY
    world.client.config_set("maxmemory", 0)
    wait_for(lambda: gateway.place(Draw(1, 2, 0, 1, 3))[0].code == PLACED, "draws are placed", 4)
    # The refused draw was not taken for placed because a later one was.
    assert gateway.place(Draw(1, 1, 0, 1, 2))[0].code == PLACED
    assert [p["offset"] for p in check_tile(world.client, 0, 0)] == [0, 2, 1]


def quiet(world):
    """No shard gave up its connection to Redis."""
    return all("redis connection lost" not in shard.output() for shard in world.shards)


def test_redis_out_of_memory_for_takings_and_beats(world):
    """They are refused too, and the shard goes on."""
    world.shard(*FAST)
    gateway = world.gateway()
    assert gateway.place(Draw(1, 0, 0, 1, 1))[0].code == PLACED
    world.client.config_set("maxmemory", 1)
    draws = [Draw(1, 64 * tile, 64, 1, 10 + tile) for tile in range(8)]
    assert [verdict.code for verdict in gateway.place(*draws)] == [READ_ONLY] * 8
    time.sleep(1.5)  # a position beat
    world.client.config_set("maxmemory", 0)
    wait_for(lambda: gateway.place(*[Draw(1, 64 * tile, 64, 1, 10 + tile) for tile in range(8)])[7].code == PLACED,
             "draws are placed", 4)
    assert quiet(world)
    check_all(world.client)


def test_redis_may_not_write_for_longer_than_a_lease(world):
    """Its disk fails: read-only, and nobody is evicted for not beating."""
    world.shard(*FAST), world.shard(*FAST)
    gateway = world.gateway()
    assert [v.code for v in gateway.place(*[Draw(1, 64 * tile, 0, 1, 1 + tile) for tile in range(8)])] == [PLACED] * 8
    before = read_view(world.client)
    obstacle = pathlib.Path(world.redis.dir) / "dump.rdb"
    obstacle.mkdir()
    world.client.config_set("save", "3600 1")
    world.client.bgsave()
    wait_for(lambda: world.client.info("persistence")["rdb_last_bgsave_status"] == "err", "saving fails")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert {v.code for v in gateway.place(*[Draw(1, 64 * tile, 64, 1, 100) for tile in range(8)])} == {READ_ONLY}
    obstacle.rmdir()
    world.client.bgsave()
    wait_for(lambda: {v.code for v in gateway.place(*[Draw(1, 64 * tile, 64, 1, 100) for tile in range(8)])} == {PLACED},
             "draws are placed", 4)
    time.sleep(1)
    assert read_view(world.client) == before and quiet(world)
    check_all(world.client)


def test_a_damaged_tile_stops_no_other(world):
    world.shard(*FAST)
    gateway = world.gateway()
    world.client.lpush("{t:0:0}:last", "garbage")
    codes = [v.code for v in gateway.place(Draw(1, 64, 0, 1, 1), Draw(1, 0, 0, 1, 2), Draw(1, 65, 0, 1, 3))]
    assert codes == [PLACED, READ_ONLY, PLACED] and quiet(world)
    world.client.delete("{t:0:0}:last")
    assert gateway.place(Draw(1, 0, 0, 1, 2))[0].code == PLACED


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


# ---- Links ---------------------------------------------------------------------------------------------------------------


def closed(link, seconds=2.0):
    deadline = time.monotonic() + seconds
    while link.open and time.monotonic() < deadline:
        link.poll(0.1)
    return not link.open


def test_links_need_the_secret(world):
    shard = world.shard(*FAST)
    with pytest.raises(ConnectionError):
        Link(shard.address, secret="another secret of the same length here")
    for before in ([7], [4, 1, 0, draw_bytes(1, 1, 0, 0, 1, 1)]):
        link = Link(shard.address, shake=False)
        link.wait()
        link.send(before)
        assert closed(link), "nothing but RESPONSE before ACCEPT"
    assert Link(shard.address).open


def test_a_challenge_is_not_waited_for_longer_than_5_s(world):
    shard = world.shard(*FAST)
    link = Link(shard.address, shake=False)
    link.wait()
    started = time.monotonic()
    assert closed(link, 8)
    assert 4 < time.monotonic() - started < 7


def test_malformed_messages_close_only_their_link(world):
    shard = world.shard(*FAST)
    good = Link(shard.address)
    draw = draw_bytes(1, 1, 0, 0, 1, 1)
    for data in (b"", b"\x00", b"\x91\x63", b"\x92\x07\x01", b"\xdd\xff\xff\xff\xff", b"\x94" * 155,
                 b"\x94\x04\x01\x00\xc4\x30" + draw[:-1], b"\x94\x04\x01\x00\xc4\x31" + draw + b"x",
                 b"\x94\x04\x01\x00\xc4\x30" + draw[:13] + b"\x09" + draw[14:], b"\x94\x04\x01\x00\xc4\x00",
                 b"\x94\x04\x01\x05\xc4\x30" + draw):
        link = Link(shard.address)
        link.send_raw(data)
        assert closed(link), data
    link = Link(shard.address)
    link.socket.sendall(struct.pack(">I", 65537))
    assert closed(link), "longer than any message may be"
    good.forward(1, [draw])
    assert good.answers(1)[0].code == PLACED
    good.send([7])
    kind, view = good.wait()
    assert kind == 8 and view == 1


def test_no_more_than_256_links(world):
    shard = world.shard(*FAST)
    links = [Link(shard.address) for _ in range(256)]
    extra = Link(shard.address, shake=False)
    assert closed(extra)
    links[0].forward(1, [draw_bytes(1, 1, 0, 0, 1, 1)])
    assert links[0].answers(1)[0].code == PLACED
    for link in links:
        link.close()
    wait_for(lambda: Link(shard.address).open, "there is room again")


def other_tile(addresses, address, mine):
    """A tile that the rendezvous hash gives to the address, or not."""
    return next((tx, ty) for tx in range(8) for ty in range(8) if (owner_of(addresses, tx, ty) == address) == mine)


def test_order_after_a_refusal(world):
    shard = world.shard(*FAST)
    second = world.shard(*FAST)
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, shard.address, False)
    mine = other_tile(addresses, shard.address, True)
    link = Link(shard.address)

    def draw(number, tile):
        return draw_bytes(number, 1, tile[0] * EDGE, tile[1] * EDGE, 1, number)

    link.forward(view, [draw(1, (tx, ty))])
    assert link.answers(1)[0][:2] == (NOT_OWNER, 1)
    # The tile becomes ours, but draws that were under way when it was refused may not overtake.
    second.terminate()
    wait_for(lambda: len(read_view(world.client)[1]) == 1, "it has left")
    link.forward(view + 1, [draw(2, (tx, ty)), draw(3, mine)], refusals=0)
    answers = link.answers(2)
    assert {a.id if isinstance(a, Verdict) else a[:2] for a in answers} == {(NOT_OWNER, 2), 3}
    link.forward(view + 1, [draw(4, (tx, ty))], refusals=1)
    assert link.answers(1)[0][:2] == (NOT_OWNER, 4), "the second NOT_OWNER is not known to have arrived"
    link.forward(view + 1, [draw(5, (tx, ty))], refusals=3)
    assert link.answers(1)[0].code == PLACED
    link.forward(view + 1, [draw(6, (tx, ty))], refusals=2)
    assert closed(link), "the count cannot go back"
    assert len(check_tile(world.client, tx, ty)) == 1


# ---- Several shards ------------------------------------------------------------------------------------------------------


def test_shards_come_and_go(world):
    first = world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.run(0.5)
    second = world.shard(*FAST)
    painter.run(0.7)
    third = world.shard(*FAST)
    painter.run(0.7)
    assert first.terminate() == 0
    painter.run(0.5)
    assert third.terminate() == 0
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)
    view, addresses = read_view(world.client)
    assert addresses == [second.address] and view == 5
    owners = {world.client.hget(key, "a").decode() for key in world.client.scan_iter(match="{t:*}:meta")}
    assert owners == {second.address}


def test_handover_after_sigterm_is_quick(world):
    first, second = world.shard(*FAST), world.shard(*FAST)
    gateway = world.gateway()
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, first.address, True)
    gateway.place(Draw(1, tx * EDGE, ty * EDGE, 1, 1))
    first.signal(signal.SIGTERM)
    started = time.monotonic()
    assert gateway.place(Draw(1, tx * EDGE, ty * EDGE, 2, 2))[0].code == PLACED
    assert time.monotonic() - started < 0.5
    assert first.process.wait(timeout=5) == 0
    wait_for(lambda: gateway.place(Draw(1, tx * EDGE, ty * EDGE, 3, 3))[0].code == PLACED, "still")
    assert world.client.hget(f"{{t:{tx}:{ty}}}:meta", "a").decode() == second.address


def test_a_shard_is_killed(world):
    shards = [world.shard(*FAST) for _ in range(3)]
    painter = Painter(world.gateway())
    painter.run(0.5)
    killed = time.monotonic()
    shards[1].kill()
    painter.run(1.0)
    painter.gateway.finish()
    assert time.monotonic() - killed < 6
    painter.check(world.client)
    assert painter.gateway.lost > 0
    shards[1] = world.shard(*FAST)
    painter.run(0.5)
    shards[0].kill()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)


def test_repetitions_are_recognised_by_the_next_owner(world):
    first = world.shard(*FAST)
    gateway = world.gateway()
    draws = [(Draw(1, n % 64, 0, 1, n)) for n in range(1, 50) if n % 7]
    gateway.place(*draws)
    first.kill()
    world.shard(*FAST)
    again = gateway.place(*[Draw(1, n % 64, 0, 1, n) for n in range(1, 50)])
    assert all(v.code == PLACED for v in again)
    assert len(check_tile(world.client, 0, 0)) == 49
    last = {p["offset"]: p for p in check_tile(world.client, 0, 0)}
    assert last[7]["epoch"] > last[8]["epoch"], "only the missing ones were placed anew"


def test_a_shard_that_slept_writes_nothing(world):
    first, second = world.shard(*FAST), world.shard(*FAST)
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, first.address, True)
    link = Link(first.address)
    link.forward(view, [draw_bytes(1, 1, tx * EDGE, ty * EDGE, 1, 1)])
    assert link.answers(1)[0].code == PLACED
    first.signal(signal.SIGSTOP)
    link.forward(view, [draw_bytes(2, 1, tx * EDGE, ty * EDGE, 2, 2)])
    wait_for(lambda: len(read_view(world.client)[1]) == 1, "it is evicted", 5)
    gateway = world.gateway()
    assert gateway.place(Draw(9, tx * EDGE, ty * EDGE, 9, 1))[0].code == PLACED
    first.signal(signal.SIGCONT)
    answer = link.answers(1)[0]
    placements = check_tile(world.client, tx, ty)
    if answer[0] == NOT_OWNER:
        assert [p["color"] for p in placements] == [1, 9]
    else:  # it has joined again before it looked at the draw, and is the owner again
        assert answer.code == PLACED and [p["color"] for p in placements] == [1, 9, 2]
    wait_for(lambda: len(read_view(world.client)[1]) == 2, "it joins again", 5)
    epochs = [p["epoch"] for p in placements]
    assert epochs == sorted(set(epochs)), "the one that slept needed a taking of its own"


def test_the_fence(world):
    shard = world.shard(*FAST)
    gateway = world.gateway()
    gateway.place(Draw(1, 0, 0, 1, 1))
    scripts = Scripts(world.client)
    keys = ["{t:0:0}:" + what for what in ("meta", "px", "dup0", "dup1", "last", "log")]
    # Taken by another in our view: the shard is still the winner, and takes it again.
    taken = scripts.take(keys, ["00000000000000bb", "127.0.0.1:9", 1])[1]
    assert gateway.place(Draw(1, 0, 0, 2, 2))[0].code == PLACED
    assert int(world.client.hget("{t:0:0}:meta", "e")) > taken
    # Taken in a newer view: it may not, and says so until its view is as new.
    assert scripts.take(keys, ["00000000000000bb", "127.0.0.1:9", 3])[0] == 1
    link = Link(shard.address)
    link.forward(1, [draw_bytes(1, 1, 0, 0, 3, 3)])
    assert link.answers(1)[0][:2] == (NOT_OWNER, 1)
    assert world.client.hget("{t:0:0}:meta", "o") == b"00000000000000bb"
    world.client.hset("{cluster}:members", "view", 3)
    assert gateway.place(Draw(1, 0, 0, 3, 3))[0].code == PLACED
    assert [p["color"] for p in check_tile(world.client, 0, 0)] == [1, 2, 3]


def test_two_gateways_on_the_same_tiles(world):
    world.shard(*FAST)
    world.shard(*FAST)
    painters = [Painter(world.gateway(), seed=seed) for seed in (1, 2)]
    for number, painter in enumerate(painters):
        painter.nonces.update({user: 1000000 * number for user in range(1, 9)})
        painter.paint(1500, tiles=2)
    while any(painter.gateway.waiting() for painter in painters):
        for painter in painters:
            painter.gateway.turn(0.001)
    assert all(draw.verdict.code == PLACED for painter in painters for draw in painter.draws if draw.verdict.code != STALE)
    placed = sum(draw.verdict.code == PLACED for painter in painters for draw in painter.draws)
    assert sum(map(len, check_all(world.client).values())) == placed


# ---- Redis dies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_redis_is_killed(world, seed):
    world.shard(*FAST)
    world.shard(*FAST)
    painter = Painter(world.gateway(), seed=seed)
    for _ in range(3):
        painter.run(0.4)
        world.redis.restart()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)


def test_every_connection_takes_its_tiles_anew(world):
    """What was seen on the bus and lost with an unsynced disk is recognised by its epoch."""
    world.shard(*FAST)
    gateway = world.gateway()
    for nonce in range(1, 4):
        gateway.place(Draw(1, nonce, 0, 1, nonce))
        world.redis.restart()
    gateway.place(Draw(1, 4, 0, 1, 4), Draw(1, 5, 0, 1, 5))
    epochs = [placement["epoch"] for placement in check_tile(world.client, 0, 0)]
    assert len(set(epochs[:4])) == 4 and epochs[3] == epochs[4]


def test_redis_is_away_for_longer_than_a_lease(world):
    shards = [world.shard(*FAST), world.shard(*FAST)]
    painter = Painter(world.gateway())
    painter.run(0.3)
    world.redis.kill()
    painter.run(3.0)
    world.redis.start()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)
    wait_for(lambda: set(read_view(world.client)[1]) == {shard.address for shard in shards}, "both are members")
    assert read_view(world.client)[0] == 2, "nobody was evicted for what Redis did"


def test_redis_hangs(world):
    world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.run(0.3)
    world.redis.pause()
    painter.run(3.0)
    world.redis.resume()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)


def test_redis_is_killed_with_a_cooldown(world):
    world.shard(*CANVAS, "--cooldown", "50ms", "--guests-per-address", 0)
    gateway = world.gateway()
    draws = collections.defaultdict(list)
    generator = random.Random(5)
    end, kill_at = time.monotonic() + 2.0, time.monotonic() + 0.7
    while time.monotonic() < end:
        for user in range(1, 40):
            if not draws[user] or draws[user][-1].verdict:
                last = draws[user][-1].verdict if draws[user] else None
                draw = Draw(user, generator.randrange(512), generator.randrange(512), generator.randrange(1, 32),
                            last.next_nonce if last else 1)
                draws[user].append(draw)
                gateway.submit(draw)
        gateway.turn()
        if kill_at and time.monotonic() > kill_at:
            kill_at = None
            world.redis.restart()
    gateway.finish()
    placements = check_all(world.client)
    for user, mine in draws.items():
        placed = [draw for draw in mine if draw.verdict.code == PLACED]
        assert all(draw.verdict.code in (PLACED, COOLDOWN) for draw in mine)
        found = sorted((p for tile in placements.values() for p in tile if p["user"] == user), key=lambda p: p["time"])
        assert [p["color"] for p in found] == [draw.color for draw in placed], "each once, in order"
        assert all(b["time"] - a["time"] >= 50 for a, b in zip(found, found[1:])), "the cooldown was kept"


def test_redis_is_restored_from_older_data(world):
    world.shard(*FAST)
    gateway = world.gateway()
    gateway.place(*[Draw(1, n % 64, n // 64, 1, n) for n in range(1, 200)])
    copy = world.redis.save_data()
    world.redis.restart()  # so that the tile is taken once more, in what is lost too
    gateway.place(*[Draw(1, n % 64, n // 64, 2, n) for n in range(200, 300)])
    lost = int(world.client.hget("{t:0:0}:meta", "p"))
    world.redis.restore(copy)
    verdicts = gateway.place(*[Draw(1, n % 64, n // 64, 3, n) for n in range(300, 400)])
    assert all(v.code == PLACED for v in verdicts)
    placements = check_tile(world.client, 0, 0)
    assert len(placements) == 299 and placements[-1]["epoch"] > lost, "what was lost is known by its epoch"


def test_the_scripts_are_flushed(world):
    world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.run(0.3)
    world.client.script_flush()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)


# ---- Everything at once --------------------------------------------------------------------------------------------------


def test_everything_dies(world):
    shards = [world.shard(*FAST) for _ in range(3)]
    painter = Painter(world.gateway(), users=30)
    generator = random.Random(11)
    for _ in range(8):
        painter.run(0.3)
        what = generator.randrange(4)
        if what == 0:
            world.redis.restart()
        elif what == 1:
            victim = generator.randrange(len(shards))
            shards[victim].kill()
            shards[victim] = world.shard(*FAST)
        elif what == 2:
            victim = generator.randrange(len(shards))
            shards[victim].signal(signal.SIGTERM)
            shards[victim] = world.shard(*FAST)
        else:
            sleeper = shards[generator.randrange(len(shards))]
            sleeper.signal(signal.SIGSTOP)
            painter.run(0.4)
            sleeper.signal(signal.SIGCONT)
    painter.gateway.finish(30)
    painter.check(world.client)


def test_overload_is_refused_with_a_wait(world):
    shard = world.shard(*FAST)
    world.redis.pause()
    links = [Link(shard.address) for _ in range(5)]
    codes = collections.Counter()
    for number, link in enumerate(links):
        for batch in range(16):
            link.forward(1, [draw_bytes(batch * 500 + k, number + 1, k % 64, 0, 1, batch * 500 + k + 1)
                             for k in range(500)])
            for message in link.poll(0):
                codes.update(a.code if isinstance(a, Verdict) else a[0] for a in link.read(message))
    world.redis.resume()
    deadline = time.monotonic() + 10
    while sum(codes.values()) < 40000:
        assert time.monotonic() < deadline, codes
        for link in links:
            for message in link.poll(0.01):
                for answer in link.read(message):
                    codes[answer.code if isinstance(answer, Verdict) else answer[0]] += 1
                    assert not isinstance(answer, Verdict) or answer.code != OVERLOADED or answer.wait_ms >= 100
    assert codes[OVERLOADED] > 0 and sum(map(len, check_all(world.client).values())) == codes[PLACED]


# ---- For operators -------------------------------------------------------------------------------------------------------


def test_metrics(world):
    port = free_port()
    world.shard(*FAST, "--metrics", f"127.0.0.1:{port}")
    world.gateway().place(Draw(1, 0, 0, 1, 1), Draw(1, 0, 0, 99, 2))

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
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
    assert "width" in second.output() and "differs" in second.output()
