"""Redis is there and refuses: memory, disk, a damaged tile. Shards are read-only then, and nothing worse."""

import pathlib
import time

from links import PLACED, READ_ONLY
from ownership import read_view
from redis_fixture import check_all, check_tile, wait_for
from shard_fixture import FAST, quiet
from shard_fixture import world  # noqa: F401
from shard_gateway import Draw


def test_read_only_when_redis_is_nearly_full(world):
    world.shard(*FAST)
    gateway = world.gateway()
    assert gateway.place(Draw(1, 0, 0, 1, 1))[0].code == PLACED
    used = world.client.info("memory")["used_memory"]
    world.client.config_set("maxmemory", used * 100 // 85)
    nonce = iter(range(2, 10000))
    wait_for(lambda: gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].code == READ_ONLY, "draws are refused", 20)
    world.client.config_set("maxmemory", 0)
    wait_for(lambda: gateway.place(Draw(1, 0, 0, 1, next(nonce)))[0].code == PLACED, "draws are placed", 20)
    check_all(world.client)


def test_redis_out_of_memory_is_read_only(world):
    world.shard(*FAST)
    gateway = world.gateway()
    assert gateway.place(Draw(1, 0, 0, 1, 1))[0].code == PLACED
    world.client.config_set("maxmemory", 1)
    assert gateway.place(Draw(1, 1, 0, 1, 2))[0].code == READ_ONLY
    world.client.config_set("maxmemory", 0)
    wait_for(lambda: gateway.place(Draw(1, 2, 0, 1, 3))[0].code == PLACED, "draws are placed", 20)
    # The refused draw was not taken for placed because a later one was.
    assert gateway.place(Draw(1, 1, 0, 1, 2))[0].code == PLACED
    assert [p["offset"] for p in check_tile(world.client, 0, 0)] == [0, 2, 1]


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
             "draws are placed", 20)
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
             "draws are placed", 20)
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
