"""tessera-ctl and the admin port: what is set lies in Redis, is followed by all at once, and was done by somebody."""

import asyncio
import json
import socket
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tessera import http
from tessera.client import Client, all_tiles, new_connection_id
from tessera.ctl import AUTH, DONE, REFUSED, UNKNOWN, USAGE, Ctl
from tessera.procs import build_dir, clean_env, free_port, wait_until
from tessera.protocol import FIRST_COUNTED, Verdict

ALL = all_tiles(512, 512)


async def ask(ctl, *args, **more):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: ctl(*args, **more))


# ---- Looking ---------------------------------------------------------------------------------------------------------


def test_status_tells_shards_gateways_and_tiles(make_cluster):
    cluster = make_cluster(admin=True, shards=2, gateways=2)
    ctl = Ctl(cluster)

    async def run():
        one = cluster.gateways[0]
        async with Client(one.ws_url, one.session().token, ALL) as client:
            for x in (1, 300):
                await client.place(x, 7, 5)
            await client.place(1, 400, 6)
            await asyncio.sleep(0)
            return await asyncio.get_running_loop().run_in_executor(
                None, wait_until, lambda: ctl("status")["connections"] == 1, 20, "one is online")

    asyncio.run(run())
    status = ctl("status")
    assert status["process"]["role"] == "shard" and status["process"]["version"] == "0.1.0"
    assert {s["address"] for s in status["shards"]} == {s.address for s in cluster.shards}
    assert sum(s["tiles"] for s in status["shards"]) == 3 and all(s["version"] == "0.1.0" for s in status["shards"])
    assert all(s["epoch"] > 1_600_000_000_000 for s in status["shards"] if s["tiles"])
    assert len(status["gateways"]) == 2 and all(g["version"] == "0.1.0" for g in status["gateways"])
    assert status["tiles"] == {"count": 4, "taken": 3, "without_owner": 0, "placed_on": 3, "placements": 3}
    assert status["canvas"]["version"] == 1 and not status["canvas"]["read_only"]
    assert status["redis"]["used_bytes"] > 0

    tiles = ctl("tiles", admin=cluster.gateways[1].admin)
    assert [(t["tx"], t["ty"], t["position"]["seq"]) for t in tiles["tiles"]] == [(0, 0, 1), (1, 0, 1), (0, 1, 1)]
    assert tiles["next"] is None
    assert [t["number"] for t in ctl("tiles", "0", "2")["tiles"]] == [0, 1] and ctl("tiles", "0", "2")["next"] == 2
    assert [t["number"] for t in ctl("tiles", "2", "2")["tiles"]] == [2]
    # For people as well, and without leave of whoever wrote a text.
    ctl("set", "announcement", "tonight")
    _, out, _ = ctl.run("status")
    assert "announcement: tonight" in out and cluster.shards[1].address in out
    cluster.shards[1].proc.kill()
    wait_until(lambda: len(ctl("status")["shards"]) == 1, 20, "the dead shard is gone")


# ---- Changing --------------------------------------------------------------------------------------------------------


