"""What hits a cluster, at random: each fault is a coroutine that does its worst and, if it can, leaves the damage behind."""

import asyncio
import signal
from collections import Counter

import redis.exceptions

KINDS = ("gateway", "shard", "redis")


class Faults:
    """`counts` says what was done; `kills` how many processes were killed with SIGKILL. With a `disk`, the power fails at every
    second death of Redis: what it had not synced is on the disk in part."""

    def __init__(self, cluster, rng, say=lambda text: None, slow=1.0, disk=None):
        self.cluster = cluster
        self.rng = rng
        self.say = say
        self.slow = slow
        self.disk = disk
        self.counts = Counter()
        self.tasks = set()  # may be cancelled
        self.ending = {}  # process that was told to stop -> the task that waits for its end
        self.paused = set()

    @property
    def kills(self):
        return sum(count for name, count in self.counts.items() if name.startswith("kill-"))

    def _later(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- processes ----

    def kill(self, process, kind):
        self.paused.discard(process)
        self.counts[f"kill-{kind}"] += 1
        self.say(f"SIGKILL {process.proc.name}")
        process.proc.popen.kill()
        process.proc._reap(10, {0, -signal.SIGKILL, -signal.SIGTERM} if process in self.ending else {-signal.SIGKILL})
        if process is self.cluster.redis:
            process.client.connection_pool.disconnect()
            if self.disk and self.rng.random() < 0.5:
                self.counts["power-cut"] += 1
                self.disk.cut()

    def start(self, process):
        if process is self.cluster.redis:
            process.proc.start()
        else:
            process.start(wait=False)

    async def _start_after(self, process, seconds):
        await asyncio.sleep(seconds)
        if process.proc.popen is None:
            self.start(process)

    def resume(self, process):
        self.paused.discard(process)
        if process.proc.running:
            process.proc.resume()

    async def _resume_after(self, process, seconds):
        await asyncio.sleep(seconds)
        if process in self.paused:
            self.say(f"SIGCONT {process.proc.name}")
            self.resume(process)

    async def kill_one(self):
        kind = self.rng.choice(KINDS)
        running = [v for v in self.cluster.victims(kind) if v.proc.popen is not None]
        if running:
            victim = self.rng.choice(running)
            self.kill(victim, kind)
            self._later(self._start_after(victim, self.rng.choice((0, 0.1, 0.5, 1.5)) * self.slow))

    async def kill_many(self):
        """Several at the same moment, as when a machine dies."""
        victims = [(v, kind) for kind in KINDS for v in self.cluster.victims(kind) if v.proc.popen is not None]
        for victim, kind in self.rng.sample(victims, self.rng.randint(2, max(2, len(victims)))) if len(victims) > 1 else ():
            self.kill(victim, kind)
            self._later(self._start_after(victim, self.rng.uniform(0, 1) * self.slow))

    async def pause_one(self):
        kind = self.rng.choice(KINDS)
        running = [v for v in self.cluster.victims(kind) if v.proc.running and v not in self.paused]
        if running:
            victim, seconds = self.rng.choice(running), self.rng.choice((0.05, 0.5, 1.5, 3.0)) * self.slow
            self.counts[f"stop-{kind}"] += 1
            self.say(f"SIGSTOP {victim.proc.name} for {seconds:.2f} s")
            self.paused.add(victim)
            victim.proc.pause()
            self._later(self._resume_after(victim, seconds))

    async def outsleep_lease(self):
        """A shard sleeps, or does not reach Redis, for longer than its lease, while it has draws under way."""
        awake = [v for v in self.cluster.shards if v.proc.running and v not in self.paused]
        if len(awake) > 1:
            victim, seconds = self.rng.choice(awake), self.rng.uniform(1.2, 4) * self.slow
            if self.rng.random() < 0.5:
                self.counts["outsleep-stall"] += 1
                self.say(f"stall redis-{victim.proc.name} for {seconds:.1f} s")
                self.cluster.proxy.set(f"redis-{victim.proc.name}", stall=True)
                self._later(self._calm_link(f"redis-{victim.proc.name}", "stall", seconds))
            else:
                self.counts["outsleep-stop"] += 1
                self.say(f"SIGSTOP {victim.proc.name} for {seconds:.1f} s")
                self.paused.add(victim)
                victim.proc.pause()
                self._later(self._resume_after(victim, seconds))
            await asyncio.sleep(seconds * self.rng.uniform(0.5, 1.2))

    async def restart_one(self):
        """SIGTERM: it says goodbye properly."""
        kind = self.rng.choice(("gateway", "shard"))
        running = [v for v in self.cluster.victims(kind) if v.proc.running and v not in self.paused and v not in self.ending]
        if running:
            victim = self.rng.choice(running)
            self.counts[f"term-{kind}"] += 1
            self.say(f"SIGTERM {victim.proc.name}")
            victim.proc.send(signal.SIGTERM)
            self.ending[victim] = asyncio.ensure_future(self._reap_and_start(victim, victim.proc.popen))

    async def _reap_and_start(self, victim, popen):
        while popen.poll() is None and victim.proc.popen is popen:
            await asyncio.sleep(0.02)
        del self.ending[victim]
        if victim.proc.popen is popen:
            # one that has only just started does not listen to the signal yet
            victim.proc._reap(10, {0, -signal.SIGTERM})
            self.start(victim)

    # ---- links ----

    async def cut_connections(self):
        kind = self.rng.choice(("pubsub", "pubsub", "normal"))
        self.counts[f"cut-{kind}"] += 1
        self.say(f"CLIENT KILL TYPE {kind}")
        try:
            await asyncio.to_thread(self.cluster.redis.client.execute_command, "CLIENT", "KILL", "TYPE", kind)
        except redis.exceptions.RedisError:
            pass  # it is dead, or paused, itself

    async def disturb_link(self):
        name = self.rng.choice(self.cluster.proxy.names)
        fault = self.rng.choice(("delay", "trickle", "stall", "reset", "refuse"))
        self.counts[f"link-{fault}"] += 1
        seconds = self.rng.choice((0.2, 1.0, 4.0)) * self.slow
        value = {"delay": self.rng.choice((0.005, 0.05, 0.3)), "trickle": self.rng.choice((1, 100))}
        self.say(f"{fault} {name} for {seconds:.1f} s")
        proxy = self.cluster.proxy
        if fault in ("reset", "refuse"):
            proxy.reset(name)
        if fault != "reset":
            proxy.set(name, **{fault: value.get(fault, True)})
            self._later(self._calm_link(name, fault, seconds))

    async def lose_messages(self):
        """A fifth of what the bus says does not arrive, anywhere."""
        self.counts["link-drop"] += 1
        self.say("drop 20 % of the bus for 2 s")
        for name in self.cluster.proxy.names:
            if name.startswith("redis-"):
                self.cluster.proxy.set(name, drop=0.2)
                self._later(self._calm_link(name, "drop", 2 * self.slow))

    async def _calm_link(self, name, fault, seconds):
        await asyncio.sleep(seconds)
        self.cluster.proxy.set(name, **{fault: 0})

    # ---- all together ----

    def choices(self):
        return {
            self.kill_one: 10,
            self.kill_many: 1,
            self.pause_one: 4,
            self.outsleep_lease: 1,
            self.restart_one: 2,
            self.cut_connections: 3,
            self.disturb_link: 6,
            self.lose_messages: 1,
        }

    async def one(self):
        choices = self.choices()
        await self.rng.choices(list(choices), list(choices.values()))[0]()

    async def heal(self):
        """Ends all that lasts: links are calm, nobody sleeps, the dead live again."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.cluster.proxy.calm()
        for process in list(self.paused):
            self.resume(process)
        await asyncio.gather(*self.ending.values())
        for process in [self.cluster.redis, *self.cluster.shards, *self.cluster.gateways]:
            if process.proc.popen is None:
                self.start(process)
