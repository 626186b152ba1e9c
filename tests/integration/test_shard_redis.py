"""Redis dies, hangs, forgets and goes back in time under shards that place: what is acknowledged is there, once."""

import collections
import random
import signal
import time

import pytest

from links import COOLDOWN, PLACED
from ownership import read_view
from redis_fixture import check_all, check_tile, wait_for
from shard_fixture import CANVAS, FAST
from shard_fixture import world  # noqa: F401
from shard_gateway import Draw, Painter


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
    painter.gateway.finish()
    painter.check(world.client)
