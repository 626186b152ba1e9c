"""One episode of chaos: a cluster, players, faults; now and then rest and a look whether all are equal; at the end the whole check."""

import asyncio
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from tessera import http
from tessera.checker import Bad
from tessera.cluster import metric
from tessera.procs import Failure, Proc, build_dir
from tessera.protocol import Position

from .cluster import ChaosCluster, all_equal, all_ready, busy_of
from .disk import Disk
from .faults import Faults
from .history import History
from .player import Player, draws_of

MODES = {
    # with cooldown 0 each connection has many draws under way; with a cooldown many users have one
    "pipelined": {"cooldown": "0", "players": 12, "depth": 32, "pace_s": 0.002},
    "cooldown": {"cooldown": "100ms", "players": 60},
    # each user draws from two places at once, with one record and one next nonce
    "twins": {"cooldown": "100ms", "players": 60, "twins": True},
    "allowance": {"cooldown": "500ms", "players": 40, "guests_per_address": 16},
    # besides the players, whose views are compared, tessera-load draws as fast as the proxy, which is in Python, can follow
    "flood": {"cooldown": "0", "players": 8, "depth": 4, "pace_s": 0.02, "load": 60},
}
LOAD_RATE = 6000
SIDE = 512
PACE_S = 0.3  # between two faults, on average
EQUAL_WITHIN_S = 2.0  # after the last process is ready and the last draw is answered
ANSWERED_WITHIN_S = 5.0  # after the last process is ready: a dead shard's tiles may have to be taken first
GIVE_UP_S = 20.0  # whoever is not equal by then is called divergent, not slow
COUNTERS = {
    "fenced": "tessera_shard_fenced_total",
    "rewound": "tessera_shard_rewound_total",
    "evictions": "tessera_shard_evictions_total",
    "unknown_batches": "tessera_shard_batches_unknown_total",
    "takes": "tessera_shard_takes_total",
    "takes_refused": "tessera_shard_takes_refused_total",
    "not_owner": "tessera_shard_not_owner_total",
    "gaps": "tessera_gaps_total",
    "repairs": "tessera_repairs_total",
    "polls": "tessera_polls_total",
    "draws_lost_with_link": "tessera_gateway_draws_lost_total",
}


