"""The figures of issue and table: each function measures once and returns numbers; main.py repeats and takes medians."""

import secrets
import time
from contextlib import contextmanager

import machine
import servers
from servers import Load, Redis, Tessera, wait_clients

TICK_MS = 250
RATE = 20  # draws per second where only the fan-out counts: UPDATES of them make up a tick's frame
UPDATES = RATE * TICK_MS // 1000
SOURCES = "127.0.0.1-127.0.0.8"
FILES = 18000  # connections that one process can have of 20,000 descriptors


def processes(clients):
    """As few as can hold them: several on one core would wake each other for every frame, which the server pays for."""
    return -(-clients // FILES)


class Bench:
    """Where to work, and how large."""

    def __init__(self, path, quick):
        self.path, self.quick = path, quick
        self.cores = machine.cores()
        self.repeats = 1 if quick else 3
        self.noise = []

    def size(self, full, quick):
        return quick if self.quick else full

    def dir(self):
        return self.path / secrets.token_hex(4)

    @contextmanager
    def quiet(self, *groups):
        """Notes what others used of the machine meanwhile."""
        noise = machine.Noise(lambda: sum(group.cpu_s() for group in groups))
        yield
        self.noise.append(noise.cores())


def tick_args(low_ms, high_ms=None):
    return [f"--tick-min={low_ms}ms", f"--tick-max={high_ms or low_ms}ms"]


def _spent(bench, server, load, clients, seconds):
    """What it takes while all clients are there: CPU seconds of the server, frames written, seconds."""
    wait_clients(server, clients, load)
    time.sleep(2)
    with bench.quiet(server, load):
        cpu, frames, begin = server.server_cpu_s(), server.writes(), time.monotonic()
        time.sleep(seconds)
        return server.server_cpu_s() - cpu, server.writes() - frames, time.monotonic() - begin


def _deliveries(bench, server, clients, seconds, rate):
    """CPU of the server per delivered frame while every client gets one each tick."""
    options = {"connections": clients, "processes": processes(clients), "rate": rate, "seconds": 0}
    options |= {"source_addresses": SOURCES}
    with server, Load(bench.dir(), server, "idle", bench.cores[1], verify="false", **options) as load:
        cpu, frames, took = _spent(bench, server, load, clients, seconds)
        said = load.end()
    if said["malformed"] or said["connect_failures"]:
        raise servers.Failure(f"not what was to be measured: {said}")
    return {
        "us_per_frame": cpu / frames * 1e6,
        "frames_per_s": frames / took,
        "cpu": cpu / took,
        "rounds_missed": 1 - frames / took / (clients * 1000 / TICK_MS),
        "gaps": said["gaps"],
    }


def fanout_tessera(bench, clients, seconds, tls=False):
    # A canvas of one tile: exactly one frame for each client and tick.
    args = tick_args(TICK_MS, 1000)
    cluster = Tessera(bench.dir(), cores=bench.cores, tls=tls, gateway_args=args, width=256, height=256)
    return _deliveries(bench, cluster, clients, seconds, RATE)


def fanout_floor(bench, clients, seconds, tls=False):
    server = servers.floor_fanout(bench.dir(), clients, TICK_MS, UPDATES, bench.cores[0], tls)
    return _deliveries(bench, server, clients, seconds, 0)


def fanout_ws(bench, clients, seconds):
    return _deliveries(bench, servers.npm_ws(bench.dir(), clients, TICK_MS, UPDATES, bench.cores[0]), clients, seconds, 0)


def memory(bench, few, many, tls=False):
    """Bytes of resident memory that each further idle connection takes, HELLO and all tiles of the canvas included."""
    options = {"seconds": 0, "verify": "false", "source_addresses": SOURCES}
    with Tessera(bench.dir(), cores=bench.cores, tls=tls) as cluster:
        with Load(bench.dir(), cluster, "idle", bench.cores[1], connections=few, **options) as first:
            wait_clients(cluster, few, first)
            time.sleep(3)
            before = cluster.server_rss()
            with Load(bench.dir(), cluster, "idle", bench.cores[1], connections=many, **options) as second:
                wait_clients(cluster, few + many, second)
                time.sleep(4)
                after = cluster.server_rss()
                second.end()
            first.end()
    return {"bytes": (after - before) / many}


def crowd(bench, clients, gateways, seconds, rate, tick):
    """A crowd that watches everything, some of it drawing; and a few clients with whole replicas, compared at the end."""
    options = {"connections": clients, "processes": processes(clients), "rate": rate, "seconds": seconds}
    options |= {"source_addresses": SOURCES, "connecting": 512, "read_times": "true"}
    cluster = Tessera(bench.dir(), gateways, 1, bench.cores, gateway_args=tick, cooldown="5m" if rate > 300 else "0")
    with cluster, Load(bench.dir(), cluster, "watch", bench.cores[1], connections=4 * gateways, seconds=0) as replicas:
        wait_clients(cluster, 4 * gateways, replicas)
        with Load(bench.dir(), cluster, "idle", bench.cores[1], settle="20s", **options) as load:
            wait_clients(cluster, clients + 4 * gateways, load, 240)
            with bench.quiet(cluster, load, replicas):
                cpu, frames, begin = cluster.server_cpu_s(), cluster.writes(), time.monotonic()
                time.sleep(seconds * 0.8)
                cpu, frames, took = cluster.server_cpu_s() - cpu, cluster.writes() - frames, time.monotonic() - begin
            said = load.result(seconds + 240)
        seen = replicas.end()
    return {
        "connected": said["connects"],
        "connect_s": said["connect_seconds"],
        "draws_per_s": said["draws_per_s"],
        "seen_p50_ms": said["seen_us"]["p50"] / 1e3,
        "seen_p99_ms": said["seen_us"]["p99"] / 1e3,
        "read_p50_ms": said["read_us"]["p50"] / 1e3,
        "read_p99_ms": said["read_us"]["p99"] / 1e3,
        "ack_p50_ms": said["acknowledged_us"]["p50"] / 1e3,
        "ack_p99_ms": said["acknowledged_us"]["p99"] / 1e3,
        "gaps": said["gaps"],
        "reconnects": said["reconnects"],
        "mismatches": said["mismatches"] + said["behind"] + seen["mismatches"] + seen["behind"] + seen["bad_checksums"],
        "cpu": cpu / took,
        "us_per_frame": cpu / frames * 1e6 if frames else 0.0,
        "frames_per_s": frames / took,
    }


def idle(bench, seconds):
    """Few clients, few draws: what one waits for. Beside it one durable script call at a time, in the same Redis' place."""
    with Tessera(bench.dir(), 2, 2) as cluster:
        with Load(bench.dir(), cluster, "idle", connections=20, rate=50, seconds=seconds, verify="false") as load:
            said = load.result()
    return {
        "ack_p50_ms": said["acknowledged_us"]["p50"] / 1e3,
        "ack_p99_ms": said["acknowledged_us"]["p99"] / 1e3,
        "seen_p50_ms": said["seen_us"]["p50"] / 1e3,
        "seen_p99_ms": said["seen_us"]["p99"] / 1e3,
    }


def floor_call(bench, seconds):
    """One durable script call with one draw, one after the other."""
    with Redis(bench.dir()) as redis:
        said = servers.floor_draws(redis, None, seconds, batch=1, in_flight=1)
    return {"p50_ms": said["p50_us"] / 1e3, "p99_ms": said["p99_us"] / 1e3}


def draws_tessera(bench, seconds, gateways, shards, connections, window, cooldown):
    with Tessera(bench.dir(), gateways, shards, cooldown=cooldown) as cluster:
        options = {"connections": connections, "window": window, "seconds": seconds, "processes": 1, "settle": "20s"}
        with Load(bench.dir(), cluster, "draw", **options) as load:
            said = load.result(seconds + 120)
            parts = {"gateways": sum(machine.cpu_s(p.pid) for p in cluster.gateways)}
            parts |= {"shards": sum(machine.cpu_s(p.pid) for p in cluster.shards)}
            parts |= {"redis": cluster.redis.cpu_s(), "clients": said["cpu_us"] / 1e6}
    if said["mismatches"] or said["behind"] or said["unacknowledged"]:
        raise servers.Failure(f"draws were lost: {said}")
    placed = max(1, said["placed"])
    return {
        "draws_per_s": said["draws_per_s"],
        "ack_p50_ms": said["acknowledged_us"]["p50"] / 1e3,
        "ack_p99_ms": said["acknowledged_us"]["p99"] / 1e3,
    } | {f"us_per_draw_{name}": cpu / placed * 1e6 for name, cpu in parts.items()}


def floor_draws(bench, seconds, tiles):
    with Redis(bench.dir()) as redis:
        return {"draws_per_s": servers.floor_draws(redis, None, seconds, tiles=tiles)["draws_per_s"]}


def storm(bench, clients):
    """All at once, while somebody plays."""
    options = {"connections": clients, "processes": 2, "connecting": 0, "seconds": 1, "source_addresses": SOURCES}
    with Tessera(bench.dir(), 2, 1, bench.cores) as cluster:
        with Load(bench.dir(), cluster, "draw", None, connections=1, rate=50, window=64, seconds=0) as player:
            wait_clients(cluster, 1, player)
            with Load(bench.dir(), cluster, "idle", bench.cores[1], verify="false", **options) as load:
                said = load.result(120)
            played = player.end()
    return {
        "served_s": said["connect_seconds"],
        "connect_p99_ms": said["connect_us"]["p99"] / 1e3,
        "player_p50_ms": played["acknowledged_us"]["p50"] / 1e3,
        "player_p99_ms": played["acknowledged_us"]["p99"] / 1e3,
        "player_max_ms": played["acknowledged_us"]["max"] / 1e3,
        "failures": said["connect_failures"],
    }


def growth(bench, clients, rate, gateways, tiles, seconds, watched=256):
    """One point of the curves: a fixed tick, so that every client gets one frame each tick whatever the rate is. Each
    watches all tiles, or so many."""
    side = {1: (256, 256), 4: (512, 512), 16: (1024, 1024), 64: (2048, 2048), 256: (4096, 4096)}[tiles]
    cluster = Tessera(bench.dir(), gateways, 1, bench.cores, gateway_args=tick_args(TICK_MS, 1000), width=side[0], height=side[1])
    options = {"connections": clients, "processes": processes(clients), "rate": rate, "seconds": seconds + 4}
    options |= {"tiles": watched, "source_addresses": SOURCES}
    with cluster, Load(bench.dir(), cluster, "idle", bench.cores[1], verify="false", **options) as load:
        cpu, frames, took = _spent(bench, cluster, load, clients, seconds)
        said = load.result()
    return {
        "clients": clients,
        "draws_per_s": rate,
        "gateways": gateways,
        "tiles": tiles,
        "cpu": cpu / took,
        "frames_per_s": frames / took,
        "us_per_frame": cpu / frames * 1e6 if frames else 0.0,
        "seen_p50_ms": said["seen_us"]["p50"] / 1e3,
        "seen_p99_ms": said["seen_us"]["p99"] / 1e3,
    }