def test_settings_change_under_connected_players(make_cluster):
    cluster = make_cluster(admin=True, cooldown="5m")
    ctl = Ctl(cluster)
    one, two = cluster.gateways

    async def run():
        async with Client(one.ws_url, one.session().token, ALL) as a, Client(two.ws_url, two.session().token, ALL) as b:
            both = (a, b)

            async def changed(*args, **more):
                result = await ask(ctl.change, *args, **more)
                for client in both:
                    await client.until(lambda: client.config and client.config.version >= result["version"], 20, args)
                return result

            assert (await a.place(1, 1, 1)).wait_ms > 290_000
            result = await changed("set", "cooldown", "200ms")
            assert result == {"version": 2, "name": "cooldown", "old": "5m", "new": "200ms"}
            assert a.config.cooldown_ms == b.config.cooldown_ms == 200 and a.palette is a.announcement is None
            await asyncio.sleep(0.25)
            assert (await a.place(2, 1, 1)).wait_ms <= 200  # though it had five minutes to wait

            await changed("set", "read-only", "on", admin=two.admin)
            assert a.config.flags & 1 and (await b.draw(3, 1, 1)).code is Verdict.READ_ONLY
            await changed("set", "read-only", "off", admin=two.admin)
            assert not a.config.flags & 1 and (await b.place(3, 1, 1)).seq == 3

            await changed("set", "announcement", "Übung heute, 20 Uhr")
            for client in both:
                await client.until(lambda: client.announcement == "Übung heute, 20 Uhr", 20, "the announcement")
            assert one.canvas()["announcement"] == a.announcement
            await changed("set", "announcement", "")
            await a.until(lambda: a.announcement == "", 20, "no announcement")
            assert a.palette is None

            assert (await b.draw(4, 1, 32)).code is Verdict.BAD_COLOR
            await changed("palette", "add", "night sky", "#101030")
            await a.until(lambda: a.palette, 20, "the palette")
            assert len(a.palette) == 33 and a.palette[32] == ("night sky", (0x10, 0x10, 0x30))
            await asyncio.sleep(0.25)
            await b.place(4, 1, 32)
            await a.sees(4, 1, 32)

            assert (await b.draw(600, 1, 3)).code is Verdict.OUT_OF_BOUNDS
            await changed("canvas", "grow", "700x513")
            assert (a.config.width, a.config.height) == (700, 513)
            await a.watch([*ALL, (2, 0), (0, 2), (2, 2)])
            await asyncio.sleep(0.25)
            await b.place(699, 512, 32)
            await a.until(lambda: (2, 2) in a.replicas and a.replicas[2, 2].pos.seq == 1, 20, "the new tile")
            await a.sees(4, 1, 32)  # what was there has not moved
            assert a.open and b.open and a.resumes == b.resumes == 0

    asyncio.run(run())
    for gateway in cluster.gateways:
        canvas = gateway.canvas()
        assert (canvas["width"], canvas["height"], len(canvas["palette"]), canvas["version"]) == (700, 513, 33, 8)
        stored = cluster.canvas()
        wait_until(lambda: stored.check_gateway(gateway) is None, 20, "the gateway has what was drawn")
    settings = ctl("get")["settings"]
    assert settings["cooldown"] == "200ms" and settings["canvas"] == {"width": 700, "height": 513, "tile_edge": 256}
    assert ctl("get", "cooldown") == {"version": 8, "name": "cooldown", "value": "200ms"}
    # Those who come later know it all too.
    cluster.gateways[0].proc.kill()
    cluster.gateways[0].start()
    assert cluster.gateways[0].canvas()["width"] == 700


def test_every_change_is_in_the_audit_log(make_cluster):
    cluster = make_cluster(admin=True, shards=1, gateways=1)
    ctl, bob = Ctl(cluster), Ctl(cluster, who="bob@home")
    ctl("set", "cooldown", "3s")
    bob("palette", "add", "mint", "#00ffcc", admin=cluster.gateways[0].admin)
    ctl("set", "guests-per-address", "9")
    bob("canvas", "grow", "513x512")
    assert ctl.status_of("set", "cooldown", "25h") == REFUSED
    entries = ctl("audit")["entries"]
    assert [(e["who"], e["what"], e["old"], e["new"], e["version"]) for e in entries] == [
        ("bob@home", "canvas grow", "512x512", "513x512", "5"),
        ("ann@desk", "set guests-per-address", "0", "9", "4"),
        ("bob@home", "palette add", "", "mint=#00ffcc", "3"),
        ("ann@desk", "set cooldown", "0", "3s", "2"),
    ]
    assert entries[2]["via"].startswith("gateway ") and entries[0]["via"] == f"shard {cluster.shards[0].address}"
    assert all(abs(e["time_ms"] / 1000 - time.time()) < 60 for e in entries)
    assert len(ctl("audit", "2")["entries"]) == 2
    for said in (r"msg=admin .*what=\"set cooldown\" old=0 new=3s version=2", "admin refused"):
        cluster.shards[0].proc.wait_log(said)
    # As durable as a placement.
    cluster.redis.kill()
    cluster.redis.start()
    wait_until(lambda: ctl.status_of("get") == DONE, 30, "the port has Redis again")
    assert len(ctl("audit")["entries"]) == 4


