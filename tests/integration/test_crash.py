"""Processes die in the middle of drawing. What was acknowledged is there, once; and all gateways are equal again soon."""

import asyncio
import time

import pytest
from tessera.busy import Busy
from tessera.checker import Bad, History
from tessera.client import Client, all_tiles
from tessera.cluster import metric
from tessera.player import Player, unique_draws
from tessera.procs import wait_until
from tessera.protocol import Verdict

SIDE = 512
TILES = all_tiles(SIDE, SIDE)
EQUAL_WITHIN_S = 2
GIVE_UP_S = 20
ENOUGH = 500  # acknowledged draws, so that there is something to look at: on a busy machine they take longer

MODES = {
    # with cooldown 0 each connection has many draws under way; with a cooldown many users have one
    "pipelined": {"cooldown": "0", "players": 16, "depth": 32},
    "cooldown": {"cooldown": "100ms", "players": 80, "depth": 1},
}


class Game:
    """Players over all gateways of a cluster, and at the end the check of everything."""

    def __init__(self, cluster, mode, rng):
        self.cluster = cluster
        self.history = History()
        self.urls = [gateway.ws_url for gateway in cluster.gateways]
        self.players = []
        for number in range(mode["players"]):
            session = cluster.gateways[number % len(cluster.gateways)].session()
            draws = unique_draws(rng, 20_000 if mode["depth"] > 1 else 1000, SIDE, SIDE, 32)
            watched = TILES if number % 4 == 0 else ()
            self.players.append(Player(session, self.urls, draws, self.history, rng, mode["depth"], watched))

    async def play(self, disturb):
        """All draw while `disturb()`, a coroutine, does its worst; when it is done they finish what is under way."""
        games = [asyncio.ensure_future(player.run()) for player in self.players]
        await asyncio.sleep(0.5)
        await disturb()
        give_up = time.monotonic() + 60
        while self.history.acknowledged() < ENOUGH and time.monotonic() < give_up:
            await asyncio.sleep(0.05)
        ready = time.monotonic()
        for player in self.players:
            player.stop()
        await asyncio.gather(*games)
        await self._settle(ready)

    async def _settle(self, ready):
        """All gateways are equal to Redis within two seconds of the last process being ready and the last draw answered."""
        canvas = self.cluster.canvas()
        answered, busy = time.monotonic(), Busy(*self.cluster.gateways, *self.cluster.shards, self.cluster.redis)

        def equal():
            for gateway in self.cluster.gateways:
                canvas.check_gateway(gateway)
            return True

        await asyncio.to_thread(wait_until, equal, GIVE_UP_S, "all gateways equal")
        now = time.monotonic()
        assert now - answered <= EQUAL_WITHIN_S + busy.seconds
        print(
            f"{self.history.acknowledged()} acknowledged, last answer {answered - ready:.2f} s and all equal {now - ready:.2f} s"
            f" after the last process was ready; {sum(p.connects for p in self.players)} connections"
        )

    def check(self):
        canvas = self.cluster.canvas()
        self.history.check(canvas)
        canvas.check_users()
        assert self.history.acknowledged() >= ENOUGH
        outcomes = [outcome for outcome, _ in self.history.draws.values()]
        assert set(outcomes) == {Verdict.PLACED}, set(outcomes)
        return canvas


async def kill_and_restart(rng, victims, rounds, down_s=0.3, between_s=0.6):
    """kill -9 of one of the victims, chosen at random, again and again. The last start is waited for, the others are not."""
    for _ in range(rounds):
        victim = rng.choice(victims)
        print(f"kill -9 {victim.proc.name}")
        victim.proc.kill()
        await asyncio.sleep(rng.uniform(0, down_s))
        await asyncio.to_thread(victim.start)
        await asyncio.sleep(rng.uniform(0, between_s))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("who", ["gateways", "shards", "redis", "all"])
def test_kill_9_in_the_middle_of_drawing(make_cluster, rng, who, mode):
    cluster = make_cluster(cooldown=MODES[mode]["cooldown"], width=SIDE, height=SIDE)
    victims = {
        "gateways": cluster.gateways,
        "shards": cluster.shards,
        "redis": [cluster.redis],
        "all": [*cluster.gateways, *cluster.shards, cluster.redis],
    }[who]
    game = Game(cluster, MODES[mode], rng)
    asyncio.run(game.play(lambda: kill_and_restart(rng, victims, rounds=8)))
    game.check()


def test_everything_is_killed_at_once(make_cluster, rng):
    cluster = make_cluster(width=SIDE, height=SIDE)
    everyone = [*cluster.gateways, *cluster.shards, cluster.redis]

    async def disturb():
        for _ in range(2):
            await asyncio.sleep(0.7)
            for victim in rng.sample(everyone, len(everyone)):
                victim.proc.kill()
            for victim in rng.sample(everyone, len(everyone)):
                await asyncio.to_thread(victim.start, **({} if victim is cluster.redis else {"wait": False}))
            for victim in everyone[:-1]:
                await asyncio.to_thread(victim.wait_ready)

    game = Game(cluster, MODES["pipelined"], rng)
    asyncio.run(game.play(disturb))
    game.check()


