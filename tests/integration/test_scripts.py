"""proto/lua against a real Redis: every KEYS, ARGV and reply as the headers of the scripts say."""

import struct
import time

import pytest
import redis

from redis_fixture import ROOT, RealRedis, Scripts, check_all, check_tile
from shard_fixture import ALLOWANCE, COOLDOWN, PLACED, READ_ONLY, STALE, checksum, unpack

OWNER = "00000000000000aa"
OTHER = "00000000000000bb"
MEMBERS, CONFIG, GATEWAYS, BUS = "{cluster}:members", "{cluster}:config", "{cluster}:gateways", "{cluster}:bus"
EDGE = 256
DONE, FENCED, REWOUND = 0, 1, 2


@pytest.fixture(scope="module")
def server():
    server = RealRedis()
    yield server
    server.close()


@pytest.fixture
def client(server):
    server.client.flushall()
    return server.client


@pytest.fixture
def scripts(client):
    return Scripts(client)


def take(scripts, tile=(0, 0), owner=OWNER, view=1):
    tag = f"{{t:{tile[0]}:{tile[1]}}}:"
    keys = [tag + what for what in ("meta", "px", "dup0", "dup1", "last", "log")]
    return scripts.take(keys, [owner, "127.0.0.1:1", view])


def draw(user, x, y, color, nonce=1, address=None, connection=0):
    return {"user": user, "x": x, "y": y, "color": color, "nonce": nonce, "address": address, "connection": connection}


def window(nonce, seq, bits=1):
    return struct.pack("<II", nonce, seq) + bits.to_bytes(32, "little")


class Tile:
    def __init__(self, x, y, epoch, base, draws, windows=()):
        self.x, self.y, self.epoch, self.base, self.draws, self.windows = x, y, epoch, base, draws, windows


def place(scripts, tiles, cooldown=0, allowance=0, owner=OWNER):
    """Returns per tile (status, previous colors, [(placed now, code, seq, next nonce, wait)] or None when all were)."""
    keys, users, addresses, body = [], [], [], []

    def number(names, name):
        if name not in names:
            names.append(name)
        return names.index(name) + 1

    for tile in tiles:
        tag = f"{{t:{tile.x}:{tile.y}}}:"
        keys += [tag + what for what in ("meta", "px", "last", "log", "dup0", "dup1")]
        offsets = [d["y"] % EDGE * EDGE + d["x"] % EDGE for d in tile.draws]
        checks = b""
        if cooldown:
            checks = b"".join(struct.pack(
                "<IBHHHH", d["nonce"], d["color"], d["x"], d["y"],
                number(users, f"{{u:{d['user'] % 64}}}:{d['user']:016x}"),
                number(addresses, f"{{a:{d['address']}}}") if d["address"] else 0) for d in tile.draws)
        body += [tile.epoch, tile.base, len(tile.draws), tag + "bus",
                 b"".join(struct.pack("<HB", o, d["color"]) for o, d in zip(offsets, tile.draws)),
                 b"".join(struct.pack("<Q", d["user"]) for d in tile.draws), checks, len(tile.windows)]
        for k, (offset, d) in enumerate(zip(offsets, tile.draws)):
            body += [f"#{offset}", d["color"], tile.base + k + 1]
        for field, value in tile.windows:
            body += [field, value]
    reply = scripts.place(keys + users + addresses, [owner, cooldown, allowance, len(tiles), len(users), *body])
    assert len(reply) == 3 * len(tiles)
    return [(reply[3 * i], reply[3 * i + 1],
             [struct.unpack("<BBIII", reply[3 * i + 2][at:at + 14]) for at in range(0, len(reply[3 * i + 2]), 14)] or None)
            for i in range(len(tiles))]


def place_one(scripts, epoch, base, draws, **options):
    return place(scripts, [Tile(0, 0, epoch, base, draws)], **options)[0]


def dump(client):
    """Everything there is, to see that nothing was written."""
    return {key: client.dump(key) for key in client.keys()}


# ---- Configuration and membership ----------------------------------------------------------------------------------------


def test_seed_first_wins(scripts, client):
    first = scripts.seed([CONFIG], ["width", 10, "height", 20, "edge", 64])
    fields = dict(zip(first[::2], first[1::2]))
    assert fields == {b"version": b"1", b"user_groups": b"64", b"width": b"10", b"height": b"20", b"edge": b"64"}
    assert scripts.seed([CONFIG], ["width", 99]) == first


def join(scripts, address, incarnation):
    return scripts.join([MEMBERS], [address, incarnation, BUS])


def beat(scripts, address, incarnation, lease=2000):
    return scripts.beat([MEMBERS, CONFIG], [address, incarnation, lease, BUS])


