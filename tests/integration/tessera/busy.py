"""What a busy machine adds to the times that are promised.

A promise is of what the programs do, on a machine that runs them when they want to. On one that has other work too, a process that
could go on waits for a processor, and how long it has waited so far the kernel tells: the second number of /proc/PID/schedstat.
"""

import os
from pathlib import Path


class Busy:
    """How long that one of these processes and this one has waited for a processor since this was made that has waited longest. They
    wait at the same time, so that all their waits together would excuse too much. Processes: whatever has a `pid`, and may end and be
    started again meanwhile; or things that have one as `proc` or `process`."""

    def __init__(self, *processes):
        self.processes = processes
        self.before = self._waited()

    @staticmethod
    def _pid(process):
        process = getattr(process, "proc", getattr(process, "process", process))
        popen = getattr(process, "popen", process)
        return popen.pid if popen else None

    def _waited(self):
        """{(process, thread): seconds}"""
        found = {}
        for pid in {os.getpid(), *map(self._pid, self.processes)} - {None}:
            for thread in Path(f"/proc/{pid}/task").glob("*"):
                try:
                    found[pid, thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
                except (OSError, IndexError):
                    pass  # it has ended
        return found

    @property
    def seconds(self):
        waited = {}
        for thread, now in self._waited().items():
            waited[thread[0]] = waited.get(thread[0], 0) + max(now - self.before.get(thread, 0), 0)
        return max(waited.values(), default=0)
