"""A whole cluster on loopback: a private Redis, shards, gateways; every one can be killed and started again at its address."""

import json
import secrets

import redis as redis_py

from . import http
from .checker import Canvas
from .procs import ROOT, Failure, Proc, build_dir, free_port, wait_until

HOST = "127.0.0.1"


class Redis:
    def __init__(self, path, fsync="always"):
        self.path = path
        self.port = free_port()
        self.path.mkdir(parents=True)
        argv = [ROOT / "deploy/redis/start", self.path, "--bind", HOST, "--port", self.port, "--save", ""]
        argv += ["--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction"]
        self.proc = Proc("redis", argv, path / "redis.log")
        self.client = redis_py.Redis(HOST, self.port, socket_timeout=20)

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    def _answers(self):
        try:
            return self.client.ping()
        except redis_py.exceptions.RedisError as e:
            raise OSError(str(e)) from e

    def start(self):
        self.proc.start()
        wait_until(self._answers, 30, "Redis answers")

    def kill(self):
        self.proc.kill()
        self.client.connection_pool.disconnect()


def metric(address, name):
    """A value of /metrics. `name` with its labels as they are written there, or without: then over all of them."""
    samples = [line.rsplit(" ", 1) for line in http.get(address, "/metrics").body.decode().splitlines()]
    values = [float(value) for sample, value in samples if sample == name or sample.startswith(name + "{")]
    assert values, f"no metric {name}"
    return sum(values)


class Shard:
    def __init__(self, cluster, number):
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.metrics = f"{HOST}:{free_port()}"
        argv = [build_dir() / "tessera-shard", "--listen", self.address, "--metrics", self.metrics]
        argv += cluster.common_args() + cluster.shard_args
        self.admin = cluster.admin_args(argv)
        self.cluster = cluster
        self.proc = Proc(f"shard-{number}", argv, cluster.path / f"shard-{number}.log")

    def start(self, wait=True):
        self.proc.start()
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout=30):
        wait_until(self.is_member, timeout, f"{self.proc.name} is a member")

    def config_version(self):
        """Of the settings that it goes by."""
        return metric(self.metrics, "tessera_shard_config_version")

    def is_member(self):
        """With the lease of this start: the record of one that was killed may still be there."""
        members = self.cluster.members()
        if self.address not in members:
            return False
        return http.get(self.metrics, "/readyz", timeout=2).status == 200


class Gateway:
    def __init__(self, cluster, number):
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.metrics = f"{HOST}:{free_port()}"
        argv = [build_dir() / "tessera-gateway", "--listen", self.address, "--metrics", self.metrics]
        argv += cluster.common_args() + ["--token-keys-file", cluster.path / "token_keys"] + cluster.gateway_args
        self.admin = cluster.admin_args(argv)
        self.proc = Proc(f"gateway-{number}", argv, cluster.path / f"gateway-{number}.log")

    @property
    def ws_url(self):
        return f"ws://{self.address}/ws"

    def start(self, wait=True):
        self.proc.start()
        if wait:
            self.wait_ready()

    def ready(self):
        """Asked on the private port: there it counts for nothing that an address may do or the log may say."""
        return http.get(self.metrics, "/readyz", timeout=2).status == 200

    def wait_ready(self, timeout=30):
        wait_until(self.ready, timeout, f"{self.proc.name} is ready")

    def config_version(self):
        """Of the settings that it goes by."""
        return metric(self.metrics, "tessera_gateway_config_version")

    def get(self, path, **headers):
        return http.get(self.address, path, headers=headers)

    def canvas(self):
        """GET /api/v1/canvas."""
        reply = self.get("/api/v1/canvas")
        assert reply.status == 200, reply
        return json.loads(reply.body)

    def tiles(self):
        """GET /api/v1/tiles as {(tx, ty): (Position, colors)}."""
        reply = self.get("/api/v1/tiles")
        assert reply.status == 200, f"{self.proc.name}: {reply.status} {reply.body[:200]}"
        return http.parse_tiles(reply.body, self.canvas()["tile_edge"])

    def session(self, token=None):
        return http.open_session(self.address, token)


