"""What is measured: a cluster of Tessera, and the references. Pinned, counted by the operating system, stopped by pid."""

import json
import os
import re
import secrets
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import machine  # noqa: E402
from tessera.procs import ROOT, Failure, Proc, build_dir, free_port, wait_until  # noqa: E402

HOST = "127.0.0.1"
_SAMPLE = re.compile(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+|NaN|\+Inf)$", re.M)
_NO_CHECK = ssl._create_unverified_context()  # our own certificate, on loopback


def fetch(url):
    with urllib.request.urlopen(url, timeout=20, context=_NO_CHECK if url.startswith("https") else None) as reply:
        return reply.read().decode()


def certificate(path):
    """A P-256 certificate, as browsers meet mostly."""
    cert, key = path / "cert.pem", path / "key.pem"
    if not cert.exists():
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        argv += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]
        subprocess.run(argv, check=True, capture_output=True)
    return cert, key


class Group:
    """Processes that live together. `with` starts them in order and stops them in the reverse."""

    def __init__(self):
        self.procs = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for proc in reversed(self.procs):
            if proc.running:
                proc.send(15)
                try:
                    proc.popen.wait(20)
                except subprocess.TimeoutExpired:
                    proc.popen.kill()
                    proc.popen.wait()

    def cpu_s(self):
        return sum(machine.cpu_s(proc.pid) for proc in self.procs if proc.running)


class Redis(Group):
    def __init__(self, path, core=None):
        super().__init__()
        path.mkdir(parents=True)
        self.port = free_port()
        argv = ["redis-server", "--bind", HOST, "--port", str(self.port), "--dir", str(path), "--save", ""]
        argv += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        argv += ["--auto-aof-rewrite-percentage", "0"]
        self.procs = [Proc("redis", machine.pinned(core, argv), path / "redis.log")]

    def start(self):
        self.procs[0].start()
        self.procs[0].wait_log("Ready to accept connections")


class Tessera(Group):
    """One Redis, shards, gateways. The gateways' core is theirs; everything else is on the other one. Keywords are options
    of both programs (cooldown="0"); what is not named is as it is for everyone, but for limits per address, as all clients
    come from a few."""

    def __init__(self, path, gateways=1, shards=1, cores=None, tls=False, gateway_args=(), **options):
        super().__init__()
        path.mkdir(parents=True)
        servers, others = cores or (None, None)
        options = {"cooldown": "0", "guests_per_address": 0, **options}
        secret, self.keys = path / "cluster_secret", path / "token_keys"
        secret.write_text(secrets.token_hex(32) + "\n")
        self.keys.write_text(f"k1 {secrets.token_hex(32)}\n")
        self.redis = Redis(path / "redis", others)
        common = ["--redis", f"{HOST}:{self.redis.port}", "--cluster-secret-file", secret, "--log-level", "warn"]
        common += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.shards, self.gateways, self.metrics_ports, self.ports = [], [], [], []
        self.ready_ports = []
        for i in range(shards):
            metrics = free_port()
            argv = [build_dir() / "tessera-shard", "--listen", f"{HOST}:{free_port()}", "--metrics", f"{HOST}:{metrics}"]
            self.shards.append(Proc(f"shard-{i}", machine.pinned(others, argv + common), path / f"shard-{i}.log"))
            self.ready_ports.append(metrics)
        self.tls = tls
        tls_args = ["--tls-cert", certificate(path)[0], "--tls-key", certificate(path)[1]] if tls else []
        for i in range(gateways):
            port, metrics = free_port(), free_port()
            argv = [build_dir() / "tessera-gateway", "--listen", f"{HOST}:{port}", "--metrics", f"{HOST}:{metrics}"]
            argv += ["--token-keys-file", self.keys, "--web-dir", ROOT / "web", "--connections-per-address=0"]
            argv += ["--sessions-per-minute=0", "--new-connections-per-minute=0", "--messages-per-address=0", "--lookups-per-second=0"]
            argv += ["--drain-spread=0", "--drain-timeout=1s", *tls_args, *gateway_args]
            self.gateways.append(Proc(f"gateway-{i}", machine.pinned(servers, argv + common), path / f"gateway-{i}.log"))
            self.ports.append(port)
            self.metrics_ports.append(metrics)
        self.ready_ports += self.metrics_ports
        self.procs = self.redis.procs + self.shards + self.gateways

    def start(self):
        self.redis.start()
        for proc in self.shards + self.gateways:
            proc.start()
        for port in self.ready_ports:
            wait_until(lambda p=port: fetch(f"http://{HOST}:{p}/readyz"), 30, "Tessera is ready")

    @property
    def url(self):
        return ",".join(f"{'wss' if self.tls else 'ws'}://{HOST}:{port}" for port in self.ports)

    def metric(self, name):
        """The sum over the gateways."""
        total = 0.0
        for port in self.metrics_ports:
            total += sum(float(v) for n, v in _SAMPLE.findall(fetch(f"http://{HOST}:{port}/metrics")) if n == name)
        return total

    def clients(self):
        return self.metric("tessera_clients_watching")

    def writes(self):
        return self.metric("tessera_fanout_writes_total")

    def server_cpu_s(self):
        return sum(machine.cpu_s(gateway.pid) for gateway in self.gateways)

    def server_rss(self):
        return sum(machine.rss_bytes(gateway.pid) for gateway in self.gateways)


