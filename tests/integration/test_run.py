"""deploy/run-cluster, which is `make run` after the build: the same canvas from run to run, clear words, nothing left behind."""

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tessera import http
from tessera.client import Client
from tessera.procs import ROOT, Proc, build_dir, clean_env, free_port, reserve, wait_until

SCRIPT = ROOT / "deploy" / "run-cluster"


def free_port_with_private_ones():
    """A value of PORT whose private ports, which the script looks for from some port on, no other tests take meanwhile."""
    while True:
        port = free_port()
        first = 20000 + (port + 5000) % 10000
        if first + 20 <= 26000 and all(reserve(private) for private in range(first, first + 20)):
            return port


class Run:
    """One run of the script in a directory of its own, like a terminal would run it."""

    def __init__(self, workdir, name="run", **options):
        self.var = workdir / "var dir"
        self.port = free_port_with_private_ones()
        self.options = {"PORT": str(self.port), "VAR": str(self.var), "BUILD": str(build_dir()), **options}
        self.proc = Proc(name, [SCRIPT], workdir / f"{name}.out", env=self.options)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def said(self):
        return self.proc.log_text()

    def start(self):
        self.proc.start()
        self.proc.wait_log(rf"Tessera is at http://{re.escape(self.address)}/", timeout=60)
        return self

    def ctrl_c(self):
        """What the terminal does: SIGINT to the whole group in the foreground."""
        os.killpg(self.proc.pid, signal.SIGINT)
        assert self.proc.popen.wait(30) == 0, self.said
        self.proc.popen = None
        self.nothing_left()

    def nothing_left(self, timeout=30):
        wait_until(lambda: not processes_of(self.var), timeout, f"no process of {self.var} left")


@pytest.fixture
def make_run(workdir):
    made = []

    def make(**options):
        made.append(Run(workdir, f"run-{len(made)}", **options))
        return made[-1]

    yield make
    for run in made:
        if run.proc.popen is not None:
            print(run.said)
            run.proc.finish()
            run.nothing_left()