def test_a_long_audit_log_comes_in_parts(lone_cluster):
    """Five hundred entries of the longest texts are more than one answer may be."""
    ctl, redis = Ctl(lone_cluster), lone_cluster.redis.client
    old = "\"" * 500
    ids = [redis.xadd("{cluster}:audit", {"who": "\\" * 128, "via": "gateway 1", "what": "set announcement", "old": old,
                                          "new": f"{i:03}" + old, "version": i}).decode() for i in range(600)]
    first = ctl("audit", "500")
    listed = first["entries"]
    assert 300 < len(listed) < 500 and first["next"] == listed[-1]["id"]
    _, out, _ = ctl.run("audit", "500")
    assert out.splitlines()[-1] == f"before these: audit {len(listed)} {first['next']}"
    while first["next"] is not None:
        first = ctl("audit", "500", first["next"])
        listed += first["entries"]
    assert [entry["id"] for entry in listed] == ids[::-1] and listed[0]["new"] == "599" + old
    assert [e["id"] for e in ctl("audit", "2", ids[3])["entries"]] == [ids[2], ids[1]]
    assert ctl("audit", "9", ids[0]) == {"entries": [], "next": None}
    for before in ("1", "-", "1-", "-1", "1-1-1", "x-1", "1-1 ", "+", "9" * 21 + "-1"):
        assert ctl.status_of("audit", "9", "--", before) == USAGE, before
    redis.delete("{cluster}:audit")


def test_many_at_once_are_done_one_after_the_other(make_cluster):
    cluster = make_cluster(admin=True, gateways=1)
    ctl = Ctl(cluster)
    ports = [p.admin for p in (*cluster.shards, *cluster.gateways)]
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(ctl.run, "palette", "add", f"c {i}", f"#0000{i:02x}", admin=ports[i % 3]) for i in range(12)]
        statuses = [job.result()[0] for job in jobs]
    done = statuses.count(DONE)
    assert set(statuses) <= {DONE, REFUSED} and done >= 6  # REFUSED: conflict, five times in a row
    assert ctl("get")["version"] == 1 + done and len(ctl("audit", "50")["entries"]) == done
    names = [c["name"] for c in ctl("get")["settings"]["palette"][32:]]
    assert len(names) == len(set(names)) == done


@pytest.mark.parametrize("args, status", [
    (("set", "cooldown", "soon"), REFUSED), (("set", "cooldown", "-1"), REFUSED), (("set", "cooldown", "86400001ms"), REFUSED),
    (("set", "read-only", "maybe"), REFUSED), (("set", "announcement", "x" * 501), REFUSED),
    (("set", "announcement", "two\nlines"), REFUSED), (("set", "guests-per-address", "1025"), REFUSED),
    (("set", "version", "9"), USAGE), (("set", "cooldown"), USAGE), (("palette", "add", "white", "#000000"), REFUSED),
    (("palette", "add", "a,b=#000000", "#000000"), REFUSED), (("palette", "add", "x", "#00000"), REFUSED),
    (("palette", "remove", "white", "#ffffff"), USAGE), (("canvas", "grow", "511x512"), REFUSED),
    (("canvas", "grow", "65537x512"), REFUSED), (("canvas", "grow", "600"), REFUSED), (("canvas", "shrink", "1x1"), USAGE),
    (("get", "nothing"), USAGE), (("audit", "0"), USAGE), (("tiles", "0", "513"), USAGE), (("dance",), USAGE), ((), USAGE),
    (("status", "now"), USAGE), (("--nothing", "status"), USAGE),
])
def test_refused(lone_cluster, args, status):
    ctl = Ctl(lone_cluster)
    before = ctl("get")
    assert ctl.status_of(*args) == status
    assert ctl("get") == before and ctl("audit")["entries"] == []


@pytest.fixture(scope="module")
def lone_cluster(tmp_path_factory):
    from tessera.cluster import Cluster
    with Cluster(tmp_path_factory.mktemp("ctl") / "cluster", shards=1, gateways=0, admin=True) as cluster:
        yield cluster


def test_settings_change_under_load_and_nobody_is_dropped(make_cluster, workdir):
    cluster = make_cluster(admin=True, cooldown="20ms")
    ctl, summary = Ctl(cluster), workdir / "draw.json"
    urls = ",".join(f"ws://{gateway.address}" for gateway in cluster.gateways)
    argv = [build_dir() / "tessera-load", "draw", "--url", urls, "--json", summary, "--progress=false", "--connections", "400"]
    argv += ["--seconds", "0", "--rate", "2000", "--verify=false"]
    load = subprocess.Popen([str(a) for a in argv], env=clean_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: ctl("status")["connections"] >= 400, 30, "all are there")
    changes = 0
    while load.poll() is None and changes < 40:
        for args in (("set", "cooldown", f"{20 + changes}ms"), ("set", "announcement", f"number {changes}"),
                     ("palette", "add", f"color {changes}", f"#00{changes:02x}00"), ("canvas", "grow", f"{513 + changes}x512")):
            ctl(*args, admin=(cluster.shards + cluster.gateways)[changes % 4].admin)
            changes += 1
    placed = lambda: sum(tile.seq for tile in cluster.canvas().positions.values())  # noqa: E731
    wait_until(lambda: load.poll() is not None or placed() > 2000, 60, "there was something to disturb")
    load.terminate()
    out, err = load.communicate(timeout=60)
    assert load.returncode == 0, (out, err)
    result = json.loads(summary.read_text())
    print(f"{changes} changes under {result['draws_per_s']:.0f} draws/s by 400 connections, reconnects {result['reconnects']}")
    assert changes >= 20 and result["placed"] > 1000
    assert [result[name] for name in ("reconnects", "malformed", "errors", "unexpected_verdicts", "unacknowledged")] == [0] * 5
    cluster.canvas()


