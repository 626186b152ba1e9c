"""Shards as processes with a Redis of their own, gone with the test."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from links import SECRET
from ownership import EDGE
from redis_fixture import ROOT, RealRedis, wait_for
from shard_gateway import Gateway

CANVAS = ["--width", 512, "--height", 512, "--tile-edge", EDGE]
FAST = [*CANVAS, "--cooldown", 0]
SLOW = [*CANVAS, "--cooldown", "1h"]
SHARD = pathlib.Path(os.environ.get("TESSERA_BUILD", ROOT / "build")) / "tessera-shard"


class Shard:
    def __init__(self, redis_server, *flags, log_level="info"):
        self.redis = redis_server
        self.log = tempfile.NamedTemporaryFile(prefix="shard-", suffix=".log", dir=redis_server.dir, delete=False)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TESSERA_")}
        environment["TESSERA_CLUSTER_SECRET"] = SECRET
        self.process = subprocess.Popen(
            [str(SHARD), "--redis", redis_server.address, "--log-level", log_level, *[str(flag) for flag in flags]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log, env=environment)
        self.address = wait_for(self._ready, "the shard is ready")

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def _ready(self):
        assert self.process.poll() is None, self.output()
        match = re.search(r'msg=ready listen="?([^ "]+)"?', self.output())
        return match and match[1]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def terminate(self, seconds=20):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        self.kill()
        self.log.close()


class World:
    """Redis and shards that are gone with the test; what failed is told with the shards' logs."""

    def __init__(self):
        self.redis = RealRedis()
        self.shards, self.gateways = [], []

    @property
    def client(self):
        return self.redis.client

    def shard(self, *flags):
        shard = Shard(self.redis, *flags)
        self.shards.append(shard)
        return shard

    def gateway(self, **options):
        gateway = Gateway(self.redis, EDGE, **options)
        self.gateways.append(gateway)
        return gateway

    def close(self):
        for gateway in self.gateways:
            gateway.close()
        for shard in self.shards:
            print(f"---- {shard.address}\n{shard.output()}")
            alive = shard.process.poll() is None
            shard.close()
            assert alive or shard.process.returncode in (0, -signal.SIGKILL), "a shard ended by itself"
        self.redis.close()


@pytest.fixture
def world():
    world = World()
    yield world
    world.close()


def quiet(world):
    """No shard gave up its connection to Redis."""
    return all("redis connection lost" not in shard.output() for shard in world.shards)