def test_join_raises_the_view_once_per_process(scripts, client):
    bus = client.pubsub()
    bus.subscribe(BUS)
    bus.get_message(timeout=1)
    assert join(scripts, "a:1", OWNER) == 1
    assert bus.get_message(timeout=1)["data"] == b"\x92\x03\x01"
    assert join(scripts, "a:1", OWNER) == 1
    assert join(scripts, "b:1", OTHER) == 2
    assert join(scripts, "a:1", OTHER) == 3, "another process at that address"
    assert client.hget(MEMBERS, "view") == b"3"
    client.hdel(MEMBERS, "view")
    assert join(scripts, "a:1", OTHER) == 1, "without a view nobody could go on"


def test_no_more_than_256_members(scripts, client):
    for number in range(256):
        join(scripts, f"host:{number}", OWNER)
    with pytest.raises(redis.RedisError, match="FULL"):
        join(scripts, "another:1", OWNER)
    assert join(scripts, "host:7", OWNER) == 256, "who is in stays in"
    assert len(client.hkeys(MEMBERS)) == 257


def test_beat_renews_and_evicts(scripts, client):
    client.hset(CONFIG, "version", 7)
    join(scripts, "a:1", OWNER)
    join(scripts, "b:1", OTHER)
    assert beat(scripts, "a:1", OWNER, 60000) == [1, 2, 7]
    time.sleep(0.05)
    assert beat(scripts, "a:1", OWNER, 0) == [1, 2, 7], "lease 0 evicts nobody"
    assert beat(scripts, "a:1", OWNER, 20) == [1, 3, 7]
    assert beat(scripts, "b:1", OTHER, 20) == [0, 3, 7], "it was evicted"
    assert beat(scripts, "a:1", OTHER, 60000) == [0, 3, 7], "another process has the address"
    assert set(client.hkeys(MEMBERS)) == {b"view", b"s:a:1"}


def test_a_beat_from_the_future_does_not_live_for_ever(scripts, client):
    join(scripts, "a:1", OWNER)
    client.hset(MEMBERS, "s:b:1", OTHER + " 99999999999999")
    assert beat(scripts, "a:1", OWNER, 20)[0] == 1
    time.sleep(0.05)
    assert beat(scripts, "a:1", OWNER, 20) == [1, 2, 0]
    assert client.hget(MEMBERS, "s:b:1") is None


def test_leave_only_oneself(scripts, client):
    join(scripts, "a:1", OWNER)
    assert scripts.leave([MEMBERS], ["a:1", OTHER, BUS]) == 1
    assert client.hexists(MEMBERS, "s:a:1")
    assert scripts.leave([MEMBERS], ["a:1", OWNER, BUS]) == 2
    assert not client.hexists(MEMBERS, "s:a:1")
    assert scripts.leave([MEMBERS], ["a:1", OWNER, BUS]) == 2


def test_online_sums_and_forgets(scripts, client):
    keys = [GATEWAYS, MEMBERS, CONFIG]
    assert scripts.online(keys, [OWNER, 5]) == [5, 0, 0]
    client.hset(MEMBERS, "view", 3)
    client.hset(CONFIG, "version", 4)
    client.hset(GATEWAYS, "dead", "100 1000")
    client.hset(GATEWAYS, "broken", "x")
    client.hset(GATEWAYS, "future", "100 99999999999999")
    assert scripts.online(keys, [OTHER, 2]) == [7, 3, 4]
    assert set(client.hkeys(GATEWAYS)) == {OWNER.encode(), OTHER.encode()}


# ---- Taking --------------------------------------------------------------------------------------------------------------


def test_take_raises_the_epoch_at_least_to_the_time(scripts, client):
    before = int(time.time() * 1000)
    done, epoch, position_epoch, seq, px, older, newer = take(scripts)
    assert (done, position_epoch, seq, px, older, newer) == (1, 0, 0, b"", [], []) and epoch >= before - 5
    again = take(scripts)[1]
    assert again > epoch
    client.hset("{t:0:0}:meta", "e", 2 * before)
    assert take(scripts)[1] == 2 * before + 1
    meta = client.hgetall("{t:0:0}:meta")
    assert meta[b"o"] == OWNER.encode() and meta[b"a"] == b"127.0.0.1:1" and meta[b"v"] == b"1"


def test_take_is_refused_in_an_older_view(scripts, client):
    epoch = take(scripts, view=5)[1]
    before = dump(client)
    assert take(scripts, view=4, owner=OTHER) == [0, 5]
    assert dump(client) == before
    assert take(scripts, view=5, owner=OTHER)[1] > epoch


