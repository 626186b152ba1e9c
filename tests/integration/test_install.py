"""make install: what goes where, programs that run from there as their units say, man pages, sandboxes, and what systemd hears."""

import grp
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest

from tessera import http
from tessera.procs import ROOT, Proc, free_port, wait_until
from tls_fixture import certificate

pytestmark = pytest.mark.slow  # it installs from build/, whatever is being tested


def make(target, **variables):
    argv = ["make", "-s", "-C", ROOT, target, *(f"{name}={value}" for name, value in variables.items())]
    subprocess.run(argv, check=True, capture_output=True, text=True)


def files(path):
    return {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}


@pytest.fixture
def root(workdir):
    make("install", PREFIX=workdir / "usr", SYSCONFDIR=workdir / "etc")
    return workdir


class Notify:
    """The end of NOTIFY_SOCKET that systemd holds."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)

    def wait(self, *words):
        """The next datagram that says one of `words`; watchdogs keep coming, so there is an end to it."""
        end = time.monotonic() + 20
        while True:
            assert time.monotonic() < end, f"nobody says {words}"
            lines = self.socket.recv(4096).decode().splitlines()
            if any(line.startswith(words) for line in lines):
                return lines


def unit_proc(root, name, notify, **variables):
    """The process of a unit's instance 0, with its command, its environment and its watchdog."""
    unit = (root / f"usr/lib/systemd/system/tessera-{name}@.service").read_text().replace("%i", "0")
    value = lambda key: re.search(rf"(?m)^{key}=(.*)$", unit)[1]
    key, _, address = value("Environment").partition("=")
    assert key == "TESSERA_METRICS" and address.startswith("127.0.0.1:9")
    env = {"TESSERA_METRICS": f"127.0.0.1:{free_port()}", "NOTIFY_SOCKET": notify.path, **variables}
    if "WatchdogSec" in unit:
        env["WATCHDOG_USEC"] = str(int(value("WatchdogSec")) * 100000)  # a tenth of it
    return Proc(name, shlex.split(value("ExecStart")), root / f"{name}.log", env=env)


def test_what_goes_where(workdir):
    dest = workdir / "dest"
    make("install", DESTDIR=dest, PREFIX="/usr")
    got = files(dest)
    assert {"usr/bin/tessera-gateway", "usr/bin/tessera-shard", "usr/share/tessera/web/index.html", "usr/share/man/man8/tessera-gateway.8",
            "usr/bin/tessera-ctl", "usr/share/man/man8/tessera-ctl.8", "usr/lib/systemd/system/tessera-gateway@.service", "usr/lib/sysusers.d/tessera.conf", "etc/tessera/gateway.conf"} <= got  # fmt: skip
    assert "usr/bin/tessera-load" not in got
    texts = [path for path in dest.rglob("*") if path.is_file() and path.suffix in (".conf", ".service", ".timer", ".8")]
    assert len(texts) >= 7
    for path in texts:
        text = path.read_text()
        assert str(dest) not in text and "@PREFIX@" not in text and "/usr/local" not in text and "@OPTIONS@" not in text and "@COMMANDS@" not in text, path
    for path in dest.rglob("*"):
        executable = path.is_dir() or path.parent.name == "bin" or path.name in ("start", "secrets")
        assert path.stat().st_mode & 0o7777 == (0o755 if executable else 0o644), path
    # What an operator has changed stays, at the next install and when it goes.
    (dest / "etc/tessera/gateway.conf").write_text("listen = :1234\n")
    make("install", DESTDIR=dest, PREFIX="/usr")
    make("uninstall", DESTDIR=dest, PREFIX="/usr")
    assert files(dest) == {f"etc/tessera/{name}.conf" for name in ("gateway", "shard", "redis", "ctl")}
    assert (dest / "etc/tessera/gateway.conf").read_text() == "listen = :1234\n"


def test_programs_are_hardened_and_know_no_folder(root):
    version = re.search(r"(?m)^VERSION := (\S+)$", (ROOT / "Makefile").read_text())[1]
    for program in sorted((root / "usr/bin").iterdir()):
        found = subprocess.run(["readelf", "-hldsW", program], capture_output=True, text=True, check=True).stdout
        for what in ("DYN (Position-Independent", "GNU_RELRO", "NOW PIE", "__stack_chk_fail", "_chk@GLIBC"):
            assert what in found, (program, what)
        assert re.search(r"GNU_STACK +\S+ \S+ \S+ \S+ \S+ RW ", found) and "RPATH" not in found and "RUNPATH" not in found
        assert str(ROOT).encode() not in program.read_bytes()
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        assert said == f"{program.name} {version}\n"


