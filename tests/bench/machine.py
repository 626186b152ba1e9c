"""What the machine has, and what the operating system says that processes used of it."""

import os
import platform
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cores():
    """(servers, clients): the cores to pin to; None each where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def pinned(core, argv):
    return argv if core is None else ["taskset", "-c", str(core), *argv]


_LOOPBACK = Path("/sys/class/net/lo/queues/rx-0")
_NET = Path("/proc/sys/net/core")
_FLOWS = 262144


class EachItsOwn:
    """Over loopback, whoever sends also does the kernel's work of receiving: the clients' half of TCP is on the server's bill,
    which no network would put there. Inside of this the kernel takes each packet to the core of the program that reads its
    socket (receive flow steering, the kernel's Documentation/networking/scaling.rst), so that each end pays its own half.
    It needs root and two cores; `possible` tells. Everything is as before afterwards."""

    def __init__(self, cores):
        mask = 0 if None in cores else sum(1 << core for core in cores)
        self._want = {
            _NET / "netdev_max_backlog": 200000,  # a round's packets wait for their core; none may be dropped
            _NET / "rps_sock_flow_entries": _FLOWS,
            _LOOPBACK / "rps_flow_cnt": _FLOWS,
            _LOOPBACK / "rps_cpus": f"{mask:x}",
        }
        self.possible = mask != 0 and all(os.access(path, os.W_OK) for path in self._want)
        self._were = {}

    def __enter__(self):
        self._dropped = _dropped()
        try:
            for path, value in self._want.items():
                self._were[path] = path.read_text().strip()
                path.write_text(f"{value}\n")
        except OSError:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for path, value in reversed(self._were.items()):
            path.write_text(f"{value}\n")

    def dropped(self):
        """Packets that found no room since it began."""
        return _dropped() - self._dropped


def _dropped():
    return sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())


def cpu_s(pid):
    """CPU time of all threads of a process, user and system, from the kernel's clock of that process."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no VmRSS of {pid}")


def busy_s():
    """CPU seconds of all processes and of the hypervisor's other guests since the machine started, of all cores."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def describe():
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "load_before": os.getloadavg(),
    }


class Noise:
    """How many cores others used while we measured: what makes a figure doubtful."""

    def __init__(self, own):
        """`own` gives the CPU seconds that our own processes have used so far."""
        self._own = own
        self._busy, self._ours, self._begin = busy_s(), own(), time.monotonic()

    def cores(self):
        seconds = time.monotonic() - self._begin
        others = (busy_s() - self._busy) - (self._own() - self._ours)
        return max(0.0, others / seconds)
