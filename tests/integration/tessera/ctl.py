"""tessera-ctl, run as an operator runs it."""

import json
import subprocess

from .procs import build_dir, clean_env, wait_until

DONE, REFUSED, USAGE, UNKNOWN, AUTH, DAMAGED = range(6)


class Ctl:
    """Of a cluster with admin=True. Asks the first shard unless told another address."""

    def __init__(self, cluster, who="ann@desk"):
        self.cluster = cluster
        self.who = who

    def run(self, *args, admin=None, env=None, timeout=120):
        """Status, standard output and standard error."""
        argv = [build_dir() / "tessera-ctl", "--admin", admin or self.cluster.shards[0].admin, "--who", self.who]
        argv += ["--admin-secret-file", self.cluster.path / "admin_secret", "--redis", self.cluster.redis.address, *args]
        done = subprocess.run([str(a) for a in argv], env=clean_env(env), capture_output=True, text=True, timeout=timeout)
        assert done.returncode >= 0 and "Sanitizer" not in done.stderr, (done.returncode, done.stderr)
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *args, **more):
        """The result, which has to be one."""
        status, out, err = self.run("--json", *args, **more)
        assert status == DONE, (args, status, err)
        return json.loads(out)

    def change(self, *args, **more):
        """The result of what changes the canvas, once every process that runs goes by it: they hear of it a moment later."""
        result = self(*args, **more)
        version = int(self.cluster.redis.client.hget("{cluster}:config", "version"))
        for process in self.cluster.shards + self.cluster.gateways:
            if process.proc.running:
                wait_until(lambda: process.config_version() >= version, 20, f"{process.proc.name} has version {version}")
        return result

    def status_of(self, *args, **more):
        return self.run(*args, **more)[0]