def test_take_returns_pixels_and_position(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 2, 0, 9), draw(1, 0, 0, 7)])
    _, again, position_epoch, seq, px, _, _ = take(scripts, owner=OTHER)
    assert again > epoch and (position_epoch, seq, px) == (epoch, 2, b"\x07\0\x09")


@pytest.mark.parametrize("what", ["meta", "px", "dup0", "dup1", "last", "log"])
def test_a_tile_with_a_key_of_another_type_is_not_taken(scripts, client, what):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 0, 0, 1)])
    client.delete("{t:0:0}:" + what)
    client.lpush("{t:0:0}:" + what, "garbage")
    before = dump(client)
    with pytest.raises(redis.RedisError, match="WRONGTYPE"):
        take(scripts)
    assert dump(client) == before


def test_a_tile_whose_log_does_not_end_at_its_seq_is_not_taken(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 0, 0, 1), draw(1, 1, 0, 1)])
    client.hset("{t:0:0}:meta", "s", 1)
    before = dump(client)
    with pytest.raises(redis.RedisError, match="DAMAGED"):
        take(scripts)
    assert dump(client) == before
    client.delete("{t:0:0}:meta")
    with pytest.raises(redis.RedisError, match="DAMAGED"):
        take(scripts)
    client.hset("{t:0:0}:meta", mapping={"s": 2})
    client.xtrim("{t:0:0}:log", 0)
    assert take(scripts)[3] == 2, "trimmed: the history lies elsewhere"


# ---- Placing, cooldown 0 -------------------------------------------------------------------------------------------------


def test_place_writes_everything(scripts, client):
    epoch = take(scripts)[1]
    bus = client.pubsub()
    bus.subscribe("{t:0:0}:bus")
    bus.get_message(timeout=1)
    status, colors, verdicts = place_one(scripts, epoch, 0, [draw(1, 3, 0, 5), draw(2, 4, 1, 6), draw(3, 3, 0, 7)])
    assert (status, colors, verdicts) == (DONE, b"\0\0\5", None), "the third draw saw the first"
    placements = check_tile(client, 0, 0)
    assert [(p["offset"], p["color"], p["user"], p["old_seq"]) for p in placements] == \
        [(3, 5, 1, 0), (260, 6, 2, 0), (3, 7, 3, 1)]
    message = bus.get_message(timeout=1)["data"]
    assert unpack(message) == [1, 0, epoch, 1, b"\3\0\5\4\1\6\3\0\7"]

    later = take(scripts)[1]
    assert place_one(scripts, later, 3, [draw(1, 3, 0, 8)])[:2] == (DONE, b"\7")
    message = bus.get_message(timeout=1)["data"]
    assert unpack(message) == [1, epoch, later, 4, b"\3\0\x08"]
    assert len(check_tile(client, 0, 0)) == 4


def test_fence_and_rewound_write_nothing(scripts, client):
    epoch = take(scripts)[1]
    second = take(scripts, (1, 0))[1]
    place_one(scripts, epoch, 0, [draw(1, 0, 0, 1)])
    before = dump(client)
    assert place_one(scripts, epoch - 1, 1, [draw(1, 0, 0, 2)])[0] == FENCED
    assert place_one(scripts, epoch, 1, [draw(1, 0, 0, 2)], owner=OTHER)[0] == FENCED
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 2)])[0] == REWOUND
    assert place_one(scripts, epoch, 2, [draw(1, 0, 0, 2)])[0] == REWOUND
    assert place(scripts, [Tile(7, 7, epoch, 0, [draw(1, 0, 0, 2)])])[0][0] == FENCED, "never taken"
    assert dump(client) == before
    # One tile of a batch that is fenced does not stop the others.
    results = place(scripts, [Tile(0, 0, 1, 1, [draw(1, 0, 0, 2)]), Tile(1, 0, second, 0, [draw(1, 256, 0, 3)])])
    assert [result[0] for result in results] == [FENCED, DONE]
    assert len(check_tile(client, 1, 0)) == 1 and len(check_tile(client, 0, 0)) == 1


def test_windows_go_to_the_next_owner(scripts, client):
    epoch = take(scripts)[1]
    field, other = struct.pack("<QQ", 1, 2), struct.pack("<QQ", 1, 3)
    place(scripts, [Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1)], [(field, window(5, 1)), (other, window(1, 1))])])
    place(scripts, [Tile(0, 0, epoch, 1, [draw(1, 0, 0, 2)], [(field, window(6, 2, 3))])])
    older, newer = take(scripts, owner=OTHER)[5:]
    seen = dict(zip(older[::2], older[1::2])) | dict(zip(newer[::2], newer[1::2]))
    assert seen[field] == window(6, 2, 3) and seen[other] == window(1, 1)


