"""The cluster of docker-compose.yml as the tests see it, inside the namespaces that tests/docker/run made."""

import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import redis
from tessera.checker import Canvas
from tessera.procs import build_dir, wait_until

ROOT = Path(__file__).resolve().parents[2]
PORT = 8443
ADDRESS = f"127.0.0.1:{PORT}"
HTTP_PORT = 8440  # not 8080, which is that of tests/docker/machine.py
SERVICES = ("redis", "shard", "gateway", "balancer")  # in the order in which they are started
SETTINGS = {
    # What the README proposes, but for ports and names.
    "COMPOSE_PROFILES": "http,monitoring",
    "PORT": str(PORT),
    "HTTP_PORT": str(HTTP_PORT),
    "TLS": "on",
    "HTTPS_REDIRECT": "on",
    "HTTPS_PORT": str(PORT),
    "HSTS": "17520h",
    "COOLDOWN": "500ms",
    "WIDTH": "600",
    "HEIGHT": "300",
    "GUESTS_PER_ADDRESS": "0",  # all of the players are at one address
    "REDIS_MAXMEMORY": "256mb",
    "MONITORING_PORT": "9191",
    "NOFILE": "16384",  # an engine that may not raise limits has fewer to give than docker-compose.yml asks for
}


def run(*argv, check=True, **options):
    """What the command says; with its standard error in the failure."""
    done = subprocess.run(argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    assert not check or done.returncode == 0, f"{' '.join(map(str, argv))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Container:
    """One container, by its id, as the engine knows it now."""

    def __init__(self, container):
        self.id = container
        self.name = self.inspect()["Name"].lstrip("/")

    def inspect(self):
        return json.loads(run("docker", "inspect", self.id))[0]

    def state(self):
        return self.inspect()["State"]

    def healthy(self):
        return self.state().get("Health", {}).get("Status") == "healthy"

    def pids(self):
        """Of all that runs in it, as numbers of our own namespace."""
        return [int(line.split()[0]) for line in run("docker", "top", self.id, "-eo", "pid").splitlines()[1:]]

    def program(self):
        """The process that the container is there for: docker-init is its parent."""
        init = self.state()["Pid"]
        return int(Path(f"/proc/{init}/task/{init}/children").read_text().split()[0])

    def address(self, network):
        return self.inspect()["NetworkSettings"]["Networks"][f"tessera_{network}"]["IPAddress"]

    def exec(self, *argv, **options):
        return run("docker", "exec", "-i", self.id, *argv, **options)

    def logs(self):
        done = subprocess.run(["docker", "logs", self.id], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout


class Compose:
    """The whole of it."""

    url = f"wss://{ADDRESS}"

    def __init__(self):
        os.environ.update(SETTINGS)
        self.work = Path(os.environ["TESSERA_DOCKER_WORK"])

    def __call__(self, *argv, **options):
        return run("docker-compose", *argv, **options)

    def up(self, gateways=2, shards=2):
        self("up", "-d", "--scale", f"gateway={gateways}", "--scale", f"shard={shards}")
        self.wait_healthy(gateway=gateways, shard=shards)

    def settle(self):
        """Two of each again, whatever a test before has left."""
        if len(self.containers("gateway")) != 2 or len(self.containers("shard")) != 2 or not all(c.healthy() for c in self.containers()):
            self.up()

    def hang_up(self):
        """Has the gateways read certificate and keys again."""
        self("kill", "-s", "HUP", "gateway")

    def secrets(self, *argv, **options):
        return self("run", "--rm", "-T", "secrets", "tessera-secrets", *argv, **options)

    def down(self):
        self("down", "-v", "-t", "5")

    def containers(self, *services):
        """Those that run, of these services or of all."""
        ids = run("docker", "ps", "-q", "--no-trunc", "-f", "label=com.docker.compose.project=tessera").split()
        found = [Container(container) for container in ids]
        return [c for c in found if not services or c.inspect()["Config"]["Labels"]["com.docker.compose.service"] in services]

    def one(self, service):
        (container,) = self.containers(service)
        return container

    def wait_healthy(self, **counts):
        """So many of each service, all well, those that are one each among them."""
        wanted = {"redis": 1, "balancer": 1, "http": 1, "prometheus": 1, **counts}

        def well():
            for service, count in wanted.items():
                found = self.containers(service)
                if len(found) != count or not all(c.healthy() for c in found):
                    return False
            return True

        wait_until(well, 240, f"healthy: {wanted}")

    def get(self, path):
        """Through the balancer, over TLS, whoever signed the certificate."""
        context = ssl._create_unverified_context()
        with urllib.request.urlopen(f"https://{ADDRESS}{path}", context=context, timeout=30) as reply:
            return reply.read()

    def ask_prometheus(self, path, **query):
        url = f"http://127.0.0.1:{SETTINGS['MONITORING_PORT']}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            answer = json.load(reply)
        assert answer["status"] == "success", answer
        return answer["data"]

    def secret(self, role, name):
        return self.work / "data" / "volumes" / f"tessera_secrets-{role}" / "_data" / name

    def token_keys(self):
        return self.secret("gateway", "token_keys")

    def redis_cli(self, lines, user="admin", password=None):
        """What redis-cli in the container of Redis answers to each of the lines."""
        password = password or self.secret("redis", "admin_password").read_text().strip()
        argv = ["docker", "exec", "-i", "-e", "REDISCLI_AUTH", self.one("redis").id, "redis-cli", "--no-raw", "--user", user]
        text = "".join(f"{line}\n" for line in lines)
        return run(*argv, input=text, env={**os.environ, "REDISCLI_AUTH": password}).splitlines()

    def canvas(self):
        """All that is stored, replayed and compared with itself (see tessera.checker)."""
        password = self.secret("redis", "admin_password").read_text().strip()
        client = redis.Redis(self.one("redis").address("back"), username="admin", password=password, socket_timeout=20)
        return Canvas.read(client)


def head(url):
    """(status, headers) of an answer that is not followed, from whoever has the certificate."""
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))
    try:
        with opener.open(url, timeout=30) as reply:
            return reply.status, reply.headers
    except urllib.error.HTTPError as reply:
        return reply.code, reply.headers


