"""The disk of a Redis, as tests/tools/fsync_record.c saw it, and what is left on it when the power fails."""

import os
from collections import defaultdict
from pathlib import Path

from tessera.procs import build_dir

PRELOAD = "libfsync_record.so"


class Disk:
    """The disk of a Redis that has yet to be started: what is on it for sure."""

    def __init__(self, redis, delay_us, rng=None):
        self.files = Path(redis.path) / "appendonlydir"
        self.rng = rng  # where a file is cut behind what was synced; None: at once
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
        self.at = 0  # how far the record was read
        self.sizes = defaultdict(int)
        self.renames = []

    def full(self, full=True):
        if full:
            self.full_file.touch()
        else:
            self.full_file.unlink(missing_ok=True)

    def _read(self):
        """({(device, inode): synced size}, [renames that may not have happened])."""
        with open(self.record) as record:
            record.seek(self.at)
            lines = record.read()
        whole = lines[: lines.rfind("\n") + 1]
        self.at += len(whole.encode())
        sizes = self.sizes
        for line in whole.splitlines():
            what, *rest = line.split()
            if what == "sync":
                device, inode, size = map(int, rest)
                sizes[device, inode] = max(sizes[device, inode], size)
            elif what == "cut":
                device, inode, size = map(int, rest)
                sizes[device, inode] = min(sizes[device, inode], size)
            elif what == "rename":
                self.renames.append(tuple(map(Path, rest)))
            elif what == "off":
                self.renames = []  # what an earlier power loss undid
            elif what == "dir":
                self.renames = [rename for rename in self.renames if rename[1].parent != Path(rest[0])]
        return sizes, self.renames

    def behind(self):
        """Whether there is something in the files that is not synced yet. Redis may be alive."""
        sizes, _ = self._read()
        for path in self.files.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:  # a rewrite has ended
                continue
            if sizes[status.st_dev, status.st_ino] < status.st_size:
                return True
        return False

    def cut(self):
        """What a power loss leaves. Redis must be dead."""
        sizes, renames = self._read()
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
                kept = self.rng.randint(synced, status.st_size) if self.rng else synced
                self.cut_bytes += status.st_size - kept
                os.truncate(path, kept)
        with open(self.record, "a") as record:
            record.write("off\n")