def test_old_windows_are_forgotten(scripts, client):
    epoch = take(scripts)[1]
    generation = client.time()[0] // 120
    for name in ("dup0", "dup1"):
        client.hset("{t:0:0}:" + name, mapping={"g": generation - 2, b"x" * 16: b"y" * 40})
    assert take(scripts)[5:] == [[], []]
    epoch = take(scripts)[1]
    place(scripts, [Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1)], [(b"f" * 16, window(5, 1))])])
    generation = client.time()[0] // 120
    assert set(client.hkeys(f"{{t:0:0}}:dup{generation % 2}")) == {b"g", b"f" * 16}


def test_a_full_batch_over_many_tiles(scripts, client):
    tiles = [Tile(i, 3, take(scripts, (i, 3))[1], 0, [draw(i, 256 * i + k, 768, 1 + k) for k in range(8)])
             for i in range(64)]
    assert all(result[0] == DONE for result in place(scripts, tiles))
    one = Tile(0, 0, take(scripts)[1], 0, [draw(i, i % 256, i // 256, 1 + i % 255) for i in range(512)])
    assert place(scripts, [one])[0][:2] == (DONE, bytes(512))
    assert sum(map(len, check_all(client).values())) == 1024
    single = [Tile(i % 32, 10 + i // 32, 0, 0, [draw(i, 0, 0, 1)]) for i in range(512)]
    for tile in single:
        tile.epoch = take(scripts, (tile.x, tile.y))[1]
    assert all(result[0] == DONE for result in place(scripts, single, cooldown=60000)), "512 tiles and users in one batch"


# ---- Placing with a cooldown ---------------------------------------------------------------------------------------------


def test_nonce_and_cooldown(scripts, client):
    epoch = take(scripts)[1]
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 1)], cooldown=60000)[2] is None
    # Repeated as it was; repeated with another content; out of order; the next one, too early.
    status, colors, verdicts = place_one(
        scripts, epoch, 1, [draw(1, 0, 0, 1, 1), draw(1, 0, 0, 2, 1), draw(1, 0, 0, 1, 3), draw(1, 0, 0, 1, 2)],
        cooldown=60000)
    assert (status, colors) == (DONE, b"")
    assert [v[:4] for v in verdicts] == [(0, PLACED, 1, 2), (0, STALE, 0, 2), (0, STALE, 0, 2), (0, COOLDOWN, 0, 2)]
    assert all(59000 < v[4] <= 60000 for v in verdicts)
    assert len(check_tile(client, 0, 0)) == 1
    record = client.get("{u:1}:0000000000000001")
    assert struct.unpack("<BBHHHII", record[:16]) == (1, 1, 0, 0, 0, 1, 1) and len(record) == 24


def test_the_wait_is_exact(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 1)], cooldown=300)
    wait = place_one(scripts, epoch, 1, [draw(1, 0, 0, 1, 2)], cooldown=300)[2][0][4]
    landed = struct.unpack("<Q", client.get("{u:1}:0000000000000001")[16:])[0]
    base = 1
    while True:
        status, _, verdicts = place_one(scripts, epoch, base, [draw(1, 0, 0, 1, 2)], cooldown=300)
        if verdicts is None:
            break
        assert 0 < verdicts[0][4] <= wait
    again = struct.unpack("<Q", client.get("{u:1}:0000000000000001")[16:])[0]
    assert 300 <= again - landed < 350


def test_the_clock_set_back_costs_no_more_than_the_cooldown(scripts, client):
    epoch = take(scripts)[1]
    future = int(time.time() * 1000) + 10 ** 9
    client.set("{u:1}:0000000000000001", struct.pack("<BBHHHIIQ", 1, 1, 0, 0, 0, 4, 1, future))
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5)], cooldown=1000)[2][0][1:] == (COOLDOWN, 0, 5, 1000)
    client.set("{a:192.0.2.1}", struct.pack("<Q", future))
    verdict = place_one(scripts, epoch, 0, [draw(2, 0, 0, 1, 1, "192.0.2.1")], cooldown=1000, allowance=1)[2][0]
    assert verdict[1:] == (ALLOWANCE, 0, 1, 1000)