class Cluster:
    """`with Cluster(path, shards=2, gateways=2, cooldown="0") as cluster:` — all up and ready inside, all gone after it.

    Options of both programs are keywords with underscores (guests_per_address=0); `shard_args` and `gateway_args` are for
    options that only one of them has. With `admin` every process has an admin port.
    """

    def __init__(self, path, shards=2, gateways=2, shard_args=(), gateway_args=(), fsync="always", admin=False, **options):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        # Tests draw by many users and connect from one address: the limits per address are for the tests that ask for them.
        options = {"width": 512, "height": 512, "cooldown": "0", "guests_per_address": 0, **options}
        self.options = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.shard_args = list(shard_args)
        self.gateway_args = ["--web-dir", ROOT / "web", "--connections-per-address=0", "--sessions-per-minute=0"]
        self.gateway_args += ["--new-connections-per-minute=0", "--messages-per-address=0", "--names-per-hour=0"]
        self.gateway_args += ["--drain-spread=300ms", "--drain-timeout=3s", *gateway_args]
        self.admin = admin
        self._write("admin_secret", secrets.token_hex(32))
        self._write("cluster_secret", secrets.token_hex(32))
        self._write("token_keys", f"k1 {secrets.token_hex(32)}")
        self.redis = Redis(path / "redis", fsync)
        self.shards = [Shard(self, i) for i in range(shards)]
        self.gateways = [Gateway(self, i) for i in range(gateways)]
        self.extra = []  # further processes that end with the cluster

    def _write(self, name, text):
        (self.path / name).write_text(text + "\n")
        (self.path / name).chmod(0o600)

    def admin_args(self, argv):
        """Adds those of an admin port to a command line; returns its address, None without one."""
        if not self.admin:
            return None
        address = f"{HOST}:{free_port()}"
        argv += ["--admin", address, "--admin-secret-file", self.path / "admin_secret"]
        return address

    def common_args(self):
        secret = self.path / "cluster_secret"
        return ["--redis", self.redis.address, "--cluster-secret-file", secret, "--log-level", "debug"] + self.options

    def members(self):
        """Addresses of the shards in the view."""
        names = self.redis.client.hkeys("{cluster}:members")
        return {name[2:].decode() for name in names if name.startswith(b"s:")}

    def add_shard(self):
        self.shards.append(Shard(self, len(self.shards)))
        return self.shards[-1]

    def add_gateway(self):
        self.gateways.append(Gateway(self, len(self.gateways)))
        return self.gateways[-1]

    def start(self):
        self.redis.start()
        for process in self.shards + self.gateways:
            process.start(wait=False)
        for process in self.shards + self.gateways:
            process.wait_ready()

    def procs(self):
        return [p.proc for p in self.gateways + self.shards] + self.extra + [self.redis.proc]

    def canvas(self):
        """What lies in Redis, for the checker."""
        return Canvas.read(self.redis.client)

    def stop(self):
        """Gateways, shards, Redis, in this order. Raises when one of them did what no test asked for."""
        problems = [problem for proc in self.procs() for problem in proc.finish()]
        if problems:
            raise Failure("; ".join(problems))

    def logs(self, tail=6000):
        return "\n".join(f"---- {p.name}\n{p.log_text(this_start=False)[-tail:]}" for p in self.procs())

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._abort()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            try:
                self.stop()
            except BaseException:
                self._print_logs()
                raise
        else:
            self._abort()

    def _print_logs(self):
        print(f"logs in {self.path}\n{self.logs()}")

    def _abort(self):
        problems = [problem for proc in self.procs() for problem in proc.finish()]
        self._print_logs()
        if problems:
            print("also: " + "; ".join(problems))