def test_a_draw_repeated_over_a_change_of_the_rule_is_placed_once(make_cluster):
    """The cooldown becomes more than 0, and 0 again, while draws are under way of which the player does not know what became."""
    cluster = make_cluster(admin=True, gateways=1)
    ctl, gateway = Ctl(cluster), cluster.gateways[0]

    async def run():
        token, connection = gateway.session().token, new_connection_id()

        def again():
            client = Client(gateway.ws_url, token, ALL, connection)
            client.raw_nonces = True
            return client

        async def rule(client, cooldown):
            result = await ask(ctl.change, "set", "cooldown", cooldown)
            await client.until(lambda: client.config and client.config.version == result["version"], 20, "CONFIG")

        async with again() as a:
            first = await a.draw(1, 1, 1, FIRST_COUNTED)
            assert (first.code, first.seq) == (Verdict.PLACED, 1)
            await rule(a, "100ms")
            assert [(v.code, v.seq) for v in [await a.draw(1, 1, 1, FIRST_COUNTED)]] == [(Verdict.PLACED, 1)]
            never = await a.draw(2, 1, 1, FIRST_COUNTED + 1)
            assert (never.code, never.next_nonce) == (Verdict.STALE, 1)
            assert (await a.draw(2, 1, 1, 1)).seq == 2
        # The same over a new socket and with a new owner of the tile, who has it from Redis.
        for shard in cluster.shards:
            shard.proc.kill()
            shard.start()
        async with again() as b:
            assert b.welcome.next_nonce == 2
            assert (await b.draw(1, 1, 1, FIRST_COUNTED)).seq == 1
            await rule(b, "0")
            repeated = await b.draw(2, 1, 1, 1)
            assert (repeated.code, repeated.seq) == (Verdict.PLACED, 2)
            assert (await b.draw(3, 1, 1, 2)).code is Verdict.STALE
            assert (await b.draw(3, 1, 1, FIRST_COUNTED + 1)).seq == 3

    asyncio.run(run())
    assert len(cluster.canvas().all_placements()) == 3


# ---- Who may ---------------------------------------------------------------------------------------------------------


def framed(data):
    return struct.pack(">I", len(data)) + data