def test_after_the_clock_was_set_back_the_wait_ends(scripts, client):
    """Not only when the clock has come back to where it was."""
    epoch = take(scripts)[1]
    future = int(time.time() * 1000) + 10 ** 9
    client.set("{u:1}:0000000000000001", struct.pack("<BBHHHIIQ", 1, 1, 0, 0, 0, 4, 1, future))
    client.set("{a:192.0.2.1}", struct.pack("<QQ", future, future + 1))
    refused = place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5), draw(2, 1, 0, 1, 1, "192.0.2.1")], cooldown=200,
                        allowance=2)[2]
    assert [verdict[1:] for verdict in refused] == [(COOLDOWN, 0, 5, 200), (ALLOWANCE, 0, 1, 200)]
    time.sleep(0.21)
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5), draw(2, 1, 0, 1, 1, "192.0.2.1")], cooldown=200,
                     allowance=2)[2] is None


def test_a_damaged_record_stops_only_its_user(scripts, client):
    epoch = take(scripts)[1]
    keys = ["{u:1}:0000000000000001", "{u:2}:0000000000000002", "{u:3}:0000000000000003"]
    client.set(keys[0], b"short")
    client.lpush(keys[1], "garbage")
    client.set(keys[2], struct.pack("<BBHHHIIQ", 2, 1, 0, 0, 0, 4, 1, 0))
    client.set("{a:192.0.2.1}", b"123456789")
    client.lpush("{a:192.0.2.2}", "garbage")
    before = {key: client.dump(key) for key in keys}
    verdicts = place_one(scripts, epoch, 0, [
        draw(1, 0, 0, 1, 7), draw(2, 1, 0, 1, 1), draw(3, 2, 0, 1, 5), draw(4, 3, 0, 1, 1, "192.0.2.1"),
        draw(5, 4, 0, 1, 1, "192.0.2.2")], cooldown=60000, allowance=1)[2]
    assert [v[:4] for v in verdicts] == [(0, READ_ONLY, 0, 7), (0, READ_ONLY, 0, 1), (0, READ_ONLY, 0, 5),
                                         (1, PLACED, 1, 2), (1, PLACED, 2, 2)]
    assert {key: client.dump(key) for key in keys} == before
    assert len(check_tile(client, 0, 0)) == 2


def test_draws_of_a_batch_see_each_other(scripts, client):
    first, second = take(scripts)[1], take(scripts, (1, 0))[1]
    results = place(scripts, [
        Tile(0, 0, first, 0, [draw(1, 0, 0, 1, 1), draw(1, 0, 0, 1, 1), draw(2, 0, 0, 2, 1), draw(1, 1, 0, 1, 2)]),
        Tile(1, 0, second, 0, [draw(1, 256, 0, 1, 2), draw(3, 256, 0, 3, 1)]),
    ], cooldown=60000)
    assert [v[:4] for v in results[0][2]] == \
        [(1, PLACED, 1, 2), (0, PLACED, 1, 2), (1, PLACED, 2, 2), (0, COOLDOWN, 0, 2)]
    assert results[0][1] == b"\0\1"
    assert [v[:4] for v in results[1][2]] == [(0, COOLDOWN, 0, 2), (1, PLACED, 1, 2)]
    placements = check_all(client)
    assert [(p["user"], p["color"]) for p in placements[0, 0]] == [(1, 1), (2, 2)]
    assert [(p["user"], p["color"]) for p in placements[1, 0]] == [(3, 3)]


def test_a_fenced_tile_costs_its_users_nothing(scripts, client):
    epoch = take(scripts)[1]
    results = place(scripts, [Tile(5, 5, 1, 0, [draw(1, 0, 0, 1, 1)]), Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1, 1)])],
                    cooldown=60000)
    assert results[0][0] == FENCED and results[1] == (DONE, b"\0", None)


def test_allowance_of_an_address(scripts, client):
    epoch = take(scripts)[1]
    guests = [draw(user, user, 0, 1, 1, "192.0.2.1") for user in range(1, 6)]
    _, colors, verdicts = place_one(scripts, epoch, 0, guests + [draw(9, 9, 0, 1, 1)], cooldown=60000, allowance=3)
    assert [v[1] for v in verdicts] == [PLACED] * 3 + [ALLOWANCE] * 2 + [PLACED], "a member is not counted"
    assert verdicts[3][3] == 1 and 59000 < verdicts[3][4] <= 60000, "its nonce is not used up"
    assert len(client.get("{a:192.0.2.1}")) == 24 and 0 < client.pttl("{a:192.0.2.1}") <= 60000
    other = [draw(6, 0, 0, 1, 1, "192.0.2.2"), draw(7, 0, 0, 1, 1, "192.0.2.1")]
    _, _, verdicts = place_one(scripts, epoch, 4, other, cooldown=60000, allowance=3)
    assert [v[1] for v in verdicts] == [PLACED, ALLOWANCE]
    # Refused by the cooldown, a draw does not count; a repeated one neither.
    again = [draw(6, 0, 0, 1, 2, "192.0.2.2"), draw(6, 0, 0, 1, 1, "192.0.2.2")]
    place_one(scripts, epoch, 5, again, cooldown=60000, allowance=3)
    assert len(client.get("{a:192.0.2.2}")) == 8
    check_tile(client, 0, 0)


