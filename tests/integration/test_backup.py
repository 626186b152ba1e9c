"""Backup, verify and restore on a running cluster: what comes back is the log at its position, and all who live follow."""

import asyncio
import gzip
import struct
import time

import pytest
from tessera.client import Client, all_tiles
from tessera.ctl import DAMAGED, DONE, REFUSED, UNKNOWN, Ctl
from tessera.player import unique_draws
from tessera.procs import wait_until
from tessera.protocol import Verdict

ALL = all_tiles(512, 512)


def in_thread(function, *args, **more):
    return asyncio.get_running_loop().run_in_executor(None, lambda: function(*args, **more))


async def draw_on(client, draws, placed, stop):
    """One draw after the other, each as soon as the wait is over."""
    for x, y, color in draws:
        if stop.is_set():
            return
        answer = await client.draw(x, y, color)
        while answer.code in (Verdict.COOLDOWN, Verdict.READ_ONLY, Verdict.STALE, Verdict.UNAVAILABLE):
            if stop.is_set():
                return
            await asyncio.sleep(answer.wait_ms / 1000)
            answer = await client.draw(x, y, color)
        assert answer.code is Verdict.PLACED, answer
        placed.append((x, y, color, answer.seq))
        await asyncio.sleep(answer.wait_ms / 1000)


