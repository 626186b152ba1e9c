"""The scripts that take, place on and replace tiles, cooldown 0: epochs, fence, windows, all of what is written or nothing."""

import struct
import time

import pytest
import redis

from links import unpack
from redis_fixture import check_all, check_tile
from scripts_fixture import BUS, CONFIG, DONE, FENCED, OTHER, OWNER, REWOUND, Tile, draw, dump, place, place_one, take, window
from scripts_fixture import client, scripts, server  # noqa: F401


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


def test_place_writes_everything(scripts, client):
    epoch = take(scripts)[1]
    bus = client.pubsub()
    bus.subscribe("{t:0:0}:bus")
    bus.get_message(timeout=10)
    status, colors, verdicts = place_one(scripts, epoch, 0, [draw(1, 3, 0, 5), draw(2, 4, 1, 6), draw(3, 3, 0, 7)])
    assert (status, colors, verdicts) == (DONE, b"\0\0\5", None), "the third draw saw the first"
    placements = check_tile(client, 0, 0)
    assert [(p["offset"], p["color"], p["user"], p["old_seq"]) for p in placements] == \
        [(3, 5, 1, 0), (260, 6, 2, 0), (3, 7, 3, 1)]
    message = bus.get_message(timeout=10)["data"]
    assert unpack(message) == [1, 0, epoch, 1, b"\3\0\5\4\1\6\3\0\7"]

    later = take(scripts)[1]
    assert place_one(scripts, later, 3, [draw(1, 3, 0, 8)])[:2] == (DONE, b"\7")
    message = bus.get_message(timeout=10)["data"]
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
    # In the one of the generation of that moment, which may be over by now.
    assert {b"g", b"f" * 16} in [set(client.hkeys("{t:0:0}:" + name)) for name in ("dup0", "dup1")]


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


def test_replace_is_all_or_nothing(scripts, client):
    tag = "{t:0:0}:"
    keys = [tag + what for what in ("meta", "px", "last", "log", "dup0", "dup1", "new:px", "new:last", "new:log")] + [CONFIG]
    number, checksum = "00000000000000cc", "0" * 16
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 3, 4, 5)])
    client.hset(CONFIG, "restorer", number)
    before = {key: client.dump(key) for key in keys}
    client.set(tag + "new:px", b"p")
    client.set(tag + "new:last", b"l")
    with pytest.raises(redis.RedisError, match="^NOTWHOLE"):
        scripts.replace(keys, [number, epoch, 1, checksum])
    client.delete(tag + "new:px", tag + "new:last")
    assert {key: client.dump(key) for key in keys} == before
    for what in ("px", "last"):
        client.set(tag + "new:" + what, what)
    client.xadd(tag + "new:log", {"l": 1}, "9-0")
    assert scripts.replace(keys, [OTHER, epoch, 9, checksum]) == 0, "another restore"
    assert scripts.replace(keys, [number, epoch, 9, checksum]) > epoch
    assert (client.get(tag + "px"), client.get(tag + "last"), client.xlen(tag + "log")) == (b"px", b"last", 1)
    assert client.hmget(tag + "meta", "s", "o") == [b"9", None]
    assert scripts.replace(keys, [number, 0, 0, checksum]) > epoch
    assert client.keys(tag + "*") == [(tag + "meta").encode()]


@pytest.mark.parametrize("script", ["settings", "restore"])
def test_nothing_is_changed_without_a_trace(scripts, client, script):
    audit = "{cluster}:audit"
    number = "00000000000000cc"
    args = {"settings": ["3", BUS, "who", "via", "set cooldown", "1", "2"], "restore": ["begin", "3", BUS, "who", "a backup", number]}

    def change():
        return getattr(scripts, script)([CONFIG, audit], args[script] + ["cooldown_ms", "2"])

    client.hset(CONFIG, mapping={"version": 3, "cooldown_ms": 1})
    before = client.hgetall(CONFIG)
    client.set(audit, "no stream")
    with pytest.raises(redis.RedisError, match="WRONGTYPE"):
        change()
    assert client.hgetall(CONFIG) == before
    client.delete(audit)
    try:
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.RedisError, match="^(OOM|command not allowed)"):
            change()
    finally:
        client.config_set("maxmemory", 0)
    assert client.hgetall(CONFIG) == before and client.exists(audit) == 0
    assert change() == 4
    assert client.hmget(CONFIG, "version", "cooldown_ms") == [b"4", b"2"]
    assert client.xrange(audit)[0][1][b"version"] == b"4"