def test_the_allowance_comes_back(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(user, user, 0, 1, 1, "192.0.2.1") for user in (1, 2)], cooldown=200,
              allowance=2)
    wait = place_one(scripts, epoch, 2, [draw(3, 3, 0, 1, 1, "192.0.2.1")], cooldown=200, allowance=2)[2][0][4]
    assert 0 < wait <= 200
    time.sleep(wait / 1000 + 0.002)
    assert place_one(scripts, epoch, 2, [draw(3, 3, 0, 1, 1, "192.0.2.1")], cooldown=200, allowance=2)[2] is None


# ---- Positions and snapshots ---------------------------------------------------------------------------------------------


def test_position_beats(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 3, 0, 5), draw(1, 4, 0, 255)])
    take(scripts, (1, 0))
    bus = client.pubsub()
    bus.subscribe("{t:0:0}:bus")
    bus.get_message(timeout=1)
    total = checksum(client.get("{t:0:0}:px"))
    reply = scripts.position(["{t:0:0}:meta", "{t:1:0}:meta", "{t:0:0}:meta"],
                             [OWNER, epoch, 2, f"{total:016x}", "{t:0:0}:bus", 5, 0, "0" * 16, "{t:1:0}:bus",
                              epoch, 1, "0" * 16, "{t:0:0}:bus"])
    assert reply == [DONE, FENCED, REWOUND]
    assert client.hmget("{t:0:0}:meta", "k", "ks") == [f"{total:016x}".encode(), b"2"]
    assert unpack(bus.get_message(timeout=1)["data"]) == [2, epoch, 2, struct.pack("<Q", total)]
    assert bus.get_message(timeout=0.05) is None


def test_snapshot(scripts, client):
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [0, 0, b""]
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 1, 0, 5)])
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [epoch, 1, b"\0\5"]
    later = take(scripts)[1]
    assert later > epoch
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [epoch, 1, b"\0\5"], "of the placement, not of the taking"


# ---- Refusals by Redis ---------------------------------------------------------------------------------------------------


def test_no_memory_writes_nothing(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 1, 0, 5)])
    before = dump(client)
    try:
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.RedisError, match="^(OOM|command not allowed)"):
            place_one(scripts, epoch, 1, [draw(1, 1, 0, 6)])
    finally:
        client.config_set("maxmemory", 0)
    assert dump(client) == before


def test_no_memory_does_not_end_leases(scripts, client):
    """Nothing may be placed then, but who lives and who leaves is still known."""
    join(scripts, "a:1", OWNER)
    client.hset(MEMBERS, "s:dead:1", OTHER + " 1")
    try:
        client.config_set("maxmemory", 1)
        assert join(scripts, "b:1", OTHER) == 2
        assert beat(scripts, "a:1", OWNER, 60000) == [1, 3, 0]
        assert scripts.online([GATEWAYS, MEMBERS, CONFIG], [OWNER, 5]) == [5, 3, 0]
        assert scripts.leave([MEMBERS], ["b:1", OTHER, BUS]) == 4
        with pytest.raises(redis.RedisError, match="^(OOM|command not allowed)"):
            take(scripts)
    finally:
        client.config_set("maxmemory", 0)


def test_access_of_the_two_roles(server, scripts, client):
    for line in (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines():
        if line.startswith(("user shard ", "user gateway ")):
            _, role, *rules = line.split()
            rules = [rule for rule in rules if not rule.startswith("#")]
            client.execute_command("ACL", "SETUSER", role, "reset", ">secret", *rules)
    shard = Scripts(redis.Redis(port=server.port, username="shard", password="secret"))
    gateway = Scripts(redis.Redis(port=server.port, username="gateway", password="secret"))
    shard.seed([CONFIG], ["width", 10])
    join(shard, "a:1", OWNER)
    beat(shard, "a:1", OWNER, 0)
    epoch = take(shard)[1]
    place(shard, [Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1)], [(b"f" * 16, window(1, 1))])])
    place_one(shard, epoch, 1, [draw(1, 0, 0, 1, 1, "192.0.2.1")], cooldown=60000, allowance=2)
    shard.position(["{t:0:0}:meta"], [OWNER, epoch, 2, "0" * 16, "{t:0:0}:bus"])
    shard.leave([MEMBERS], ["a:1", OWNER, BUS])
    assert gateway.online([GATEWAYS, MEMBERS, CONFIG], [OWNER, 5])[0] == 5
    assert gateway.client.execute_command("EVALSHA_RO", gateway.sha["snapshot"], 2, "{t:0:0}:meta", "{t:0:0}:px")[1] == 2
    with pytest.raises(redis.RedisError):
        take(gateway)
    with pytest.raises(redis.RedisError):
        place_one(gateway, epoch, 2, [draw(1, 0, 0, 1)])
    check_tile(client, 0, 0)


