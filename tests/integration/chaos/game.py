"""Players on a cluster for the length of an `async with`, and the check of what they did."""

import asyncio

from tessera import http
from tessera.client import all_tiles

from .history import History
from .player import Player, draws_of


def counters(address):
    """All metrics without labels, and those with them by their whole name."""
    text = http.get(address, "/metrics").body.decode()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")}


class Game:
    """`players` of them, each on pixels of one tile in turn, so that every tile is drawn on all the time."""

    def __init__(self, cluster, rng, players=16, depth=1, pace_s=0.01, side=512, edge=128, watch=True, give_up_s=60, enough=500):
        self.cluster = cluster
        self.enough = enough  # acknowledged draws, so that there is something to look at: on a busy machine they take longer
        self.history = History()
        self.urls = [gateway.ws_url for gateway in cluster.gateways]
        self.players, self.tasks = [], []
        tiles = all_tiles(side, side, edge)
        for number in range(players):
            session = cluster.gateways[number % len(cluster.gateways)].session()
            tx, ty = tiles[number % len(tiles)]
            draws = draws_of(rng, tx * edge, ty * edge, edge, edge, 32)
            watched = tiles if watch and number < 4 else ()
            self.players.append(
                Player(session, self.urls, draws, self.history, rng, depth, watched, (), give_up_s, pace_s)
            )

    async def __aenter__(self):
        self.tasks = [asyncio.ensure_future(player.run()) for player in self.players]
        await asyncio.sleep(1)
        return self

    async def places(self, count, timeout=60):
        """Waits until so many draws are acknowledged."""
        end = asyncio.get_running_loop().time() + timeout
        while self.history.acknowledged() < count:
            assert asyncio.get_running_loop().time() < end, f"{self.history.acknowledged()} draws are placed, not {count}"
            await asyncio.sleep(0.05)

    async def __aexit__(self, kind, error, trace):
        if kind is None and not any(player.resting for player in self.players):
            await self.places(self.enough)
        for player in self.players:
            player.stop()
        done, late = await asyncio.wait(self.tasks, timeout=60)
        for task in late:
            task.cancel()
        if kind is None:
            assert not late, f"{len(late)} players did not come to an end"
            for task in done:
                task.result()

    async def rest(self, timeout=30):
        """All draws are answered, and none is begun. Enough have been, before."""
        await self.places(self.enough)
        for player in self.players:
            player.rest()
        end = asyncio.get_running_loop().time() + timeout
        while not all(player.idle for player in self.players):
            assert asyncio.get_running_loop().time() < end, "draws without an answer"
            await asyncio.sleep(0.02)

    def go_on(self):
        for player in self.players:
            player.rest(False)

    def slowest(self, since=0):
        """Seconds that the slowest draw took of those that ended after `since` (the loop's time)."""
        return max((ended - invoked for invoked, ended in self.history.latency if ended >= since), default=0)

    def check(self, at_least=1, anomalies=()):
        canvas = self.cluster.canvas()
        report = self.history.compare(canvas)
        assert not report.problems(), report.problems()
        canvas.check_users()
        assert self.history.acknowledged() >= at_least
        odd = [text for text in self.history.anomalies if not text.startswith(tuple(anomalies) or "-")]
        assert not odd, odd[:5]
        return canvas

    def check_verdicts(self, *allowed):
        assert set(self.history.verdicts) <= set(allowed), self.history.verdicts