def test_only_with_the_secret(lone_cluster):
    ctl, shard = Ctl(lone_cluster), lone_cluster.shards[0]
    (lone_cluster.path / "other").write_text("x" * 64)
    assert ctl.status_of("--admin-secret-file", lone_cluster.path / "other", "status") == AUTH
    assert ctl.status_of("--admin-secret-file", lone_cluster.path / "cluster_secret", "status") == AUTH
    assert ctl.status_of("--admin-secret", "short", "status") == USAGE
    assert ctl.status_of("status", admin=f"127.0.0.1:{free_port()}") == UNKNOWN
    assert ctl.status_of("--timeout", "500ms", "status", admin=lone_cluster.redis.address) == UNKNOWN  # no admin port
    host, port = shard.admin.split(":")
    nonce, mac = b"\xc4\x20" + b"n" * 32, b"\xc4\x20" + b"m" * 32
    for attempt in (b"GET / HTTP/1.1\r\n\r\n", framed(b""), framed(b"\x94\x04\x01\xc4\x02{}" + mac), framed(b"\x92\x03" + mac),
                    framed(b"\x94\x02\x01" + nonce + mac), framed(b"\xff" * 100), b"\xff\xff\xff\xff"):
        with socket.create_connection((host, int(port)), 10) as peer:
            peer.settimeout(10)
            assert peer.recv(100).startswith(b"\x00\x00\x00")
            peer.sendall(attempt)
            assert peer.recv(100) == b"", attempt
    # More than a COMMAND may have is refused by its length alone, before and after the secret.
    for announced, closes in ((16384 + 65, True), (16384 + 64, False)):
        with socket.create_connection((host, int(port)), 10) as peer:
            peer.settimeout(10 if closes else 0.3)
            peer.recv(100)
            peer.sendall(struct.pack(">I", announced) + b"x" * 100)
            if closes:
                assert peer.recv(100) == b""
            else:
                with pytest.raises(socket.timeout):
                    peer.recv(100)
    log = (lone_cluster.path / "shard-0.log").read_text
    wait_until(lambda: ctl.status_of("--admin-secret-file", lone_cluster.path / "other", "get") == AUTH
               and "reason=\"wrong secret\"" in log(), 10, "the log tells of it")
    # But not of each that tries: one line a second.
    began, before = time.monotonic(), log().count("admin connection refused")
    for _ in range(60):
        with socket.create_connection((host, int(port)), 10) as peer:
            peer.settimeout(10)
            assert peer.recv(100)
            peer.sendall(framed(b"\xff"))
            assert peer.recv(100) == b""
    assert log().count("admin connection refused") - before <= time.monotonic() - began + 1
    # Those that say nothing hold their places for 5 s at most, and no more than 8 of them.
    idle = [socket.create_connection((host, int(port)), 10) for _ in range(12)]
    wait_until(lambda: ctl.status_of("get") == DONE, 15, "the silent ones were put out")
    for peer in idle:
        peer.close()


def test_closed_by_default_and_never_without_a_secret(make_cluster):
    cluster = make_cluster(shards=1, gateways=1)
    for proc in (cluster.shards[0].proc, cluster.gateways[0].proc):
        argv = [str(a) for a in proc.argv]
        done = subprocess.run([*argv, "--admin=127.0.0.1:0"], env=clean_env(), capture_output=True, text=True, timeout=10)
        assert done.returncode == 2 and "admin-secret" in done.stderr
        assert "admin port" not in proc.log.read_text()


def test_the_environment_of_a_process_serves_the_tool(lone_cluster):
    """As in `docker compose exec shard tessera-ctl status`: the variables of the shard are all there."""
    env = {"TESSERA_ADMIN": lone_cluster.shards[0].admin.replace("127.0.0.1", "0.0.0.0"), "TESSERA_LISTEN": "0.0.0.0:7000",
           "TESSERA_ADMIN_SECRET_FILE": str(lone_cluster.path / "admin_secret"), "TESSERA_LEASE": "2s"}
    done = subprocess.run([str(build_dir() / "tessera-ctl"), "get", "--json"], env=clean_env(env), capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    # And its file of options, by the same variable; one that is named for the tool alone has no others.
    file = lone_cluster.path / "shard.conf"
    file.write_text("# a shard's\nlisten = 0.0.0.0:7000\nlease = 2s\n"
                    f"admin = {lone_cluster.shards[0].admin}\nadmin-secret-file = {lone_cluster.path / 'admin_secret'}\n")
    argv = [str(build_dir() / "tessera-ctl"), "get", "--json"]
    done = subprocess.run(argv, env=clean_env({"TESSERA_CONFIG": str(file)}), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and json.loads(done.stdout)["version"] == 1, done.stderr
    done = subprocess.run([*argv, "--config", str(file)], env=clean_env(), capture_output=True, text=True, timeout=30)
    assert done.returncode == USAGE and "line 2: unknown option listen" in done.stderr
    done = subprocess.run(argv, env=clean_env({"TESSERA_CONFIG": "/nowhere"}), capture_output=True, text=True, timeout=30)
    assert done.returncode == USAGE and "/nowhere" in done.stderr
    help_text = subprocess.run([str(build_dir() / "tessera-ctl"), "--help"], env=clean_env(), capture_output=True, text=True).stdout
    for word in ("status", "set NAME VALUE", "canvas grow", "--admin-secret-file", "Exit status", "audit", "TESSERA_CONFIG"):
        assert word in help_text


def test_without_redis_the_outcome_is_unknown(make_cluster):
    cluster = make_cluster(admin=True, shards=1, gateways=0)
    cluster.redis.kill()
    wait_until(lambda: Ctl(cluster).status_of("set", "cooldown", "9s") == UNKNOWN, 20, "it says so")
