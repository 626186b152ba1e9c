#!/usr/bin/python3
"""The power of Redis' machine fails, again and again. The last line is `power cuts N acked N lost N doubled N divergent N`.

    power.py --cuts 100 [--fsync always|everysec] [--seed N]

Redis runs with tests/tools/fsync_record.c, which records what has really been synced. At each cut Redis is killed and its
append-only files are cut to that. With `--fsync everysec`, which is not what Tessera asks for, draws have to be lost:
that shows that the cuts are real.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.cluster import ChaosCluster  # noqa: E402
from chaos.episode import MODES, Episode  # noqa: E402
from tessera.procs import build_dir, wait_until  # noqa: E402

PRELOAD = "libfsync_record.so"


class Disk:
    """The disk of a Redis that has yet to be started: what is on it for sure."""

    def __init__(self, redis, delay_us=2000):
        self.files = Path(redis.path) / "appendonlydir"
        self.record = Path(redis.path) / "synced"
        self.full_file = Path(redis.path) / "full"
        redis.proc.env = {
            "LD_PRELOAD": str(build_dir() / PRELOAD),
            "FSYNC_RECORD": str(self.record),
            "FSYNC_DIR": str(redis.path),
            "FSYNC_DELAY_US": str(delay_us),
            "FSYNC_FULL": str(self.full_file),
        }
        self.cut_bytes = 0

    def full(self, full=True):
        if full:
            self.full_file.touch()
        else:
            self.full_file.unlink(missing_ok=True)

    def read(self):
        """({(device, inode): synced size}, [renames that may not have happened])."""
        sizes, renames = defaultdict(int), []
        for line in self.record.read_text().splitlines():
            what, *rest = line.split()
            if what == "sync":
                device, inode, size = map(int, rest)
                sizes[device, inode] = max(sizes[device, inode], size)
            elif what == "cut":
                device, inode, size = map(int, rest)
                sizes[device, inode] = min(sizes[device, inode], size)
            elif what == "rename":
                renames.append(tuple(map(Path, rest)))
            elif what == "off":
                renames = []  # what an earlier power loss undid
            elif what == "dir":
                renames = [rename for rename in renames if rename[1].parent != Path(rest[0])]
        return sizes, renames

    def cut(self):
        """What a power loss leaves. Redis must be dead."""
        sizes, renames = self.read()
        for old, new, saved in reversed(renames):
            if not new.exists():
                continue  # it was renamed again, and that is on the disk
            new.rename(old)
            if saved.name != "-":
                saved.rename(new)
        for path in self.files.iterdir():
            status = path.stat()
            synced = sizes[status.st_dev, status.st_ino]
            if synced < status.st_size:
                self.cut_bytes += status.st_size - synced
                os.truncate(path, synced)
        with open(self.record, "a") as record:
            record.write("off\n")


class PowerCuts(Episode):
    def __init__(self, path, mode, rng, say, fsync):
        super().__init__(path, mode, rng, say, shards=2, gateways=2)
        argv = self.cluster.redis.proc.argv
        argv[argv.index("--appendfsync") + 1] = fsync
        argv += ["--auto-aof-rewrite-min-size", "1mb", "--auto-aof-rewrite-percentage", "50"]
        self.disk = Disk(self.cluster.redis)
        self.cuts = 0

    async def _cut(self):
        redis = self.cluster.redis
        await asyncio.sleep(self.rng.uniform(0.05, 0.6))
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
        return self.cuts < self.wanted and super()._goes_on(end)

    def run_cuts(self, cuts):
        """After every ten a rest and a comparison."""
        self.wanted = cuts
        return self.run(seconds=3600)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--mode", choices=MODES, default="pipelined")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    path, began = Path(tempfile.mkdtemp(prefix="tessera-power-")), time.monotonic()
    cuts = PowerCuts(path, args.mode, random.Random(args.seed), lambda text: print(f"{time.monotonic() - began:8.2f} {text}"), args.fsync)
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
