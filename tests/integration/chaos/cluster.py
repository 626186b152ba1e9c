"""A cluster whose every link goes through the fault proxy, and the checks of it at rest."""

import asyncio
import time

import redis.exceptions
from tessera.busy import Busy
from tessera.client import all_tiles
from tessera.cluster import HOST, Cluster
from tessera.procs import Failure, Proc, free_port, wait_until
from tessera.protocol import Position

from .proxy import Proxy


def set_option(proc, name, value):
    proc.argv[proc.argv.index(name) + 1] = value


class ChaosCluster(Cluster):
    """Gateways reach shards (`link-shard-N`), and all reach Redis (`redis-shard-N`, `redis-gateway-N`), by the proxy; so do
    clients reach gateways (`client-gateway-N`), if they like: `proxied_urls`."""

    def __init__(self, path, **options):
        super().__init__(path, **{"width": 512, "height": 512, "tile_edge": 128, **options})
        self.proxy = Proxy(path, Proc)
        self.links = []
        for shard in self.shards:
            name, port = f"link-{shard.proc.name}", free_port()
            shard.address = f"{HOST}:{port}"
            shard.proc.argv += ["--advertise", shard.address]
            self.links.append((name, port, f"{HOST}:{shard.port}", False))
        self.proxied_urls = []
        for gateway in self.gateways:
            name, port = f"client-{gateway.proc.name}", free_port()
            self.links.append((name, port, gateway.address, False))
            self.proxied_urls.append(f"ws://{HOST}:{port}/ws")
        for process in self.shards + self.gateways:
            name, port = f"redis-{process.proc.name}", free_port()
            set_option(process.proc, "--redis", f"{HOST}:{port}")
            self.links.append((name, port, self.redis.address, True))

    def start(self):
        self.proxy.start(wait_until)
        for name, port, target, bus in self.links:
            self.proxy.add(name, port, target, bus)
        super().start()

    def stop(self):
        super().stop()
        self.proxy.close()

    def _print_logs(self):
        print(f"logs in {self.path}")

    def victims(self, kind):
        return {"gateway": self.gateways, "shard": self.shards, "redis": [self.redis]}[kind]

    def tiles(self):
        return tiles_of(self)[0]


# ---- at rest, of any cluster ----


def tiles_of(cluster):
    """(all tiles, edge)."""
    options = dict(option.lstrip("-").split("=", 1) for option in cluster.options)
    width, height, edge = (int(options[name]) for name in ("width", "height", "tile-edge"))
    return all_tiles(width, height, edge), edge


def stored(cluster):
    """(positions, pixels) of all tiles in Redis."""
    tiles, edge = tiles_of(cluster)
    pipe = cluster.redis.client.pipeline(transaction=True)
    for tx, ty in tiles:
        pipe.hmget(f"{{t:{tx}:{ty}}}:meta", "p", "s").get(f"{{t:{tx}:{ty}}}:px")
    out = pipe.execute()
    positions = {tile: Position(int(p or 0), int(s or 0)) for tile, (p, s) in zip(tiles, out[::2])}
    pixels = {tile: (px or b"").ljust(edge * edge, b"\0") for tile, px in zip(tiles, out[1::2])}
    return positions, pixels


def difference(cluster, players):
    """None when every gateway and every client equals Redis, otherwise what differs first."""
    try:
        positions, pixels = stored(cluster)
        for gateway in cluster.gateways:
            for tile, (pos, colors) in gateway.tiles().items():
                if pos != positions[tile]:
                    return f"{gateway.proc.name}: {tile} at {pos}, Redis at {positions[tile]}"
                if colors != pixels[tile]:
                    return f"{gateway.proc.name}: {tile} differs from Redis"
    except (OSError, AssertionError, redis.exceptions.RedisError) as e:
        return repr(e)
    return next(filter(None, (player.check(positions, pixels) for player in players)), None)


def busy_of(cluster):
    """Of all its processes."""
    return Busy(*cluster.procs(), *([cluster.proxy] if hasattr(cluster, "proxy") else []))


async def all_ready(cluster, timeout=30):
    """Waits until every process that runs is ready; the monotonic time of that."""
    await asyncio.to_thread(wait_until, cluster.redis._answers, timeout, "redis answers")
    for process in cluster.shards + cluster.gateways:
        if process.proc.running:
            await asyncio.to_thread(process.wait_ready, timeout)
    return time.monotonic()


async def all_equal(cluster, players, timeout):
    """Seconds until all are equal, without those that they waited for a processor, or raises with what still differs."""
    began, busy = time.monotonic(), busy_of(cluster)
    while True:
        # not in a thread: the clients, which live in this one, must not move meanwhile
        found = difference(cluster, players)
        elapsed = time.monotonic() - began
        took = max(elapsed - busy.seconds, 0)
        if found is None:
            return took
        if took > timeout or elapsed > timeout + 60:
            raise Failure(f"not equal within {timeout} s: {found}")
        await asyncio.sleep(0.05)