class Reference(Group):
    """A server of one process that prints its port and tells what it sent at /stats."""

    def __init__(self, name, argv, path, core, tls=False):
        super().__init__()
        path.mkdir(parents=True, exist_ok=True)
        self.tls, self.keys, self.port = tls, path / "token_keys", None
        self.keys.write_text(f"k1 {secrets.token_hex(32)}\n")
        self.procs = [Proc(name, machine.pinned(core, argv), path / f"{name}.log")]

    def start(self):
        self.procs[0].start()
        self.port = int(self.procs[0].wait_log(r"port (\d+)")[1])

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://{HOST}:{self.port}"

    def stats(self):
        return json.loads(fetch(f"{'https' if self.tls else 'http'}://{HOST}:{self.port}/stats"))

    def clients(self):
        return self.stats()["clients"]

    def writes(self):
        return self.stats()["frames"]

    def server_cpu_s(self):
        return machine.cpu_s(self.procs[0].pid)


def floor_fanout(path, clients, tick_ms, updates, core, tls=False):
    argv = [build_dir() / "floor-fanout", "--clients", clients, "--tick-ms", tick_ms, "--updates", updates]
    if tls:
        path.mkdir(parents=True, exist_ok=True)
        argv += ["--tls-cert", certificate(path)[0], "--tls-key", certificate(path)[1]]
    return Reference("floor-fanout", argv, path, core, tls)


def npm_ws(path, clients, tick_ms, updates, core):
    argv = ["node", Path(__file__).parent / "ws-server.mjs", clients, tick_ms, updates]
    return Reference("npm-ws", argv, path, core)


def floor_draws(redis, core, seconds, batch=512, tiles=16, in_flight=4):
    argv = [str(build_dir() / "floor-draws"), "--redis", str(redis.port), "--batch", str(batch), "--tiles", str(tiles)]
    argv += ["--in-flight", str(in_flight), "--seconds", str(seconds)]
    out = subprocess.run(machine.pinned(core, argv), check=True, capture_output=True, text=True, timeout=seconds + 60)
    return json.loads(out.stdout)


class Load:
    """A run of tessera-load."""

    def __init__(self, path, server, mode, core=None, **options):
        path.mkdir(parents=True, exist_ok=True)
        name = f"load-{secrets.token_hex(4)}"
        self.json = path / f"{name}.json"
        argv = [build_dir() / "tessera-load", mode, "--url", server.url, "--users-from-keys", server.keys]
        argv += ["--json", self.json, "--progress=false"]
        argv += [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        self.proc = Proc(name, machine.pinned(core, argv), path / f"{name}.log")
        self.proc.start()

    def children(self):
        return [int(pid) for pid in Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split()]

    def cpu_s(self):
        total = 0.0
        for pid in [self.proc.pid, *self.children()]:
            try:
                total += machine.cpu_s(pid)
            except OSError:
                pass
        return total

    def end(self):
        """SIGTERM, and what it says in the end."""
        if self.proc.running:
            self.proc.send(15)
        return self.result()

    def result(self, timeout=180):
        try:
            code = self.proc.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"tessera-load did not end within {timeout} s:\n{self.proc.log_text()[-2000:]}") from None
        if not self.json.exists():
            raise Failure(f"tessera-load ended with {code}:\n{self.proc.log_text()[-2000:]}")
        return json.loads(self.json.read_text())

    def kill(self):
        if self.proc.running:
            for pid in self.children():
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
            self.proc.popen.kill()
            self.proc.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def _clients_now(server):
    """A server that takes in thousands of clients may take its time to answer."""
    try:
        return server.clients()
    except OSError:
        return 0


def wait_clients(server, count, load, timeout=120):
    """Until so many clients are served; fails early when the load client has ended."""
    deadline = time.monotonic() + timeout
    while _clients_now(server) < count:
        if not load.proc.running:
            raise Failure(f"tessera-load ended:\n{load.proc.log_text()[-2000:]}")
        if time.monotonic() > deadline:
            raise Failure(f"only {_clients_now(server)} of {count} clients after {timeout} s")
        time.sleep(0.2)