class Players:
    """A crowd of tessera-load that draws at `cluster` (its url, token_keys() and canvas()), until `stop`."""

    def __init__(self, cluster, path, count=24):
        self.cluster = cluster
        self.journal, self.summary, self.log = path / "journal", path / "summary.json", path / "log"
        self.process = subprocess.Popen(
            [build_dir() / "tessera-load", "draw", "--url", cluster.url, "--connections", str(count), "--seconds=0",
             "--users-from-keys", cluster.token_keys(), "--journal", self.journal, "--json", self.summary,
             "--settle=20s", "--seed", str(time.time_ns() >> 10)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        self.progress("the first draws")

    def acknowledged(self):
        return self.journal.read_bytes().count(b"\nacknowledged ") if self.journal.exists() else 0

    def progress(self, why, draws=60):
        """Until that many more have been acknowledged."""
        wanted = self.acknowledged() + draws

        def drawn():
            assert self.process.poll() is None, f"the players have ended: {self.log.read_text()[-3000:]}"
            return self.acknowledged() >= wanted

        wait_until(drawn, 120, f"people draw: {why}")

    def stop(self):
        """They finish what is under way. Every acknowledged pixel is where it was drawn, in the log of Redis and at the
        gateway that was asked; nobody saw an error. Returns the summary."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(120)
        log = self.log.read_text()[-3000:]
        assert status == 0, log
        summary = json.loads(self.summary.read_text())
        bad = {name: count for name, count in summary["verdicts"].items() if count and name not in ("placed", "unavailable")}
        assert summary["ok"] and not bad, f"{bad}\n{log}"
        self.check_journal()
        return summary

    def check_journal(self):
        canvas = self.cluster.canvas()
        canvas.check_users()
        acknowledged = 0
        for line in self.journal.read_text().splitlines():
            what, _, user, _, _, x, y, color, seq, _ = line.split()
            if what != "acknowledged":
                continue
            x, y, acknowledged = int(x), int(y), acknowledged + 1
            tile, offset = (x // canvas.edge, y // canvas.edge), (y % canvas.edge) * canvas.edge + x % canvas.edge
            placed = canvas.placements[tile][int(seq) - 1]
            assert (placed.user, placed.offset, placed.color) == (int(user, 16), offset, int(color)), f"{line}: there is {placed}"
        assert acknowledged > 0

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def root_options(pid):
    """How the root file system of a process is mounted."""
    for line in Path(f"/proc/{pid}/mounts").read_text().splitlines():
        _, where, _, options, *_ = line.split()
        if where == "/":
            return options.split(",")
    raise AssertionError(f"{pid} has no root")


def words(text):
    return re.split(r"\s+", text.strip())