def test_units_and_man_pages(root):
    units = sorted((root / "usr/lib/systemd/system").glob("*.service"))
    assert len(units) == 4
    for unit in units:
        env = {**os.environ, "MANPATH": str(root / "usr/share/man"), "SYSTEMD_LOG_LEVEL": "warning"}
        found = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, env=env, check=False)
        assert found.returncode == 0 and not found.stderr, found.stderr
        # The score is 0.0 (nothing is allowed) to 10.0; the threshold is ten times that.
        found = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout[-3000:]
        score = re.search(r"exposure level for \S+: ([0-9.]+)", found.stdout)[1]
        print(unit.name, score)
    pages = sorted((root / "usr/share/man/man8").glob("*.8"))
    assert [page.name for page in pages[:3]] == ["tessera-ctl.8", "tessera-gateway.8", "tessera-shard.8"]
    for page in pages:
        found = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-P-cbou", page], capture_output=True, text=True, check=True)
        assert not found.stderr, found.stderr
        program = root / "usr/bin" / page.stem
        text = re.sub(r"\s+", " ", re.sub(r"-\n\s+", "-", found.stdout))
        options = re.findall(r"(?m)^  (--[a-z-]+)", subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout)
        assert len(options) > 10 and not [option for option in options if f" {option}" not in text]


def test_it_runs_from_there_and_tells_systemd(root):
    """As the units say, with the configuration that was installed: READY when it serves, RELOADING, STOPPING, the watchdog."""
    redis_port, var = free_port(), root / "redis"
    var.mkdir()
    etc = root / "etc/tessera"
    cert, key = certificate(root)
    group = grp.getgrgid(os.getgid()).gr_name
    subprocess.run([root / "usr/share/tessera/secrets", etc, group, group], check=True)
    heard = {name: Notify(root / f"{name}.notify") for name in ("gateway", "shard", "redis", "ctl")}
    port = free_port()
    gateway = unit_proc(root, "gateway", heard["gateway"], TESSERA_LISTEN=f"127.0.0.1:{port}", TESSERA_REDIS=f"127.0.0.1:{redis_port}",
                        TESSERA_TLS_CERT=str(cert), TESSERA_TLS_KEY=str(key), TESSERA_HTTPS_REDIRECT="yes", TESSERA_DRAIN_TIMEOUT="1s")  # fmt: skip
    shard = unit_proc(root, "shard", heard["shard"], TESSERA_REDIS=f"127.0.0.1:{redis_port}")
    unit = (root / "usr/lib/systemd/system/tessera-redis.service").read_text().replace("/var/lib/tessera-redis", str(var))
    command = shlex.split(re.search(r"(?m)^ExecStart=(.*)$", unit)[1])
    redis = Proc("redis", [*command, "--port", redis_port], root / "redis.log", env={"NOTIFY_SOCKET": heard["redis"].path})
    try:
        gateway.start()
        gateway.wait_log("msg=listening")
        heard["gateway"].wait("STATUS=not ready")
        assert "msg=ready" not in gateway.log_text()
        redis.start()
        assert "READY=1" in heard["redis"].wait("READY")
        assert (var / "appendonlydir").is_dir()
        shard.start()
        assert "READY=1" in heard["shard"].wait("READY")
        assert "READY=1" in heard["gateway"].wait("READY")
        assert http.get(gateway.env["TESSERA_METRICS"], "/readyz").status == 200
        assert http.get(f"127.0.0.1:{port}", "/").status == 308  # the page of the installed folder stands behind it
        assert heard["gateway"].wait("WATCHDOG") == ["WATCHDOG=1"]
        assert heard["shard"].wait("WATCHDOG") == ["WATCHDOG=1"]
        gateway.send(signal.SIGHUP)
        lines = heard["gateway"].wait("RELOADING")
        assert lines[0] == "RELOADING=1" and re.fullmatch(r"MONOTONIC_USEC=\d+", lines[1])
        assert heard["gateway"].wait("READY") == ["READY=1"]
        gateway.wait_log("read again")
        shard.send(signal.SIGHUP)
        shard.wait_log("nothing is read again")
        redis.kill()
        heard["gateway"].wait("STATUS=not ready")
        redis.start()
        heard["gateway"].wait("STATUS=serving")
        for proc in gateway, shard:
            proc.send(signal.SIGTERM)
            assert "STOPPING=1" in heard[proc.name].wait("STOPPING")
            wait_until(lambda: not proc.running, 10, f"{proc.name} ends")
            assert proc.popen.returncode == 0
            proc.popen = None
    finally:
        problems = [problem for proc in (gateway, shard, redis) for problem in proc.finish()]
    assert not problems