def test_restore_of_a_backup_taken_under_load(make_cluster, rng):
    cluster = make_cluster(admin=True, cooldown="20ms")
    ctl, file = Ctl(cluster), str(cluster.path / "canvas.backup")
    players = 16
    draws = unique_draws(rng, players * 400, 512, 512, 32)

    async def run():
        stop, placed = asyncio.Event(), []
        clients = [Client(g.ws_url, g.session().token, ALL) for g in cluster.gateways for _ in range(players // 2)]
        await asyncio.gather(*(client.connect() for client in clients))
        jobs = [asyncio.ensure_future(draw_on(client, draws[i::players], placed, stop)) for i, client in enumerate(clients)]
        while len(placed) < 300:
            await asyncio.sleep(0.01)
        before = list(placed)
        counts = await in_thread(ctl, "backup", file)
        during = len(placed)
        while len(placed) < during + 300:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*jobs)
        live = await in_thread(cluster.canvas)
        epochs = {tile: int(record.meta[b"e"]) for tile, record in live.tiles.items()}

        started = time.monotonic()
        restored_counts = await in_thread(ctl, "restore", file)
        verified = await in_thread(ctl, "verify", file)
        assert restored_counts == verified == {**counts, "behind": verified["behind"]}
        print(f"{verified['behind']} of {counts['users']} users placed between the reading of their records and of their tiles")
        canvas = await in_thread(cluster.canvas)  # replays every log and compares all that is stored
        for client in clients:
            for tile in ALL:
                at = canvas.positions[tile]
                await client.until(lambda: client.replicas[tile].pos == at, 20, f"{tile} at {at}")
                canvas.check_replica(tile, client.replicas[tile], "a client that was there all the time")
            assert client.open
        print(f"all {len(clients)} clients had it {time.monotonic() - started:.2f} s after the restore began")
        for gateway in cluster.gateways:
            await in_thread(wait_until, lambda: canvas.check_gateway(gateway) is None, 20, "the gateway has it")

        # It is what the log was at the position of the backup: neither more nor less, tile by tile.
        assert sum(len(p) for p in canvas.placements.values()) == counts["placements"] < len(live.all_placements())
        for tile, now in canvas.placements.items():
            assert now == live.placements[tile][: len(now)] and len(now) > 0
            assert int(canvas.tiles[tile].meta[b"e"]) > epochs[tile] and b"o" not in canvas.tiles[tile].meta
        seqs = {tile: at.seq for tile, at in canvas.positions.items()}
        assert all(seq <= seqs[x // 256, y // 256] for x, y, _, seq in before)  # acknowledged before it began
        assert len(canvas.records) == counts["users"] == players
        canvas.check_users()  # also those whom the backup caught in the middle

        # And it goes on from there, by the same sockets.
        stop.clear()
        again = []
        more = unique_draws(rng, players, 512, 512, 32)
        await asyncio.gather(*(draw_on(client, more[i : i + 1], again, stop) for i, client in enumerate(clients)))
        assert len(again) == players
        after = await in_thread(cluster.canvas)
        assert len(after.all_placements()) == counts["placements"] + players
        for client in clients:
            await client.close()

    asyncio.run(run())
    entries = [e["what"] for e in ctl("audit")["entries"]]
    assert entries == ["restore end", "restore begin", "backup"]
    status = ctl("status")
    assert not status["canvas"]["restoring"] and not status["canvas"]["read_only"] and status["canvas"]["version"] == 3


def make_small(make_cluster, **options):
    cluster = make_cluster(admin=True, shards=1, gateways=1, cooldown="0", **options)
    ctl = Ctl(cluster)

    async def place(*pixels):
        gateway = cluster.gateways[0]
        async with Client(gateway.ws_url, gateway.session().token, ALL) as client:
            for pixel in pixels:
                await client.place(*pixel)

    return cluster, ctl, lambda *pixels: asyncio.run(place(*pixels))


def test_tiles_that_came_later_become_blank_and_settings_stay(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    file = str(cluster.path / "one")
    place((1, 1, 1), (2, 1, 2))
    assert ctl("backup", file)["placements"] == 2
    ctl.change("palette", "add", "later", "#123456")
    ctl.change("canvas", "grow", "600x512")
    ctl("set", "announcement", "stays")
    place((1, 1, 32), (300, 300, 4), (599, 1, 5))
    ctl.change("restore", file)
    canvas = cluster.canvas()
    assert (canvas.width, len(canvas.palette)) == (600, 33) and canvas.positions[1, 1].seq == canvas.positions[2, 0].seq == 0
    assert canvas.color_at(1, 1) == 1 and canvas.color_at(300, 300) == canvas.color_at(599, 1) == 0
    assert ctl("get", "announcement")["value"] == "stays"
    wait_until(lambda: canvas.check_gateway(cluster.gateways[0]) is None, 20, "the gateway has it")
    place((300, 300, 6), (1, 1, 32))
    assert cluster.canvas().positions[1, 1].seq == 1


def test_into_an_empty_redis_and_into_another_canvas(make_cluster):
    cluster, ctl, place = make_small(make_cluster, tile_edge=128)
    file = str(cluster.path / "one")
    place((1, 1, 1), (200, 3, 2))
    ctl.change("set", "cooldown", "7s")
    later = {f"later_{i}": "x" * i for i in range(20)}  # as a version to come may have
    cluster.redis.client.hset("{cluster}:config", mapping=later)
    ctl("backup", file)
    before = cluster.canvas()
    for proc in (*cluster.gateways, *cluster.shards):
        proc.proc.kill()
    cluster.redis.client.flushall()
    ctl("restore", file)
    for proc in (*cluster.shards, *cluster.gateways):
        proc.start()
    assert cluster.canvas().placements == before.placements and ctl("get", "cooldown")["value"] == "7s"
    settings = cluster.redis.client.hgetall("{cluster}:config")
    assert {name.encode(): value.encode() for name, value in later.items()}.items() <= settings.items()
    cluster.redis.client.hset("{cluster}:config", mapping={f"more_{i}": i for i in range(9)})
    status, _, err = ctl.run("backup", file + "2")
    assert status == REFUSED and "more settings" in err
    other, other_ctl, _ = make_small(make_cluster)
    status, _, err = other_ctl.run("restore", file)
    assert status == REFUSED and "tile edge" in err and not other_ctl("status")["canvas"]["read_only"]


def test_names_come_back_unless_there_are_others(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    file, redis = str(cluster.path / "one"), cluster.redis.client

    def name(user, text, flags=0):
        redis.set(f"{{u:{user % 64}}}:n:{user:016x}", struct.pack("<BBHQ", 1, flags, 0, 1_700_000_000_000) + text.encode())
        return struct.pack("<Q", user)

    place((1, 1, 1))
    for user, text, claim in ((5, "Anna", "anna"), (6, "Bert", "bert"), (7, "Cleo", "cieo"), (9, "Dora", "dora")):
        redis.set(f"{{n:{claim}}}", name(user, text))
    name(8, "", flags=1)  # was erased
    ctl("backup", file)
    live = {5: "Anna", 6: "Berta", 7: "", 9: None}
    redis.set("{n:berta}", name(6, "Berta"))  # has another by now
    name(7, "", flags=1)  # was erased since
    redis.delete("{u:9}:n:" + f"{9:016x}")
    redis.set("{n:dora}", name(70, "Dora"))  # hers is another's now
    redis.delete("{u:5}:n:" + f"{5:016x}", "{n:anna}", "{u:8}:n:" + f"{8:016x}")
    ctl("restore", file)

    def record(user):
        value = redis.get(f"{{u:{user % 64}}}:n:{user:016x}")
        return value and (value[1], value[12:].decode())

    assert [record(user) for user in (5, 6, 7, 8, 9, 70)] == [(0, live[5]), (0, live[6]), (1, live[7]), (1, ""), live[9], (0, "Dora")]
    assert redis.get("{n:anna}") == struct.pack("<Q", 5) and redis.get("{n:dora}") == struct.pack("<Q", 70)
    # Onto an empty Redis, each with its claim.
    redis.flushall()
    ctl("restore", file)
    assert [record(user) for user in (5, 6, 7, 8, 9)] == [(0, "Anna"), (0, "Bert"), (0, "Cleo"), (1, ""), (0, "Dora")]
    # None of them has placed, so they end unless a gateway renews them; that somebody was erased does not.
    lives = [redis.ttl(f"{{u:{user % 64}}}:n:{user:016x}") for user in (5, 8)] + [redis.ttl("{n:anna}")]
    assert lives[1] == -1 and all(59 < life / 86400 <= 60 for life in (lives[0], lives[2]))
    claims = {key.decode(): struct.unpack("<Q", redis.get(key))[0] for key in redis.keys("{n:*")}
    assert len(claims) == 4 and claims["{n:anna}"] == 5 and claims["{n:dora}"] == 9


def test_one_that_broke_off_is_seen_and_begun_again(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    file = str(cluster.path / "one")
    place((1, 1, 1))
    ctl("backup", file)
    place((300, 300, 2))
    cluster.redis.client.hset("{cluster}:config", mapping={"restores": 1, "version": 2})
    cluster.redis.client.xadd("{t:0:0}:new:log", {"l": "1"}, id="99-0")
    cluster.redis.client.xadd("{t:1:1}:new:log", {"l": "1"}, id="99-0")  # of another backup, which had more
    wait_until(lambda: cluster.gateways[0].canvas()["read_only"], 20, "read-only")
    assert ctl("status")["canvas"]["restoring"]
    assert ctl.status_of("restore", file) == REFUSED and ctl.status_of("backup", file + "2") == REFUSED
    ctl.change("restore", "--again", file)
    assert cluster.canvas().positions[0, 0].seq == 1 and not cluster.redis.client.keys("*:new:*")
    place((1, 1, 2))


def test_by_the_role_of_least_privilege(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    from test_access import acl_lines
    place((1, 1, 1))
    _, _, *rules = next(line.split() for line in acl_lines() if line.startswith("user ctl "))
    cluster.redis.client.execute_command("ACL", "SETUSER", "ctl", "reset", *rules)
    more = ("--redis-user", "ctl", "--redis-password", "ctl")
    file = str(cluster.path / "one")
    ctl("backup", file, *more)
    ctl("restore", file, *more)
    assert cluster.canvas().positions[0, 0].seq == 1
    from tessera.ctl import AUTH
    assert ctl.status_of("backup", file, "--redis-user", "ctl", "--redis-password", "wrong") == AUTH


# ---- Users whom a backup catches ------------------------------------------------------------------------------------------


class Caught:
    """A canvas whose backup has settings and users of one moment and tiles of a later one, as when people draw while it is
    made: the first half of one backup, and the second half of another."""

    def __init__(self, make_cluster, cooldown):
        self.cluster = make_cluster(admin=True, shards=1, gateways=1, cooldown=cooldown)
        self.ctl = Ctl(self.cluster)
        self.file = self.cluster.path / "caught"
        self.sessions = [self.cluster.gateways[0].session() for _ in range(3)]

    def client(self, number):
        return Client(self.cluster.gateways[0].ws_url, self.sessions[number].token, ALL)

    def place(self, number, *pixels):
        async def go():
            async with self.client(number) as client:
                for pixel in pixels:
                    await asyncio.sleep(client.welcome.wait_ms / 1000)
                    answer = await client.place(*pixel)
                    await asyncio.sleep(answer.wait_ms / 1000)

        asyncio.run(go())

    def backup(self):
        self.ctl("backup", str(self.file))
        return [(kind, payload) for kind, _, payload in records(gzip.decompress(self.file.read_bytes()))]

    def splice(self, early, late):
        """Returns what `verify` says of it."""
        users = [part for part in early if part[0] == 2]
        tiles = [part for part in late[1:-1] if part[0] != 2]
        tiles_count, _, placements = struct.unpack_from("<IQQ", late[-1][1])
        end = struct.pack("<IQQ", tiles_count, sum(len(p) // 32 for _, p in users), placements)
        self.file.write_bytes(rebuilt([early[0], *users, *tiles, (5, end)]))
        return self.ctl("verify", str(self.file))

    def stored(self):
        return {user: struct.unpack("<BBHHHIIQ", record) for user, record in self.cluster.canvas().records.items()}


def test_a_user_who_was_caught_has_the_record_of_the_log(make_cluster):
    caught = Caught(make_cluster, "200ms")
    caught.place(0, (1, 1, 1), (2, 1, 2))
    caught.place(1, (3, 1, 3))
    early = caught.backup()
    caught.place(0, (300, 1, 4), (4, 1, 5), (300, 300, 6))  # over three tiles, which are read one after the other
    caught.place(2, (5, 1, 7), (6, 1, 8))  # who has no record in it, but a name: those are read after the records
    user, redis = caught.sessions[2].user, caught.cluster.redis.client
    name_key = f"{{u:{user % 64}}}:n:{user:016x}"
    redis.set(name_key, struct.pack("<BBHQ", 1, 0, 0, 1_700_000_000_000) + b"Anna")
    redis.set("{n:anna}", struct.pack("<Q", user))
    verified = caught.splice(early, caught.backup())
    assert (verified["users"], verified["behind"]) == (2, 2)
    _, out, _ = caught.ctl.run("verify", str(caught.file))
    assert "2 users" in out and "behind" in out
    redis.delete(name_key, "{n:anna}")
    live = caught.stored()
    assert caught.ctl.change("restore", str(caught.file))["behind"] == 2
    assert redis.get(name_key)[12:] == b"Anna" and redis.ttl(name_key) == redis.ttl("{n:anna}") == -1, "who has placed keeps it"
    redis.delete(name_key, "{n:anna}")
    caught.cluster.canvas().check_users()
    assert caught.stored() == live and [live[s.user][5] for s in caught.sessions] == [5, 1, 2]

    async def nonces():
        """The last nonce of before is answered again, and never placed."""
        async with caught.client(0) as client:
            assert client.welcome.next_nonce == 6
            client.raw_nonces = True
            for nonce in (3, 4):
                assert (await client.draw(9, 9, 9, nonce)).code is Verdict.STALE
            assert (await client.draw(300, 300, 6, 5)).code is Verdict.PLACED

    asyncio.run(nonces())
    assert len(caught.cluster.canvas().all_placements()) == 8


def test_placements_without_a_cooldown_are_not_counted(make_cluster):
    """They are in no record: their nonces are the connection's."""
    caught = Caught(make_cluster, "100ms")
    caught.place(0, (1, 1, 1))
    caught.ctl.change("set", "cooldown", "0")
    caught.place(0, (2, 1, 2))
    early, live = caught.backup(), caught.stored()
    caught.place(0, (3, 1, 3))
    caught.place(1, (4, 1, 4))
    assert caught.splice(early, caught.backup())["behind"] == 0
    caught.ctl("restore", str(caught.file))
    assert caught.stored() == live and len(live) == 1


# ---- Damage ----------------------------------------------------------------------------------------------------------


def records(data):
    at = len(b"TESSERA BACKUP 1\n")
    while at < len(data):
        kind, length = struct.unpack_from("<BI", data, at)
        yield kind, at, data[at + 5 : at + 5 + length]
        at += 5 + length


def rebuilt(parts):
    """A file of these records with a right digest, so that only what they say can be wrong."""
    import hashlib
    data = b"TESSERA BACKUP 1\n" + b"".join(struct.pack("<BI", kind, len(p)) + p for kind, p in parts if kind != 5)
    end = next(p for kind, p in parts if kind == 5)[:20] + hashlib.sha256(data).digest()
    return gzip.compress(data + struct.pack("<BI", 5, len(end)) + end)


def test_damage_is_found_before_anything_is_changed(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    file = cluster.path / "one"
    place((1, 1, 1), (1, 1, 2), (2, 1, 3))
    ctl.change("set", "cooldown", "1s")
    place((3, 1, 3))
    assert ctl("backup", str(file)) == {"file": str(file), "tiles": 1, "users": 1, "placements": 4}
    good = file.read_bytes()
    data = gzip.decompress(good)
    parts = [(kind, payload) for kind, _, payload in records(data)]
    assert [kind for kind, _ in parts] == [1, 2, 3, 4, 1, 5]

    def refused(content, what):
        file.write_bytes(content)
        assert ctl.status_of("verify", str(file)) == DAMAGED, what
        status, _, err = ctl.run("restore", str(file))
        assert status == DAMAGED and "nothing was changed" in err, what

    def with_byte(index, at, value):
        changed = [(k, bytearray(p)) for k, p in parts]
        changed[index][1][at] ^= value
        return rebuilt(changed)

    file.write_bytes(rebuilt(parts))
    assert ctl.status_of("verify", str(file)) == DONE
    for cut in (0, 10, len(good) // 2, len(good) - 1):
        refused(good[:cut], f"cut at {cut}")
    flipped = bytearray(data)
    flipped[200] ^= 1
    refused(gzip.compress(bytes(flipped)), "a bit, under a right checksum of gzip")
    refused(data, "no gzip at all")
    refused(with_byte(2, 20 + 257, 1), "a pixel")
    refused(with_byte(2, 12, 1), "the seq of the tile")
    refused(with_byte(2, 4, 1), "the epoch of the tile")
    refused(with_byte(2, len(parts[2][1]) - 1, 1), "a last seq")
    refused(with_byte(3, 16, 2), "the first seq of an entry")
    refused(with_byte(3, len(parts[3][1]) - 1, 1), "a link")
    refused(with_byte(1, 0, 1), "the user of a record")
    refused(with_byte(1, 9, 1), "the color of a record")
    refused(with_byte(5, 4, 1), "a count")
    refused(rebuilt(parts[:4] + parts[5:]), "no settings at the end")
    refused(rebuilt(parts[1:]), "no settings at the beginning")
    refused(rebuilt(parts[:3] + parts[4:]), "no log")
    refused(rebuilt(parts[:4] + parts[2:]), "a tile twice")
    assert ctl("audit")["entries"][0]["what"] == "backup" and not ctl("status")["canvas"]["read_only"]


def test_a_backup_that_fails_leaves_no_file(make_cluster):
    cluster, ctl, place = make_small(make_cluster)
    place((1, 1, 1))
    missing = cluster.path / "folder" / "one"
    assert ctl.status_of("backup", str(missing)) == REFUSED
    cluster.redis.kill()
    assert ctl.status_of("backup", str(cluster.path / "one")) == UNKNOWN
    assert not list(cluster.path.glob("one*"))
