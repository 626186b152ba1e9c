"""A restore that is killed, or that another one takes over from: at any command of it that Redis gets."""

import asyncio
import contextlib
import socket
import subprocess
import threading

import pytest
from tessera.client import Client, all_tiles
from tessera.ctl import DONE, REFUSED, Ctl
from tessera.procs import build_dir, clean_env, wait_until

ALL = all_tiles(512, 512)


class Gate:
    """A way to Redis that lets so many commands through, and then no more until it is opened."""

    def __init__(self, redis, limit):
        self.redis, self.limit = redis, limit
        self.commands = []  # their first words
        self.reached, self.opened, self.closed = threading.Event(), threading.Event(), False
        self.came_from = None  # as Redis knows it
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        host, port = self.redis.split(":")
        server = socket.create_connection((host, int(port)))
        self.came_from = "{}:{}".format(*server.getsockname())
        threading.Thread(target=self.pass_replies, args=(server, client), daemon=True).start()
        with client, server, client.makefile("rb") as lines, contextlib.suppress(OSError):
            while command := self.read(lines):
                if len(self.commands) == self.limit:
                    self.reached.set()
                    self.opened.wait()
                if self.closed:
                    break
                self.commands.append(command.split(b"\r\n", 3)[2].decode())
                server.sendall(command)
            server.shutdown(socket.SHUT_RDWR)  # for who reads from it as well

    @staticmethod
    def read(lines):
        head = lines.readline()
        whole = head
        for _ in range(int(head[1:]) if head else 0):
            length = lines.readline()
            whole += length + lines.read(int(length[1:]) + 2)
        return whole

    @staticmethod
    def pass_replies(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass

    def close(self):
        """What was held goes nowhere any more."""
        self.closed = True
        self.opened.set()
        self.listener.close()


class Restores:
    """A canvas, and two backups of it. The new one has a tile and a user more, and more of a tile and a user of the old one."""

    def __init__(self, make_cluster):
        self.cluster = make_cluster(admin=True, shards=1, gateways=1, cooldown="20ms")
        self.ctl, self.redis = Ctl(self.cluster), self.cluster.redis.client
        self.old, self.new = self.cluster.path / "old", self.cluster.path / "new"
        self.canvases = {}
        sessions = [self.cluster.gateways[0].session() for _ in range(3)]
        self.place(sessions[0], (1, 1, 1), (300, 1, 2))
        self.place(sessions[1], (2, 1, 3))
        self.backup(self.old)
        self.place(sessions[1], (2, 1, 4), (1, 300, 5))
        self.place(sessions[2], (3, 1, 6))
        self.backup(self.new)

    def place(self, session, *pixels):
        async def go():
            async with Client(self.cluster.gateways[0].ws_url, session.token, ALL) as client:
                await asyncio.sleep(client.welcome.wait_ms / 1000)
                for pixel in pixels:
                    answer = await client.place(*pixel)
                    await asyncio.sleep(answer.wait_ms / 1000)

        asyncio.run(go())

    def backup(self, file):
        self.ctl("backup", str(file))
        self.canvases[file] = self.cluster.canvas()

    def runs(self, file, address, *args):
        """tessera-ctl restore by that way to Redis."""
        argv = [build_dir() / "tessera-ctl", "--redis", address, "--who", "ann@desk", "restore", *args, file]
        return subprocess.Popen([str(a) for a in argv], env=clean_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def restore(self, file, *args):
        self.ctl("restore", *args, str(file))

    def steps(self, file):
        """The commands of one that nobody disturbs."""
        gate = Gate(self.cluster.redis.address, -1)
        run = self.runs(file, gate.address, "--again")
        assert run.wait(60) == DONE, run.stderr.read()
        gate.close()
        return gate.commands

    def check_is(self, file):
        """The canvas is that of this backup and nothing else, open, and nothing is left of restores that came before."""
        canvas, want = self.cluster.canvas(), self.canvases[file]
        assert canvas.placements == want.placements
        canvas.check_users()
        assert canvas.records == want.records
        config = self.redis.hgetall("{cluster}:config")
        assert int(config[b"restores"]) % 2 == 0 and b"restorer" not in config
        assert not self.redis.keys("*:new:*")


@pytest.fixture
def restores(make_cluster):
    return Restores(make_cluster)


def test_one_that_is_killed_leaves_each_tile_old_or_new(restores, rng):
    """Whatever it had come to, another one finishes, and nothing is left over."""
    old, new = restores.old, restores.new
    points = {file: len(restores.steps(file)) for file in (old, new)}
    restores.check_is(new)
    for _ in range(8):
        was, file = (old, new) if rng.random() < 0.5 else (new, old)
        restores.restore(was)
        if file == new:  # a tile that was never taken, as all are in an empty Redis
            for key in restores.redis.keys("{t:0:1}:*"):
                restores.redis.delete(key)
        point = rng.randrange(points[file])
        gate = Gate(restores.cluster.redis.address, point)
        run = restores.runs(file, gate.address)
        assert gate.reached.wait(60), run.stderr.read()
        run.kill()
        run.wait()
        gate.close()
        there = lambda: gate.came_from in {client["addr"] for client in restores.redis.client_list()}  # noqa: E731
        wait_until(lambda: not there(), 20, "Redis has done all that it was told")
        print(f"{file.name} over {was.name}: killed before command {point} of {points[file]}")
        canvas = restores.cluster.canvas()  # replays each tile and compares all that is stored
        for tile, placed in canvas.placements.items():
            assert placed in (restores.canvases[was].placements[tile], restores.canvases[file].placements[tile]), tile
        begun = int(restores.redis.hget("{cluster}:config", "restores")) % 2 == 1
        assert restores.ctl("status")["canvas"]["restoring"] == begun
        if rng.random() < 0.5:
            was, file = file, was  # the other backup, which knows nothing of what the first had begun
        restores.restore(file, *(["--again"] if begun else []))
        restores.check_is(file)


def test_one_that_is_overtaken_changes_nothing_any_more(restores, rng):
    """`--again` although the first one is still at it: it waits for Redis while the other one ends, then goes on."""
    old, new = restores.old, restores.new
    steps = restores.steps(old)
    begun = steps.index("EVALSHA") + 1  # restore.lua
    for point in [begun, *rng.sample(range(begun + 1, len(steps)), 4)]:
        gate = Gate(restores.cluster.redis.address, point)
        run = restores.runs(old, gate.address)
        assert gate.reached.wait(60), run.stderr.read()
        assert restores.ctl.status_of("restore", str(new)) == REFUSED
        restores.restore(new, "--again")
        gate.opened.set()
        status, said = run.wait(60), run.stderr.read()
        gate.close()
        print(f"held before command {point} of {len(steps)}: {said}")
        restores.check_is(new)
        assert status == REFUSED and "another restore" in said
