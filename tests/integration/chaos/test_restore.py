"""Redis goes back to older data under live gateways and shards: it is noticed, all start over from what there is, and nobody
writes with what it knew before. What was acknowledged since the older data is gone, and nothing else."""

import asyncio
import shutil

import pytest

from .cluster import all_equal, all_ready, stored
from .game import Game, counters

pytestmark = pytest.mark.slow
OPTIONS = {"width": 512, "height": 512, "tile_edge": 128}
NOTICED_WITHIN_S = 3.0
MODES = {"pipelined": ("0", 16, 16, 0.005), "cooldown": ("100ms", 48, 1, 0)}
# With a cooldown each user's next nonce has gone back, too.
EXPECTED = ("STALE",)


def epochs(cluster):
    keys = cluster.redis.client.keys("{t:*}:meta")
    return max(int(cluster.redis.client.hget(key, "e")) for key in keys)


async def take_anew(cluster):
    """All shards connect to Redis anew, and so take each tile anew: an epoch that only adds one could come a second time."""
    cluster.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await asyncio.sleep(1)


def check(game, positions_then, saved_at, restored_at, epoch_then):
    """`saved_at` … `restored_at`: the times, by the loop's clock, between which the acknowledged are gone."""
    canvas = game.cluster.canvas()
    report = game.history.compare(canvas)
    history = game.history
    lost = [draw for draw in report.lost if history.ended[draw] < saved_at or history.invoked[draw] > restored_at]
    assert not lost, f"{len(lost)} of other times are lost"
    assert not report._replace(lost=[]).problems(), report._replace(lost=[]).problems()
    assert report.lost, "nothing was acknowledged in between: the test shows nothing"
    after = [p for p in canvas.all_placements() if p.seq > positions_then[p.tile].seq]
    assert len(after) > 100 and all(p.epoch > epoch_then for p in after), "written with an epoch of before"
    canvas.check_users()
    odd = [text for text in game.history.anomalies if not text.startswith(EXPECTED)]
    assert not odd, odd[:5]
    print(f"{len(report.lost)} were after the older data, {len(after)} came after it was restored")


def tell(cluster):
    for gateway in cluster.gateways:
        found = {k: int(v) for k, v in counters(gateway.metrics).items() if k.startswith("tessera_resyncs_total")}
        print(gateway.proc.name, found)
    for shard in cluster.shards:
        found = counters(shard.metrics)
        print(shard.proc.name, {k: int(found[f"tessera_shard_{k}_total"]) for k in ("rewound", "fenced", "joins", "takes")})


@pytest.mark.parametrize("mode", MODES)
def test_an_older_file_is_put_back(make_cluster, rng, mode):
    cooldown, players, depth, pace_s = MODES[mode]
    cluster = make_cluster(cooldown=cooldown, shards=4, **OPTIONS)
    redis, files = cluster.redis, cluster.redis.path / "appendonlydir"

    async def run():
        now = asyncio.get_running_loop().time
        async with Game(cluster, rng, players, depth, pace_s) as game:
            redis.proc.pause()
            saved_at, copy = now(), shutil.copytree(files, redis.path / "older")
            redis.proc.resume()
            await take_anew(cluster)
            epoch = epochs(cluster)
            redis.kill()
            restored_at = now()
            shutil.rmtree(files)
            copy.rename(files)
            # a part of what waits is sent as soon as Redis is there: what it had is read with nobody else about
            for process in cluster.shards:
                process.proc.pause()
            redis.start()
            positions = stored(cluster)[0]
            for process in cluster.shards:
                process.proc.resume()
            await asyncio.sleep(1)
            await game.rest()
            await all_ready(cluster)
            print(f"equal after {await all_equal(cluster, game.players, 2):.2f} s")
            assert cluster.members() == {shard.address for shard in cluster.shards}
            game.go_on()
            await asyncio.sleep(0.5)
            # A gateway gives up on a draw after 3 s, and all that was done to Redis may have taken longer; it is sent again.
            game.check_verdicts("PLACED", "UNAVAILABLE", *EXPECTED)
        tell(cluster)
        check(game, positions, saved_at, restored_at, epoch)

    asyncio.run(run())


def dump(redis):
    return {key: redis.dump(key) for key in redis.keys("{[tua]:*")}


def restore(redis, keys):
    """All of the canvas as it was, at one instant, with all connections as they are."""
    pipe = redis.pipeline(transaction=True)
    for key in set(redis.keys("{[tua]:*")) - set(keys):
        pipe.delete(key)
    for key, value in keys.items():
        pipe.restore(key, 0, value, replace=True)
    pipe.execute()


@pytest.mark.parametrize("mode, drawing", [("pipelined", "drawing"), ("cooldown", "idle")])
def test_older_data_are_put_back_while_redis_runs(make_cluster, rng, mode, drawing):
    cooldown, players, depth, pace_s = MODES[mode]
    cluster = make_cluster(cooldown=cooldown, **OPTIONS)

    async def run():
        now = asyncio.get_running_loop().time
        async with Game(cluster, rng, players, depth, pace_s) as game:
            await game.rest()
            keys, saved_at, positions = dump(cluster.redis.client), now(), stored(cluster)[0]
            game.go_on()
            await asyncio.sleep(0.5)
            await take_anew(cluster)
            if drawing == "idle":
                await game.rest()
            epoch = epochs(cluster)
            restore(cluster.redis.client, keys)
            restored_at = now()
            if drawing == "idle":
                # nobody is told: the gateways find it when they look at tiles that they have not heard of
                print(f"noticed, and all equal, after {await all_equal(cluster, game.players, NOTICED_WITHIN_S):.2f} s")
                game.go_on()
            await asyncio.sleep(1)
            await game.rest()
            print(f"equal after {await all_equal(cluster, game.players, 2):.2f} s")
        tell(cluster)
        check(game, positions, saved_at, restored_at, epoch)

    asyncio.run(run())
