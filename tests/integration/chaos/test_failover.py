"""A shard or a gateway goes, by its own will or not: how soon its work goes on elsewhere, and that the players do not notice."""

import asyncio
import signal

import pytest
from tessera.procs import wait_until

from .cluster import all_equal
from .game import Game

pytestmark = pytest.mark.slow
KILL_WITHIN_S = 3.0
TERM_WITHIN_S = 0.2
OPTIONS = {"width": 512, "height": 512, "tile_edge": 128}
# A machine that is busy with other tests takes longer for everything.
BUSY_S = 0.3


def owned_tiles(cluster, shard):
    """How many tiles Redis has this address as the owner of."""
    keys = cluster.redis.client.keys("{t:*}:meta")
    return sum(cluster.redis.client.hget(key, "a") == shard.address.encode() for key in keys)


async def an_owner(cluster, last):
    """A shard that owns tiles, other than the last one. By chance, and right after its start, one may have none."""
    found = lambda: next((s for s in cluster.shards if s is not last and owned_tiles(cluster, s) > 0), None)  # noqa: E731
    return await asyncio.to_thread(wait_until, found, 20, "a shard has tiles")


@pytest.mark.parametrize("cooldown", ["0", "100ms"])
def test_tiles_of_a_killed_shard_go_on_within_three_seconds(make_cluster, rng, cooldown):
    cluster = make_cluster(shards=3, cooldown=cooldown, **OPTIONS)
    slowest = []

    async def run():
        async with Game(cluster, rng) as game:
            shard = None
            for _ in range(2):
                shard = await an_owner(cluster, shard)
                since = asyncio.get_running_loop().time()
                shard.proc.kill()
                await asyncio.sleep(3.5)
                slowest.append(game.slowest(since))
                await asyncio.to_thread(shard.start)
                await asyncio.sleep(0.5)
        game.check(at_least=500)
        game.check_verdicts("PLACED")

    asyncio.run(run())
    print("slowest draws around the deaths:", slowest)
    assert max(slowest) <= KILL_WITHIN_S


def test_tiles_of_a_stopped_shard_go_on_at_once(make_cluster, rng):
    cluster = make_cluster(shards=3, **OPTIONS)
    slowest = []

    async def run():
        async with Game(cluster, rng) as game:
            shard = None
            for _ in range(4):
                shard = await an_owner(cluster, shard)
                before = asyncio.get_running_loop().time()
                usual = game.slowest(before - 1)
                shard.proc.send(signal.SIGTERM)
                await asyncio.sleep(0.7)
                slowest.append((game.slowest(before), usual))
                await asyncio.to_thread(shard.proc._reap, 10, {0})
                await asyncio.to_thread(shard.start)
                await asyncio.sleep(1)
        game.check(at_least=500)
        game.check_verdicts("PLACED")

    asyncio.run(run())
    print("slowest draws around the stops, and before:", slowest)
    assert min(took for took, _ in slowest) <= TERM_WITHIN_S
    assert all(took <= TERM_WITHIN_S + usual + BUSY_S for took, usual in slowest)


@pytest.mark.parametrize("cooldown", ["0", "100ms"])
def test_a_rolling_restart_is_not_noticed(make_cluster, rng, cooldown):
    """Every gateway and every shard in turn, with players drawing: only PLACED, and no connection that ends but by MOVE."""
    cluster = make_cluster(shards=3, gateways=3, cooldown=cooldown, **OPTIONS)

    async def run():
        async with Game(cluster, rng, players=32) as game:
            for gateway in cluster.gateways:
                game.urls.remove(gateway.ws_url)  # what a balancer does when /readyz turns 503
                await asyncio.to_thread(gateway.proc.stop)
                await asyncio.to_thread(gateway.start)
                game.urls.append(gateway.ws_url)
            for shard in cluster.shards:
                await asyncio.to_thread(shard.proc.stop)
                await asyncio.to_thread(shard.start)
            await asyncio.sleep(0.5)
            moves = sum(player.moves for player in game.players)
            breaks = sum(player.connects - 1 - player.moves for player in game.players)
            await game.rest()
            await all_equal(cluster, game.players, 2)
        game.check(at_least=500)
        print(f"{moves} moves, {breaks} other ends, {dict(game.history.verdicts)}, {game.history.repeats} repeats")
        game.check_verdicts("PLACED")
        assert moves > 0 and breaks == 0

    asyncio.run(run())
