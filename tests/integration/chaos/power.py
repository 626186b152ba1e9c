#!/usr/bin/python3
"""The power of Redis' machine fails, again and again. The last line is `power cuts N acked N lost N doubled N divergent N`.

    power.py --cuts 100 [--fsync always|everysec] [--without-repair] [--seed N]

Redis runs with tests/tools/fsync_record.c, which records what has really been synced. At each cut Redis is killed and its
append-only files are cut at any byte between that and their end, as a disk does that had begun to write. The file is used
on as it is. With `--fsync everysec`, which is not what Tessera asks for, draws have to be lost: that shows that the cuts are
real. With `--without-repair` (Redis as it comes, without deploy/redis/start) half batches have to come back: so does that.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.cluster import ChaosCluster  # noqa: E402
from chaos.disk import Disk  # noqa: E402
from chaos.episode import MODES, Episode  # noqa: E402
from tessera.procs import wait_until  # noqa: E402


class PowerCuts(Episode):
    def __init__(self, path, mode, rng, say, fsync, repair=True):
        super().__init__(path, mode, rng, say, shards=2, gateways=2)
        argv = self.cluster.redis.proc.argv
        argv[argv.index("--appendfsync") + 1] = fsync
        # Before a rewrite `always` has synced the file before the new one; `everysec` has not, and Redis would not start any more.
        argv += ["--auto-aof-rewrite-min-size", "1mb", "--auto-aof-rewrite-percentage", "50" if fsync == "always" else "0"]
        if not repair:
            argv[:2] = ["redis-server", "--dir", argv[1]]
        self.disk = Disk(self.cluster.redis, delay_us=5000, rng=rng)
        self.faults.disk = None  # every death is one of power, and we cut
        self.cuts = 0

    async def _cut(self):
        redis = self.cluster.redis
        await asyncio.sleep(self.rng.uniform(0.05, 0.6))
        if self.cuts % 2 == 0:  # in the middle of a sync, which a moment at random may miss again and again
            await asyncio.to_thread(wait_until, self.disk.behind, 20, "something is written and not synced", 0.0005)
        before = self.disk.cut_bytes
        self.faults.kill(redis, "redis")
        self.disk.cut()
        self.cuts += 1
        self.say(f"power cut {self.cuts}: {self.disk.cut_bytes - before} bytes were not synced")
        redis.proc.start()
        await asyncio.to_thread(wait_until, redis._answers, 20, "redis answers")

    async def _disturb(self, seconds):
        for _ in range(min(10, self.wanted - self.cuts)):
            await self._cut()

    def _goes_on(self, end):
        return (self.cuts < self.wanted or self._few()) and super()._goes_on(end)

    def run_cuts(self, cuts):
        """After every ten a rest and a comparison."""
        self.wanted = cuts
        return self.run(seconds=3600)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--without-repair", dest="repair", action="store_false")
    parser.add_argument("--mode", choices=MODES, default="pipelined")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    path, began = Path(tempfile.mkdtemp(prefix="tessera-power-")), time.monotonic()
    cuts = PowerCuts(path, args.mode, random.Random(args.seed), lambda text: print(f"{time.monotonic() - began:8.2f} {text}"), args.fsync, args.repair)
    try:
        cuts.run_cuts(args.cuts)
    except Exception as e:  # told below
        if not cuts.result.problems:
            cuts.result.problems.append(repr(e))
    result = cuts.result
    for text in result.problems:
        print(f"WRONG: {text}")
    print(f"{cuts.disk.cut_bytes} bytes cut in all")
    if result.well:
        shutil.rmtree(path, ignore_errors=True)
    print(f"power cuts {cuts.cuts} {result.last_line().split(' ', 2)[2]}")
    return 0 if result.well else 1


if __name__ == "__main__":
    sys.exit(main())