@pytest.mark.parametrize("mode", MODES)
def test_shards_come_and_go_in_any_order(make_cluster, rng, mode):
    """Stopped properly or killed, added, started again: at least one stays, and no draw is answered by anything but PLACED."""
    cluster = make_cluster(cooldown=MODES[mode]["cooldown"], width=SIDE, height=SIDE)

    async def disturb():
        await asyncio.to_thread(cluster.add_shard().start)
        for _ in range(8):
            running = [shard for shard in cluster.shards if shard.proc.running]
            stopped = [shard for shard in cluster.shards if not shard.proc.running]
            if stopped and (len(running) == 1 or rng.random() < 0.5):
                shard = rng.choice(stopped)
                print(f"start {shard.proc.name}")
                await asyncio.to_thread(shard.start)
            else:
                shard = rng.choice(running)
                print(f"stop {shard.proc.name}")
                await asyncio.to_thread(shard.proc.stop)
            await asyncio.sleep(rng.uniform(0, 0.5))

    game = Game(cluster, MODES[mode], rng)
    asyncio.run(game.play(disturb))
    game.check()
    running = {shard.address for shard in cluster.shards if shard.proc.running}
    wait_until(lambda: cluster.members() == running, 20, "those are members that run")


def test_gateways_drain_when_they_are_stopped(make_cluster, rng):
    """SIGTERM: the clients are told to move, and nothing that they sent is lost."""
    cluster = make_cluster(gateways=3, width=SIDE, height=SIDE)

    async def disturb():
        for gateway in cluster.gateways:
            game.urls.remove(gateway.ws_url)
            await asyncio.to_thread(gateway.proc.stop)
            await asyncio.to_thread(gateway.start)
            game.urls.append(gateway.ws_url)

    game = Game(cluster, MODES["pipelined"], rng)
    asyncio.run(game.play(disturb))
    game.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_shard_that_sleeps_longer_than_its_lease_is_fenced(make_cluster, rng, mode):
    """SIGSTOP in the middle of drawing: another shard takes the tiles; what the sleeper still wanted to write is refused."""
    cluster = make_cluster(cooldown=MODES[mode]["cooldown"], width=SIDE, height=SIDE)
    game = Game(cluster, MODES[mode], rng)
    sleeper = cluster.shards[0]

    async def disturb():
        for _ in range(2):
            sleeper.proc.pause()
            evicted = lambda: sleeper.address not in cluster.members()  # noqa: E731
            await asyncio.to_thread(wait_until, evicted, 15, "the sleeper is evicted")
            before = game.history.acknowledged()
            await asyncio.sleep(1.5)
            give_up = time.monotonic() + 15
            while game.history.acknowledged() <= before:
                assert time.monotonic() < give_up, "nobody serves the tiles of the sleeper"
                await asyncio.sleep(0.05)
            sleeper.proc.resume()
            await asyncio.to_thread(sleeper.wait_ready)
            await asyncio.sleep(0.5)

    asyncio.run(game.play(disturb))
    game.check()
    counts = {name: metric(sleeper.metrics, f"tessera_shard_{name}_total") for name in ("joins", "fenced", "rewound")}
    print(counts)
    assert counts["joins"] >= 2


def test_connections_to_redis_that_break_are_not_noticed_by_players(make_cluster, rng):
    cluster = make_cluster(width=SIDE, height=SIDE)
    game = Game(cluster, MODES["pipelined"], rng)

    async def disturb():
        for _ in range(10):
            kind = rng.choice(["normal", "pubsub"])
            cluster.redis.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            await asyncio.sleep(rng.uniform(0.05, 0.4))
        for process in cluster.shards + cluster.gateways:
            await asyncio.to_thread(process.wait_ready)

    asyncio.run(game.play(disturb))
    game.check()


def test_lost_bus_messages_are_repaired(make_cluster):
    """A gateway whose subscription breaks while others draw catches up from the stream, and its clients with it."""
    cluster = make_cluster(width=SIDE, height=SIDE)
    gateway = cluster.gateways[0]

    async def run():
        token = gateway.session().token
        async with Client(gateway.ws_url, token, TILES) as watcher, Client(gateway.ws_url, token) as drawer:
            nonce = 0
            for _ in range(5):
                for _ in range(200):
                    nonce += 1
                    await drawer.send_draw(nonce % SIDE, nonce // SIDE, 1 + nonce % 31, nonce)
                    if nonce % 100 == 50:
                        cluster.redis.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await drawer.until(lambda: not drawer.in_flight, 20, "all answered")
            canvas = cluster.canvas()
            for tile in TILES:
                try:
                    at_end = canvas.positions[tile]
                    await watcher.until(lambda: watcher.replicas[tile].pos == at_end, 20, f"{tile} at {at_end}")
                    canvas.check_replica(tile, watcher.replicas[tile], "watcher")
                except Bad as e:
                    raise AssertionError(f"{e}; resumes {watcher.resumes}, snapshots {watcher.snapshots}") from e
            assert nonce == len(canvas.all_placements())

    asyncio.run(run())


def test_the_canvas_survives_a_stop_of_everything(make_cluster, rng):
    cluster = make_cluster(width=SIDE, height=SIDE)
    game = Game(cluster, MODES["pipelined"], rng)

    async def disturb():
        await asyncio.sleep(1)

    asyncio.run(game.play(disturb))
    before = game.check()
    for proc in cluster.procs():
        proc.stop()
    cluster.start()
    after = cluster.canvas()
    assert after.colors == before.colors and after.positions == before.positions
    for gateway in cluster.gateways:
        after.check_gateway(gateway)
