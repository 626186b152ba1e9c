"""A machine whose first process is systemd (tests/docker/machine), and Tessera on it, as the README installs it."""

import os
import re
import ssl
import subprocess
from pathlib import Path

import redis
from compose import ROOT, run
from tessera.checker import Canvas
from tessera.procs import Failure, wait_until

SOURCE = "/usr/src/tessera"
UNITS = ("tessera-redis", "tessera-shard@0", "tessera-shard@1", "tessera-gateway@0", "tessera-gateway@1")
PORT = 8080
ADDRESS = f"127.0.0.1:{PORT}"
CTL = ("tessera-ctl", "--config", "/etc/tessera/ctl.conf")


def readme(heading):
    """The first block of commands below a heading of the README."""
    text = (ROOT / "README.md").read_text()
    return re.search(rf"(?ms)^{re.escape(heading)}\n.*?^```sh\n(.*?)^```", text)[1]


class Machine:
    def __init__(self):
        work = Path(os.environ["TESSERA_DOCKER_WORK"])
        self.root = work / "machine"
        self.log = work / "machine.log"
        self.groups = work / "cgroup" / work.name / "machine"
        self.process = None
        self.url = f"ws://{ADDRESS}"
        (self.root / SOURCE[1:]).mkdir(parents=True)
        run("mount", "--bind", ROOT, self.root / SOURCE[1:])

    # ---- The machine -----------------------------------------------------------------------------------------------------

    def boot(self):
        """Until all that is to be started has been, or has failed."""
        if not self.groups.exists():
            (self.groups.parents[1]).mkdir()
            run("mount", "-t", "cgroup2", "cgroup2", self.groups.parents[1])
            self.groups.mkdir(parents=True)
        self.process = subprocess.Popen([ROOT / "tests/docker/machine", "boot", self.root, self.groups], stdin=subprocess.DEVNULL,
                                        stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)

        def is_up():
            if self.process.poll() is not None:
                raise Failure(f"it ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
            return self("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

        wait_until(is_up, 180, "systemd has started everything", every=0.1)

    def first(self):
        """systemd itself, as a number of our own namespace."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def __call__(self, *argv, **options):
        """What a command on the machine says, as root in the folder of the sources."""
        enter = ["nsenter", "-t", str(self.first()), "-m", "-p", "-u", "-i", "-C", "-r", f"--wd={self.root}/{SOURCE}"]
        return run(*enter, "env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *argv, **options)

    def shell(self, script):
        return self("bash", "-euc", script)

    def reboot(self):
        self("systemctl", "reboot", check=False)
        self.process.wait(180)
        self.boot()

    def off(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # ---- Units -----------------------------------------------------------------------------------------------------------

    def show(self, unit, *names):
        """Properties of a unit, as `systemctl show` has them."""
        lines = self("systemctl", "show", unit, *(f"-p{name}" for name in names)).splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return [found[name] for name in names] if len(names) > 1 else found[names[0]]

    def pid(self, unit):
        """Its process, as a number of our own namespace; there is one only."""
        (pid,) = (self.groups / self.show(unit, "ControlGroup")[1:] / "cgroup.procs").read_text().split()
        return int(pid)

    def is_serving(self, unit):
        return self.show(unit, "ActiveState", "SubState") == ["active", "running"]

    def failed(self):
        return self("systemctl", "list-units", "--failed", "--plain", "--no-legend").split()

    def journal(self):
        return self("journalctl", "--no-pager", "-n", "120", "-o", "short-monotonic", check=False)

    # ---- Tessera, as Players and the tests want it -------------------------------------------------------------------------

    def token_keys(self):
        return self.root / "etc/tessera/token_keys"

    def canvas(self):
        password = (self.root / "etc/tessera/redis_admin_password").read_text().strip()
        return Canvas.read(redis.Redis("127.0.0.1", 6380, username="admin", password=password, socket_timeout=20))

    def certificates(self, count=8):
        """Those that so many new connections were shown, over both gateways."""
        return {ssl.get_server_certificate(("127.0.0.1", PORT)) for _ in range(count)}