def processes_of(path):
    """Everything that has `path` in its command line or is at home there."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().decode(errors="replace") + os.readlink(proc / "cwd")
        except OSError:
            continue
        if str(path) in words:
            found.append(proc.name)
    return found


def one_draw(address, x, y, color):
    async def run():
        session = http.open_session(address)
        async with Client(f"ws://{address}/ws", session.token, [(0, 0)]) as client:
            await client.place(x, y, color)
            await client.sees(x, y, color)
            return client.welcome

    return asyncio.run(run())


def tile(address):
    reply = http.get(address, "/api/v1/tiles/0/0")
    assert reply.status == 200, reply
    return reply.body


def test_the_canvas_survives_ctrl_c(make_run, workdir):
    # As a shell has it where tessera-ctl was told of another cluster.
    run = make_run(COOLDOWN="5s", TESSERA_ADMIN="127.0.0.1:9200", TESSERA_ADMIN_SECRET_FILE="/nowhere").start()
    page = http.get(run.address, "/")
    assert page.status == 200 and b"<!doctype html" in page.body[:200].lower()
    assert one_draw(run.address, 3, 4, 5).cooldown_ms == 5000
    for words in (["status"], ["backup", workdir / "backup"]):  # with the file that the run says
        done = subprocess.run([build_dir() / "tessera-ctl", "--config", run.var / "ctl.conf", *words], env=clean_env(),
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "1 placements" in done.stdout, done
    assert len(processes_of(run.var)) >= 5  # Redis, two shards, two gateways
    for secret in (run.var / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    secrets = {file.name: file.read_text() for file in (run.var / "secrets").iterdir()}
    run.ctrl_c()

    run.options["COOLDOWN"] = "0"
    run.start()
    assert "canvas of the last run" in run.said
    assert {file.name: file.read_text() for file in (run.var / "secrets").iterdir()} == secrets
    assert tile(run.address)[4 * 256 + 3] == 5
    assert one_draw(run.address, 6, 7, 8).cooldown_ms == 0
    run.ctrl_c()


def test_size_and_numbers_of_processes(make_run):
    run = make_run(WIDTH="300", HEIGHT="200", SHARDS="1", GATEWAYS="3", HOST="127.0.0.1").start()
    canvas = http.get(run.address, "/api/v1/canvas")
    assert b'"width":300' in canvas.body.replace(b" ", b"") and b'"height":200' in canvas.body.replace(b" ", b"")
    logs = sorted(file.name for file in (run.var / "log").iterdir())
    assert logs == ["gateway-0.log", "gateway-1.log", "gateway-2.log", "redis.log", "shard-0.log"]
    run.proc.stop()  # SIGTERM does what Ctrl-C does
    run.nothing_left()
    run.options["WIDTH"] = "400"
    run.start()
    assert "for a new canvas only" in run.said
    run.ctrl_c()


def test_what_dies_is_started_again(make_run):
    run = make_run(COOLDOWN="0").start()
    one_draw(run.address, 1, 1, 1)
    for name in ("gateway-0", "shard-1", "redis"):
        victim = int(re.search(rf"{name}=(\d+)", pids(run)).group(1))
        os.kill(victim, signal.SIGKILL)
        run.proc.wait_log(rf"{name} ended by itself; starting it again", timeout=30)

    def placed():
        return one_draw(run.address, 2, 2, 2)

    wait_until(placed, 30, "draws are placed again")
    assert wait_until(lambda: tile(run.address), 20, "the tile")[257] == 1
    run.ctrl_c()


def pids(run):
    """name=pid of each process of a run, by the files that their output goes to."""
    out = []
    for pid in processes_of(run.var):
        log = Path(os.readlink(f"/proc/{pid}/fd/1"))
        if log.suffix == ".log":
            out.append(f"{log.stem}={pid}")
    return " ".join(out)


def test_a_second_run_and_a_killed_one(make_run):
    run = make_run().start()
    second = make_run()
    second.proc.start()
    second.proc.popen.wait(30)
    assert second.proc.popen.returncode == 1 and f"already running on {run.var}" in second.said
    second.proc.popen = None
    assert http.get(run.address, "/readyz").status == 200

    run.proc.kill()  # not even Ctrl-C: its processes end all the same, and the next run waits for that
    run.start()
    run.ctrl_c()


def test_a_port_in_use_is_said(make_run):
    run = make_run()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", run.port))
        other.listen()
        run.proc.start()
        assert run.proc.popen.wait(30) == 1
        run.proc.popen = None
        assert f"port {run.port} is in use" in run.said
    run.nothing_left()


@pytest.mark.parametrize(
    "name, value", [("PORT", "http"), ("PORT", "70000"), ("SHARDS", "0"), ("COOLDOWN", "5"), ("WIDTH", "0"), ("GATEWAYS", "x")]
)
def test_values_that_cannot_be(make_run, name, value):
    run = make_run(**{name: value})
    run.proc.start()
    assert run.proc.popen.wait(30) == 1
    run.proc.popen = None
    assert f"{name}={value}: must be" in run.said


def test_a_program_that_cannot_run_ends_the_run_with_its_reason(make_run, workdir):
    build = workdir / "build"
    build.mkdir()
    shutil.copy(build_dir() / "tessera-shard", build)
    (build / "tessera-gateway").write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    (build / "tessera-gateway").chmod(0o755)
    run = make_run(BUILD=str(build))
    run.proc.start()
    assert run.proc.popen.wait(30) == 1
    run.proc.popen = None
    assert "no such luck" in run.said and "gateway-0 did not start" in run.said
    run.nothing_left()


def test_the_readme_names_what_there_is():
    readme = (ROOT / "README.md").read_text()
    head = SCRIPT.read_text().split("set -euo")[0]
    for line in re.findall(r"((?:[A-Z]+=\S+ )*)make run", readme):
        for variable in re.findall(r"([A-Z]+)=", line):
            assert f"{variable}=" in head, variable
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", readme):
        assert (ROOT / target).exists(), f"README.md points to {target}"


def test_the_bot_of_the_readme(make_run, workdir):
    """The example that README.md shows to writers of bots, as it is there."""
    readme = (ROOT / "README.md").read_text()
    (bot,) = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    (workdir / "bot.py").write_text(bot)
    run = make_run(COOLDOWN="1s").start()
    argv = [sys.executable, workdir / "bot.py", run.address]
    done = subprocess.run(argv, env=clean_env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    placed = [color for color in tile(run.address) if color]
    assert len(placed) >= 2
    run.ctrl_c()
