"""Processes: started, watched, stopped, killed; each with its log in a file. They never outlive the test."""

import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*")
# A child is killed when the thread that made it ends: all are made by this one, which ends with us.
_maker = ThreadPoolExecutor(max_workers=1)
_ports = random.SystemRandom()


class Failure(AssertionError):
    """A process did something that no test asked for."""


def build_dir():
    """TESSERA_BUILD, from the root of the checkout."""
    return (ROOT / os.environ.get("TESSERA_BUILD", "build")).resolve()


def clean_env(extra=None):
    """Our own environment without TESSERA_ variables: the programs would read them."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TESSERA_")}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.update(extra or {})
    return env


_reserved = set()  # ports that are ours until we end
_locks = None  # a file, whose byte at the number of a port is locked by who has that port: one file for all, as there are many


def reserve(port):
    """Whether nobody has the port, neither we nor another run of tests on this machine. The lock goes with the process, also when
    it is killed."""
    global _locks
    if port in _reserved:  # the kernel would say yes
        return False
    if _locks is None:
        folder = Path(tempfile.gettempdir()) / f"tessera-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        _locks = open(folder / "locks", "a")
    try:
        fcntl.lockf(_locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    _reserved.add(port)
    return True


def free_port(host="127.0.0.1"):
    """A port nobody listens on, from below the range that the kernel gives to clients, so that it stays free for a restart, and
    reserved against other runs of tests, which look for theirs between our asking and our listening. The tests of the page take
    theirs from above."""
    for _ in range(1000):
        port = _ports.randrange(12000, 26000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if reserve(port):
            return port
    raise Failure("no free port")


def wait_until(condition, timeout, what, every=0.02):
    """Polls until `condition` gives something true, and returns that. What it raises meanwhile counts as not yet."""
    deadline = time.monotonic() + timeout
    error = None
    while True:
        try:
            value = condition()
            if value:
                return value
            error = None
        except Failure:
            raise
        except (OSError, ValueError, AssertionError) as e:
            error = e
        if time.monotonic() > deadline:
            raise Failure(f"not within {timeout} s: {what}" + (f" (last: {error!r})" if error else "")) from error
        time.sleep(every)


class Proc:
    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = Path(log)
        self.env = env
        self.cwd = cwd
        self.popen = None
        self.log_from = 0
        self.starts = 0
        self.problems = []

    def start(self):
        assert self.popen is None, f"{self.name} runs already"
        self.log_from = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.popen = _maker.submit(
                subprocess.Popen,
                # Who starts the tests may ignore signals that the programs listen to, as a shell does for what it runs behind it.
                ["env", "--default-signal", "setpriv", "--pdeathsig", "KILL", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=clean_env(self.env),
                cwd=self.cwd,
                start_new_session=True,
            ).result()
        self.starts += 1
        return self

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def log_text(self, this_start=True):
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as file:
            file.seek(self.log_from if this_start else 0)
            return file.read().decode(errors="replace")

    def wait_log(self, pattern, timeout=20):
        """The match of a regular expression in what this start has logged."""

        def look():
            found = re.search(pattern, self.log_text())
            if not found and not self.running:
                raise Failure(f"{self.name} ended with {self.popen.returncode}:\n{self.log_text()[-4000:]}")
            return found

        return wait_until(look, timeout, f"{self.name} logs /{pattern}/")

    def send(self, sig):
        os.kill(self.pid, sig)

    def _reap(self, timeout, allowed):
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.problems.append(f"{self.name} (pid {self.pid}) did not end within {timeout} s")
            self.popen.kill()
            code = self.popen.wait()
        else:
            if code not in allowed:
                self.problems.append(f"{self.name} ended with {code}, expected {allowed}")
        self.popen = None
        return code

    def _check_alive(self):
        if not self.running:
            self.problems.append(f"{self.name} had ended by itself with {self.popen.returncode}")
            self.popen = None
            return False
        return True

    def kill(self):
        """kill -9."""
        if self._check_alive():
            self.popen.kill()
            self._reap(10, {-signal.SIGKILL})

    def stop(self, timeout=20, sig=signal.SIGTERM):
        """Asks it to end and waits; anything but exit status 0 is a problem of the test."""
        if self._check_alive():
            self.send(signal.SIGCONT)
            self.send(sig)
            return self._reap(timeout, {0})
        return None

    def pause(self):
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)

    def finish(self):
        """At the end of a test: whatever still runs is stopped. Returns what was wrong with this process all along."""
        if self.popen is not None:
            self.stop()
        found = _SANITIZER.search(self.log_text(this_start=False))
        if found:
            self.problems.append(f"{self.name}: {found.group(0)}")
        return self.problems