@dataclass
class Result:
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    divergent: int = 0
    problems: list = field(default_factory=list)
    slow: list = field(default_factory=list)  # timings over the promise
    faults: Counter = field(default_factory=Counter)
    verdicts: Counter = field(default_factory=Counter)
    metrics: Counter = field(default_factory=Counter)
    equal_s: float = 0.0
    answered_s: float = 0.0

    def add(self, other):
        for name in ("kills", "acknowledged", "lost", "doubled", "divergent"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("problems", "slow"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("faults", "verdicts", "metrics"):
            getattr(self, name).update(getattr(other, name))
        self.equal_s = max(self.equal_s, other.equal_s)
        self.answered_s = max(self.answered_s, other.answered_s)

    @property
    def well(self):
        return not (self.lost or self.doubled or self.divergent or self.problems)

    def last_line(self):
        return f"kills {self.kills} acked {self.acknowledged} lost {self.lost} doubled {self.doubled} divergent {self.divergent}"


class Episode:
    def __init__(self, path, mode, rng, say=lambda text: None, shards=3, gateways=3, players=None):
        self.mode = MODES[mode]
        self.rng = rng
        self.say = say
        options = {"guests_per_address": self.mode.get("guests_per_address", 0), "width": SIDE, "height": SIDE, "cooldown": self.mode["cooldown"], "shard_args": ["--lease=1s"]}
        # tiles that come and go at once, clients that fall behind soon, updates one by one or in heaps
        options["gateway_args"] = [
            f"--linger={rng.choice(('0', '200ms', '30s'))}",
            f"--ring-updates={rng.choice((64, 4096))}",
            f"--tick-min={rng.choice(('0', '5ms', '50ms'))}",
        ]
        self.cluster = ChaosCluster(path, shards=shards, gateways=gateways, **options)
        self.history = History()
        self.players = []
        self.count = players or self.mode["players"]
        # a sync takes a little, as on a disk, so that there is something to lose when the power fails
        self.disk = Disk(self.cluster.redis, delay_us=rng.choice((0, 300, 1000)), rng=rng)
        self.faults = Faults(self.cluster, rng, say, disk=self.disk)
        self.result = Result()
        self.kills_wanted = self.acknowledged_wanted = 0
        self.load = None
        self.samples = {}  # (process, start) -> its counters, as last seen

    def _sample(self):
        """The counters of all processes; those that were killed are remembered as they were seen last."""
        for process in self.cluster.shards + self.cluster.gateways:
            try:
                text = http.get(process.metrics, "/metrics", timeout=0.3).body.decode()
            except OSError:
                continue
            values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
            found = {name: int(float(values[full])) for name, full in COUNTERS.items() if full in values}
            self.samples[process.proc.name, process.proc.starts] = found

    def _look(self):
        """What a gateway's API says of a tile at some moment."""
        gateway, (tx, ty) = self.rng.choice(self.cluster.gateways), self.rng.choice(self.cluster.tiles())
        try:
            reply = http.get(gateway.address, f"/api/v1/tiles/{tx}/{ty}", timeout=0.5)
        except OSError:
            return
        if reply.status == 200:
            epoch, seq = map(int, reply.headers["tessera-position"].split("-"))
            self.history.look((tx, ty), Position(epoch, seq), reply.body, f"API of {gateway.proc.name}")

    async def _keep_sampling(self):
        while True:
            for _ in range(5):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(self._look)
            await asyncio.to_thread(self._sample)

    def _make_players(self):
        tiles, mode = self.cluster.tiles(), self.mode
        straight, twins = [gateway.ws_url for gateway in self.cluster.gateways], mode.get("twins", False)
        for number in range(self.count):
            if not twins or number % 2 == 0:
                session = self.cluster.gateways[number % len(straight)].session()
                draws = draws_of(self.rng, 0, 0, SIDE, SIDE, 32)
            watched, roam = (tiles, ()) if number % 4 == 0 else (self.rng.sample(tiles, 2), tiles)
            self.players.append(
                Player(
                    session,
                    self.cluster.proxied_urls if number % 3 == 0 else straight,
                    draws,
                    self.history,
                    self.rng,
                    mode.get("depth", 1),
                    watched,
                    roam,
                    give_up_s=90,
                    pace_s=mode.get("pace_s", 0),
                    alone=not twins,
                )
            )

    # ---- phases ----

    async def _disturb(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.faults.one()
            await asyncio.sleep(self.rng.expovariate(1 / PACE_S))

    async def _start_load(self, seconds):
        if "load" not in self.mode:
            return
        urls = ",".join(f"ws://{gateway.address}" for gateway in self.cluster.gateways)
        argv = [build_dir() / "tessera-load", "draw", "--url", urls, "--connections", self.mode["load"], "--window", 128, "--rate", LOAD_RATE]
        argv += ["--seconds", max(1, int(seconds)), "--observers", 0, "--verify=false", "--progress=false"]
        argv += ["--seed", self.rng.randrange(1 << 30), "--journal", self.cluster.path / "journal"]
        self.load = Proc("load", argv, self.cluster.path / "load.log").start()
        await asyncio.sleep(1.5)  # it may not go on without its sessions

    async def _end_load(self):
        """It ends by itself when all that it sent is answered, with status 1 as not all was right away."""
        if self.load:
            load, self.load = self.load, None
            await asyncio.to_thread(load._reap, 70, {0, 1})
            self.result.problems += load.problems

    async def _rest(self):
        """Everything heals, the players finish what is under way, and all have to be equal soon."""
        await self.faults.heal()
        await self._end_load()
        for player in self.players:
            player.rest()
        ready, busy = await all_ready(self.cluster), busy_of(self.cluster)
        while not all(player.idle for player in self.players) and time.monotonic() < ready + GIVE_UP_S:
            await asyncio.sleep(0.02)
        answered = max(time.monotonic() - ready - busy.seconds, 0)
        pending = sum(len(player.pending) for player in self.players)
        if pending:
            self.result.problems.append(f"{pending} draws without an answer {GIVE_UP_S} s after all was ready")
            self._tell_pending()
        try:
            equal = await all_equal(self.cluster, self.players, GIVE_UP_S)
        except Failure as e:
            self.result.divergent += 1
            self.result.problems.append(str(e))
            equal = GIVE_UP_S
        if answered > ANSWERED_WITHIN_S:
            self.result.slow.append(f"the last answer came {answered:.2f} s after the last process was ready")
        if equal > EQUAL_WITHIN_S:
            self.result.slow.append(f"equal only {equal:.2f} s after the last answer")
        self.result.answered_s = max(self.result.answered_s, answered)
        self.result.equal_s = max(self.result.equal_s, equal)
        self.say(
            f"at rest: {self.history.acknowledged()} acknowledged, {self.faults.kills} kills, last answer after {answered:.2f} s,"
            f" all equal after {equal:.2f} s more"
        )
        for player in self.players:
            player.rest(False)

    def _few(self):
        """Whether there is less to look at than is wanted: on a busy machine it takes longer."""
        return self.faults.kills < self.kills_wanted or self.history.acknowledged() < self.acknowledged_wanted

    def _goes_on(self, end):
        now = time.monotonic()
        return (now < end or now < end + 120 and self._few()) and not self.result.problems

    def _tell_pending(self):
        for player in self.players:
            if player.pending:
                draw = next(iter(player.pending.values()))
                print(f"    {player.session.user:016x} at {player.url}, {player.connects} connections: {len(player.pending)} pending,"
                      f" nonce {draw.nonce} {draw.what} sent {draw.sent} times, open {player.client and player.client.open}")
        for gateway in self.cluster.gateways:
            names = ("draws_waiting", "draws_in_flight", "shards", "shard_links_up", "view", "clients")
            print(f"    {gateway.proc.name}: " + ", ".join(f"{n} {metric(gateway.metrics, 'tessera_gateway_' + n)}" for n in names))
        for shard in self.cluster.shards:
            names = ("waiting_draws", "view", "owned_tiles", "links")
            print(f"    {shard.proc.name}: " + ", ".join(f"{n} {metric(shard.metrics, 'tessera_shard_' + n)}" for n in names))

    async def _run(self, seconds, rest_every):
        games = [asyncio.ensure_future(player.run()) for player in self.players]
        for game in games:
            game.add_done_callback(self._on_game_over)
        sampling = asyncio.ensure_future(self._keep_sampling())
        end = time.monotonic() + seconds
        try:
            while self._goes_on(end):
                await asyncio.sleep(0.5)
                left = end - time.monotonic()
                seconds = min(rest_every, left if left > 0 else 5)
                await self._start_load(seconds)
                await self._disturb(seconds)
                await self._rest()
        finally:
            sampling.cancel()
            self._sample()
            for player in self.players:
                player.stop()
            await asyncio.wait(games, timeout=30)
            for game in games:
                game.cancel()

    def _on_game_over(self, game):
        if not game.cancelled() and game.exception():
            text = "".join(traceback.format_exception(game.exception()))
            self.result.problems.append(f"a player ended with {text}")

    def _check(self):
        result, history = self.result, self.history
        try:
            canvas = self.cluster.canvas()
            history.read_journal(self.cluster.path / "journal")
            report = history.compare(canvas)
            result.lost, result.doubled = len(report.lost), len(report.doubled)
            result.problems += report.problems()
            canvas.check_users()
            self._check_allowance(canvas)
        except Bad as e:
            result.problems.append(f"in Redis: {e}")
        result.acknowledged = history.acknowledged()

    def _count(self):
        result, history = self.result, self.history
        result.problems += history.anomalies[:10]
        result.verdicts = history.verdicts
        result.faults, result.kills = self.faults.counts, self.faults.kills
        for _, counts in self.samples.items():
            result.metrics.update(counts)
        result.metrics["bus_dropped"] = self.cluster.proxy.dropped()
        result.metrics["repeats"] = history.repeats
        result.metrics["looks"] = sum(len(looks) for looks in history.looks.values())
        result.metrics["phantom_looks"] = history.phantoms

    def _check_allowance(self, canvas):
        """All players are guests of one address."""
        most = self.mode.get("guests_per_address", 0)
        times = sorted(placement.time_ms for placement in canvas.all_placements()) if most else []
        for first, last in zip(times, times[most:]):
            if last - first < canvas.cooldown_ms:
                raise Bad(f"more than {most} placements of an address within {last - first} ms")

    def run(self, seconds, rest_every=15):
        with self.cluster:
            self._make_players()
            try:
                asyncio.run(self._run(seconds, rest_every))
                self._check()
            finally:
                self._count()
            if not self.result.well:
                raise Failure("; ".join(self.result.problems))
        return self.result