# ---- Pixels, names, heat ----------------------------------------------------------------------------------------------

def pixel(scripts, x, y, limit=32, seq=0):
    """(color, seq of the one before the last listed, [(seq, color, user, time)])."""
    tag = f"{{t:{x // EDGE}:{y // EDGE}}}:"
    now, color, before, records = scripts.pixel([tag + "px", tag + "last", tag + "log"], [y % EDGE * EDGE + x % EDGE, limit, seq])
    assert abs(now - time.time() * 1000) < 60000 and len(records) % 21 == 0
    return color, before, [struct.unpack_from("<IBQQ", records, at) for at in range(0, len(records), 21)]


def test_pixel_walks_back(client, scripts):
    epoch = take(scripts)[1]
    assert pixel(scripts, 3, 4) == (0, 0, [])
    # Batches of several pixels, so that the pixel is somewhere inside of its entry; twice in one batch as well.
    place(scripts, [Tile(0, 0, epoch, 0, [draw(1, 9, 9, 1), draw(2, 3, 4, 5), draw(3, 3, 4, 6)])])
    place(scripts, [Tile(0, 0, epoch, 3, [draw(1, 9, 9, 2)])])
    place(scripts, [Tile(0, 0, epoch, 4, [draw(2**64 - 1, 8, 9, 2), draw(4, 3, 4, 7)])])
    color, before, walk = pixel(scripts, 3, 4)
    assert (color, before) == (7, 0)
    assert [record[:3] for record in walk] == [(6, 7, 4), (3, 6, 3), (2, 5, 2)]
    assert walk[0][3] >= walk[1][3] == walk[2][3] > 1.6e12
    assert [record[2] for record in pixel(scripts, 8, 9)[2]] == [2**64 - 1]
    assert pixel(scripts, 3, 4, 0) == (7, 6, [])
    assert [pixel(scripts, 3, 4, 1)[1], pixel(scripts, 3, 4, 2)[1]] == [3, 2]
    assert pixel(scripts, 3, 4, 5, 3)[2] == walk[1:]
    # Not of this pixel, or not there at all: an empty list, which names what it looked for.
    assert pixel(scripts, 3, 4, 5, 1) == (7, 1, [])
    assert pixel(scripts, 3, 4, 5, 99) == (7, 99, [])
    # What an archive took out of the stream ends the walk.
    client.xtrim("{t:0:0}:log", minid="4-0", approximate=False)
    assert [record[0] for record in pixel(scripts, 3, 4)[2]] == [6] and pixel(scripts, 3, 4)[1] == 3


def test_pixel_needs_no_right_to_write(client, scripts):
    take(scripts)
    sha = client.script_load((ROOT / "proto/lua/pixel.lua").read_text())
    assert client.execute_command("EVALSHA_RO", sha, 3, "{t:0:0}:px", "{t:0:0}:last", "{t:0:0}:log", 0, 32, 0)[1:] == [0, 0, b""]


ANN, BOB = (struct.pack("<Q", user) for user in (7, 8))
NAME_DONE, TAKEN, TOO_SOON, ERASED, CHANGED = range(5)
MONTH = 30 * 86400000


def name(scripts, user, old, new, wait=0, reserved=MONTH):
    """Skeletons of these names are themselves."""
    record = f"{{u:{user[0]}}}:n:{user[0]:016x}"
    return scripts.name([record, f"{{n:{new}}}" if new else record, f"{{n:{old}}}" if old else record], [user, old, new, wait, reserved])


def test_name_is_claimed_kept_and_given_up(client, scripts):
    assert name(scripts, ANN, "", "anna", wait=5000) == [NAME_DONE, 5000]
    assert client.get("{n:anna}") == ANN and client.ttl("{n:anna}") == -1
    record = client.get("{u:7}:n:" + "7".zfill(16))
    assert record[:4] == b"\1\0\0\0" and record[12:] == b"anna"
    assert abs(struct.unpack_from("<Q", record, 4)[0] - time.time() * 1000) < 60000
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert name(scripts, ANN, "wrong", "bea") == [CHANGED, 0]
    code, wait = name(scripts, ANN, "anna", "bea", wait=5000)
    assert code == TOO_SOON and 0 < wait <= 5000
    assert name(scripts, ANN, "anna", "anna", wait=5000)[0] == NAME_DONE
    assert name(scripts, ANN, "anna", "bea")[0] == NAME_DONE
    # Given up: reserved for a while for who had it.
    assert 0 < client.pttl("{n:anna}") <= MONTH
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert name(scripts, ANN, "bea", "anna")[0] == NAME_DONE
    assert client.ttl("{n:anna}") == -1
    assert name(scripts, ANN, "anna", "")[0] == NAME_DONE
    assert client.pttl("{n:anna}") > 0 and client.get("{u:7}:n:" + "7".zfill(16))[12:] == b""


