"""A real Redis for the tests of scripts and shards: append-only file, appendfsync always, on a free loopback port, in a
directory of its own, so that it can be killed and started again with what it had on disk."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import redis

from tessera.procs import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
LUA = ROOT / "proto" / "lua"
START = ROOT / "deploy" / "redis" / "start"


def wait_for(condition, what, seconds=30.0):
    """Polls until condition() is true; its last exception is part of the failure."""
    deadline = time.monotonic() + seconds
    error = None
    while time.monotonic() < deadline:
        try:
            value = condition()
            if value:
                return value
        except (redis.RedisError, OSError, AssertionError) as caught:
            error = caught
        time.sleep(0.01)
    raise AssertionError(f"never came true: {what}" + (f" ({error})" if error else ""))


class RealRedis:
    def __init__(self, *extra):
        self.dir = tempfile.mkdtemp(prefix="tessera-redis-")
        self.extra = [str(part) for part in extra]
        self.program = [START, self.dir]
        self.process = None
        self.port = free_port()
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        log = open(os.path.join(self.dir, "redis.log"), "ab")
        self.process = subprocess.Popen(
            [*self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no",
             *self.extra],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.client = redis.Redis(port=self.port, socket_timeout=10)
        wait_for(self.client.ping, "redis answers")

    def kill(self):
        """kill -9, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.kill()
        self.start()

    def save_data(self):
        """A copy of the data on disk, for restore()."""
        copy = tempfile.mkdtemp(prefix="copy-", dir=self.dir)
        shutil.copytree(os.path.join(self.dir, "appendonlydir"), os.path.join(copy, "appendonlydir"))
        return copy

    def restore(self, copy):
        """Goes on from older data."""
        self.kill()
        shutil.rmtree(os.path.join(self.dir, "appendonlydir"))
        shutil.copytree(os.path.join(copy, "appendonlydir"), os.path.join(self.dir, "appendonlydir"))
        self.start()

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Scripts:
    """proto/lua by name: scripts.take(keys, args)."""

    def __init__(self, client):
        self.client = client
        self.sha = {path.stem: client.script_load(path.read_text()) for path in LUA.glob("*.lua")}

    def __getattr__(self, name):
        if name not in self.sha:
            raise AttributeError(name)
        return lambda keys=(), args=(): self.client.evalsha(self.sha[name], len(keys), *keys, *args)


TILE_KEY = re.compile(rb"^\{t:(\d+):(\d+)\}:meta$")


def read_log(client, tx, ty):
    """Every placement of a tile's stream in order: dicts of seq, epoch, time, offset, color, user, old, old_seq."""
    placements = []
    for entry_id, raw in client.xrange(f"{{t:{tx}:{ty}}}:log"):
        entry = {key.decode(): value for key, value in raw.items()}
        first, last = int(entry["f"]), int(entry_id.split(b"-")[0])
        count = last - first + 1
        assert entry["l"] == b"1" and entry_id.endswith(b"-0") and count >= 1
        for column, width in (("u", 3), ("w", 8), ("c", 1), ("q", 4)):
            assert len(entry[column]) == width * count, (entry_id, column)
        for k in range(count):
            update = entry["u"][3 * k:3 * k + 3]
            placements.append({
                "seq": first + k, "epoch": int(entry["e"]), "time": int(entry["t"]),
                "offset": int.from_bytes(update[:2], "little"), "color": update[2],
                "user": int.from_bytes(entry["w"][8 * k:8 * k + 8], "little"), "old": entry["c"][k],
                "old_seq": int.from_bytes(entry["q"][4 * k:4 * k + 4], "little"),
            })
    return placements


def check_tile(client, tx, ty):
    """Log, pixels, last seqs and position of a tile say the same. Returns its placements."""
    placements = read_log(client, tx, ty)
    colors, seqs, epoch = {}, {}, 0
    for expected, placement in enumerate(placements, 1):
        assert placement["seq"] == expected, "the seq is dense"
        assert placement["epoch"] >= epoch, "epochs only grow"
        epoch = placement["epoch"]
        assert placement["old"] == colors.get(placement["offset"], 0)
        assert placement["old_seq"] == seqs.get(placement["offset"], 0)
        colors[placement["offset"]] = placement["color"]
        seqs[placement["offset"]] = placement["seq"]
    tag = f"{{t:{tx}:{ty}}}"
    px = client.get(tag + ":px") or b""
    last = client.get(tag + ":last") or b""
    for offset in range(max(len(px), len(last) // 4)):
        assert (px[offset] if offset < len(px) else 0) == colors.get(offset, 0), offset
        assert int.from_bytes(last[4 * offset:4 * offset + 4], "big") == seqs.get(offset, 0), offset
    meta = client.hgetall(tag + ":meta")
    assert int(meta.get(b"s", 0)) == len(placements)
    assert int(meta.get(b"p", 0)) == epoch
    return placements


def check_all(client):
    """check_tile of every tile there is; returns the placements by tile."""
    tiles = [TILE_KEY.match(key) for key in client.scan_iter(match="{t:*}:meta", count=1000)]
    return {(int(m[1]), int(m[2])): check_tile(client, int(m[1]), int(m[2])) for m in tiles if m}