def test_another_name_with_the_same_skeleton_keeps_it(client, scripts):
    record = "{u:7}:n:" + "7".zfill(16)
    for old, new in (("", "Anna"), ("Anna", "ANNA"), ("ANNA", "an-na")):
        assert scripts.name([record, "{n:anna}", "{n:anna}" if old else record], [ANN, old, new, 0, MONTH]) == [NAME_DONE, 0]
        assert client.get("{n:anna}") == ANN and client.ttl("{n:anna}") == -1 and client.get(record)[12:] == new.encode()


def test_name_with_the_clock_set_back(client, scripts):
    name(scripts, ANN, "", "anna")
    key = "{u:7}:n:" + "7".zfill(16)
    client.set(key, b"\1\0\0\0" + struct.pack("<Q", int(time.time() * 1000) + 10**9) + b"anna")
    code, wait = name(scripts, ANN, "anna", "bea", wait=5000)
    assert code == TOO_SOON and wait <= 5000


def test_erase_is_for_good(client, scripts):
    key = "{u:7}:n:" + "7".zfill(16)
    name(scripts, ANN, "", "anna")
    watcher = client.pubsub()
    watcher.subscribe(BUS)
    assert watcher.get_message(timeout=5)["type"] == "subscribe"
    assert scripts.erase([key, "{n:anna}"], ["wrong", 1000, BUS, b"told"]) == 1
    assert scripts.erase([key, "{n:anna}"], ["anna", MONTH, BUS, b"told"]) == 0
    assert watcher.get_message(timeout=5)["data"] == b"told"
    assert client.get("{n:anna}") == bytes(8) and 0 < client.pttl("{n:anna}") <= MONTH
    record = client.get(key)
    assert record[:4] == b"\1\1\0\0" and len(record) == 12
    assert scripts.erase([key, key], ["", MONTH, BUS, b"told"]) == 0
    assert name(scripts, ANN, "", "anna") == [ERASED, 0]
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert scripts.erase(["{u:8}:n:8", "{u:8}:n:8"], ["", MONTH, BUS, b"told"]) == 0
    watcher.close()


def test_names_of_another_layout_are_left_alone(client, scripts):
    key = "{u:7}:n:" + "7".zfill(16)
    client.set(key, b"\2" + bytes(40))
    with pytest.raises(redis.ResponseError, match="layout"):
        name(scripts, ANN, "", "anna")
    with pytest.raises(redis.ResponseError, match="layout"):
        scripts.erase([key, key], ["", MONTH, BUS, b"told"])


def test_heat_cools_down(client, scripts):
    """Scores are log2 of sums: the difference to now, in half-lives, is what is left."""
    heat = "{cluster}:heat"

    def left(tile):
        seconds, us = client.time()
        return 2 ** (client.zscore(heat, tile) - (seconds * 1000 + us / 1000) / 300000)

    scripts.heat([heat], ["0:0", 100, "1:0", 3])
    assert left("0:0") == pytest.approx(100, rel=0.01) and left("1:0") == pytest.approx(3, rel=0.01)
    scripts.heat([heat], ["0:0", 50])
    assert left("0:0") == pytest.approx(150, rel=0.01)
    # An hour ago: 12 half-lives.
    client.zincrby(heat, -12, "0:0")
    assert left("0:0") == pytest.approx(150 / 4096, rel=0.01)
    scripts.heat([heat], ["0:0", 10])
    assert left("0:0") == pytest.approx(10, rel=0.02)
    client.zincrby(heat, 10**6, "0:0")  # from a clock far ahead: nothing breaks
    scripts.heat([heat], ["0:0", 10])
    assert client.zscore(heat, "0:0") < time.time() / 300 + 65


def test_heat_is_bounded(client, scripts):
    heat = "{cluster}:heat"
    for i in range(0, 5120, 512):
        scripts.heat([heat], [part for k in range(i, i + 512) for part in (f"{k}:0", k + 1)])
    assert client.zcard(heat) == 4096
    assert client.zscore(heat, "5119:0") is not None and client.zscore(heat, "0:0") is None
