"""The gateway's replicas and what it sends of them: lost bus messages, resuming, slow clients, limits, the canvas over HTTP."""

import asyncio
import gzip
import random
import struct
import time
import zlib

from tessera import png
from tessera.busy import Busy
from tessera.client import Client, all_tiles
from tessera.cluster import metric
from tessera.procs import wait_until
from tessera.protocol import Position, Replica, WATCH_LIMIT, checksum

EDGE = 256
SIZE = EDGE * EDGE
ALL = all_tiles(512, 512)
COLORS = bytes(i % 32 for i in range(256))


class QuickReplica(Replica):
    """Does without the checksum, which takes Python a tenth of a second."""

    def load(self, snapshot):
        self.colors[:] = snapshot.colors.ljust(len(self.colors), b"\0")
        self.pos = snapshot.pos


def quick_replicas(tiles):
    return {tile: QuickReplica(EDGE) for tile in tiles}


def kill_bus(cluster):
    cluster.redis.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


def publish_update(cluster, tile, previous, first, updates):
    """An UPDATE that is in no log, as after a crash of Redis that lost its tail."""
    blob = b"".join(struct.pack("<HB", *update) for update in updates)
    message = b"\x95\x01" + b"\xcf" + struct.pack(">Q", previous) + b"\xcf" + struct.pack(">Q", previous)
    message += b"\xce" + struct.pack(">I", first) + b"\xd9" + bytes([len(blob)]) + blob
    return cluster.redis.client.publish("{t:%d:%d}:bus" % tile, message)


def publish_position(cluster, tile, pos, sum_):
    message = b"\x94\x02" + b"\xcf" + struct.pack(">Q", pos.epoch) + b"\xce" + struct.pack(">I", pos.seq)
    message += b"\xa8" + struct.pack("<Q", sum_)
    return cluster.redis.client.publish("{t:%d:%d}:bus" % tile, message)


def paint(cluster, tiles, rng):
    """Random pixels at position (1, 1), written as if the tile had been loaded from elsewhere: there is no log of them."""
    painted = {}
    pipe = cluster.redis.client.pipeline()
    for tile in tiles:
        painted[tile] = rng.randbytes(SIZE).translate(COLORS)
        pipe.set("{t:%d:%d}:px" % tile, painted[tile])
        pipe.hset("{t:%d:%d}:meta" % tile, mapping={"e": 1, "p": 1, "s": 1})
    pipe.execute()
    return painted


def resident_kib(gateway):
    with open(f"/proc/{gateway.proc.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


async def same_as_redis(cluster, clients, tiles, timeout=20):
    canvas = cluster.canvas()
    for client in clients:
        for tile in tiles:
            at_end = canvas.positions[tile]
            await client.until(lambda: client.replicas[tile].pos == at_end, timeout, f"{tile} at {at_end}")
            canvas.check_replica(tile, client.replicas[tile], "client")


# ---- Healing ---------------------------------------------------------------------------------------------------------


def test_a_bus_that_is_cut_all_the_time(make_cluster, rng):
    cluster = make_cluster()
    one, two = cluster.gateways

    async def run():
        async with Client(one.ws_url, one.session().token, ALL) as a, Client(two.ws_url, two.session().token, ALL) as b:
            nonce = 0
            for _ in range(25):
                futures = []
                for _ in range(20):
                    nonce += 1
                    draw = (rng.randrange(512), rng.randrange(512), rng.randrange(32))
                    futures.append(await a.send_draw(*draw, nonce))
                kill_bus(cluster)
                await asyncio.wait_for(asyncio.gather(*futures), 20)
                await asyncio.sleep(0.1)
            began, busy = time.monotonic(), Busy(one, two, *cluster.shards, cluster.redis)
            await same_as_redis(cluster, (a, b), ALL)
            assert time.monotonic() - began < 2 + busy.seconds
            assert a.resumes == b.resumes == 0, "the gateways never let a gap through"

    asyncio.run(run())
    for gateway in cluster.gateways:
        assert metric(gateway.metrics, "tessera_bus_connects_total") > 3
        assert metric(gateway.metrics, 'tessera_resyncs_total{reason="checksum"}') == 0
        cluster.canvas().check_gateway(gateway)
    healed = [metric(gateway.metrics, "tessera_repairs_total") for gateway in cluster.gateways]
    assert sum(healed) > 0, "something was lost and read from the log"


def test_what_was_seen_and_lost_is_taken_back(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways

    def taken_back():
        return metric(gateway.metrics, 'tessera_resyncs_total{reason="rewound"}')

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, ALL) as client:
            await client.draw(5, 5, 1, 1)
            await client.sees(5, 5, 1)
            pos, before, rounds = client.replicas[0, 0].pos, client.snapshots, 0
            colors = client.replicas[0, 0].colors
            while colors[9] != 7:  # a gateway that looks in this very moment takes it back before anybody has seen it
                assert publish_update(cluster, (0, 0), pos.epoch, pos.seq + 1, [(9, 7)]) == 1
                rounds += 1
                assert rounds < 10
                while colors[9] != 7 and taken_back() < rounds:
                    await asyncio.sleep(0.005)
                    colors = client.replicas[0, 0].colors
            # Nobody says so, the gateway has to look.
            await client.sees(9, 0, 0, timeout=30)
            assert client.replicas[0, 0].pos == pos
            assert 1 <= client.snapshots - before <= rounds
            await client.draw(6, 5, 2, 2)
            await same_as_redis(cluster, [client], ALL)
            return rounds

    assert asyncio.run(run()) == taken_back()


def test_a_wrong_checksum_starts_the_tile_over(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, ALL) as client:
            await client.draw(5, 5, 1, 1)
            await client.sees(5, 5, 1)
            replica, before = client.replicas[0, 0], client.snapshots
            publish_position(cluster, (0, 0), replica.pos, checksum(replica.colors))
            publish_position(cluster, (0, 0), replica.pos, checksum(replica.colors) ^ 1)
            await client.until(lambda: client.snapshots == before + 1, 20, "a snapshot")
            await same_as_redis(cluster, [client], ALL)

    asyncio.run(run())
    assert metric(gateway.metrics, 'tessera_resyncs_total{reason="checksum"}') == 1


def test_nonsense_on_the_bus_is_dropped(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways
    redis = cluster.redis.client

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, ALL) as client:
            await client.draw(5, 5, 1, 1)
            await client.sees(5, 5, 1)
            pos = client.replicas[0, 0].pos
            for nonsense in (b"", b"\xc1", b"\x95\x01", b"\xdd\xff\xff\xff\xff" * 20, b"\x92\x04\x01", bytes(1000)):
                redis.publish("{t:0:0}:bus", nonsense)
                redis.publish("{cluster}:bus", nonsense)
            for later in (b"\x92\x06\x01", b"\x91\xcc\xff"):  # what a version to come may say
                redis.publish("{t:0:0}:bus", later)
                redis.publish("{cluster}:bus", later)
            publish_update(cluster, (0, 0), 7, 4000000000, [(9, 7)])  # an epoch that is over
            publish_update(cluster, (0, 0), pos.epoch + 5, 3, [(9, 7)])  # one that never was
            publish_update(cluster, (0, 0), pos.epoch, 99, [(9, 7)])  # a gap that nothing fills
            await client.draw(6, 5, 2, 2)
            await client.sees(6, 5, 2)
            await same_as_redis(cluster, [client], ALL)
            assert client.resumes == 0

    asyncio.run(run())
    assert metric(gateway.metrics, "tessera_bus_malformed_total") == 11  # {cluster}:bus carries the version of settings
    assert metric(gateway.metrics, "tessera_bus_unknown_total") == 4


# ---- Positions -------------------------------------------------------------------------------------------------------


def test_a_position_gets_exactly_what_it_missed(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways

    async def run():
        token = gateway.session().token
        async with Client(gateway.ws_url, token, ALL) as watcher:
            async with Client(gateway.ws_url, token, ALL) as client:
                for i in range(1, 11):
                    await watcher.draw(i, i, i, i)
                await client.sees(10, 10, 10)
            for i in range(11, 51):
                await watcher.draw(i, i, i % 32, i)
            await watcher.draw(300, 300, 9, 51)
            await watcher.sees(300, 300, 9)
            back = Client(gateway.ws_url, token, ALL, replicas=client.replicas)
            async with back:
                await same_as_redis(cluster, [back], ALL)
                assert (back.snapshots, back.tile_frames, back.resumes) == (0, 2, 0)
            # A client that says nothing of positions, and one that says wrong ones.
            async with Client(gateway.ws_url, token, ALL) as new:
                await same_as_redis(cluster, [new], ALL)
            for wrong in (Position(7, 20), Position(client.replicas[0, 0].pos.epoch, 60)):
                stale = {tile: Replica(EDGE) for tile in ALL}
                stale[0, 0].pos = wrong
                async with Client(gateway.ws_url, token, ALL, replicas=stale) as other:
                    await same_as_redis(cluster, [other], ALL)
                    assert other.snapshots >= 1

    asyncio.run(run())
    wait_until(lambda: metric(gateway.metrics, "tessera_clients_lagging") == 0, 20, "nobody lags")


# ---- Slow clients ----------------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_costs_a_position_and_not_a_copy(make_cluster, rng):
    cluster = make_cluster(gateways=1, width=4096, height=4096)
    (gateway,) = cluster.gateways
    tiles = all_tiles(4096, 4096)
    paint(cluster, tiles, rng)

    async def run():
        token = gateway.session().token
        slow = [Client(gateway.ws_url, token, replicas=quick_replicas(tiles)) for _ in range(10)]
        async with Client(gateway.ws_url, token, tiles, replicas=quick_replicas(tiles)) as quick:
            await quick.until(lambda: quick.snapshots == len(tiles), 20, "all tiles")
            before = resident_kib(gateway)
            for client in slow:
                await client.connect()
                client.socket.transport.pause_reading()
                await client.watch(tiles)
            lagging = lambda: metric(gateway.metrics, "tessera_clients_lagging")  # noqa: E731
            await asyncio.to_thread(wait_until, lambda: lagging() == len(slow), 20, "they lag")
            for nonce in range(1, 400):
                x, y, color = rng.randrange(4096), rng.randrange(4096), rng.randrange(32)
                await quick.draw(x, y, color, nonce)
                await quick.sees(x, y, color)
            # Each of them has some 10 MB to come. What the gateway keeps for all of them is less than that of one.
            assert resident_kib(gateway) - before < 4096
            for client in slow:
                client.socket.transport.resume_reading()
            for client in slow:
                for tile in tiles:
                    at_end = quick.replicas[tile].pos
                    await client.until(lambda: client.replicas[tile].pos == at_end, 90, f"{tile} at {at_end}")
                    assert client.replicas[tile].colors == quick.replicas[tile].colors
                assert client.resumes == 0
            await asyncio.to_thread(wait_until, lambda: lagging() == 0, 20, "nobody lags")
            await asyncio.gather(*(client.close() for client in slow))

    asyncio.run(run())
    # One snapshot of a tile serves all who need it there.
    assert metric(gateway.metrics, "tessera_snapshots_compressed_total") < 3 * len(tiles)


def test_many_clients_come_at_once(make_cluster, rng):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways
    paint(cluster, ALL, rng)

    async def run():
        token = gateway.session().token
        async with Client(gateway.ws_url, token, ALL) as player:
            await player.until(lambda: player.snapshots == len(ALL), 20, "all tiles")
            clients = [Client(gateway.ws_url, token, ALL, replicas=quick_replicas(ALL)) for _ in range(150)]
            joins = asyncio.gather(*(client.connect() for client in clients))
            nonce = 0
            while not joins.done():
                nonce += 1
                await player.draw(rng.randrange(512), rng.randrange(512), rng.randrange(32), nonce)
            await joins
            for client in [player, *clients]:
                for tile in ALL:
                    at_end = player.replicas[tile].pos
                    await client.until(lambda: client.replicas[tile].pos == at_end, 20, f"{tile} at {at_end}")
                    assert client.replicas[tile].colors == player.replicas[tile].colors
                assert client.resumes == 0
            await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(run())
    assert metric(gateway.metrics, "tessera_snapshots_compressed_total") < 40


# ---- Limits ----------------------------------------------------------------------------------------------------------


def test_watch_limit(make_cluster):
    cluster = make_cluster(gateways=1, width=2048, height=2048, gateway_args=["--replica-memory=1MiB", "--linger=500ms"])
    (gateway,) = cluster.gateways
    tiles = all_tiles(2048, 2048)

    async def run():
        token = gateway.session().token
        async with Client(gateway.ws_url, token, tiles) as client:
            await client.until(lambda: client.errors == [WATCH_LIMIT], 20, "an error")
            await client.watch(tiles[:6])
            await client.draw(5, 5, 1, 1)
            await client.sees(5, 5, 1)
            await client.watch(tiles)
            await client.until(lambda: client.errors == [WATCH_LIMIT] * 2, 20, "another error")
            await client.draw(6, 5, 2, 2)
            await client.sees(6, 5, 2)  # the old watch stays
            # Tiles that nobody watches any more give way.
            await client.watch(tiles[20:30])
            await client.draw(4 * 256 + 1, 2 * 256 + 1, 3, 3)
            await client.sees(4 * 256 + 1, 2 * 256 + 1, 3)
            assert len(client.errors) == 2
        assert metric(gateway.metrics, "tessera_replica_bytes") <= 1 << 20

    asyncio.run(run())
    wait_until(lambda: metric(gateway.metrics, "tessera_tiles_held") == 0, 20, "all tiles are forgotten")
    # The whole canvas does not fit either.
    reply = gateway.get("/api/v1/tiles")
    assert reply.status == 503 and reply.headers["retry-after"] == "1"
    assert gateway.get("/api/v1/tiles/1/1").status == 200


# ---- HTTP ------------------------------------------------------------------------------------------------------------


def test_the_canvas_over_http_is_that_of_redis(make_cluster, rng):
    cluster = make_cluster(width=600, height=300)
    tiles = all_tiles(600, 300)
    painted = paint(cluster, tiles, rng)
    for gateway in cluster.gateways:
        for (tx, ty), colors in painted.items():
            path = f"/api/v1/tiles/{tx}/{ty}"
            raw = gateway.get(path)
            assert (raw.status, raw.body, raw.headers["etag"]) == (200, colors, '"1-1-raw"')
            assert raw.headers["tessera-position"] == "1-1"
            assert raw.headers["vary"].lower() == "accept-encoding"
            assert raw.headers["cache-control"] == "public, max-age=1"
            packed = gateway.get(path, **{"Accept-Encoding": "gzip"})
            assert packed.headers["content-encoding"] == "gzip" and packed.headers["etag"] == '"1-1-gzip"'
            assert gzip.decompress(packed.body) == colors
            same = gateway.get(path, **{"If-None-Match": '"1-1-raw"'})
            assert (same.status, same.body, same.headers["etag"]) == (304, b"", '"1-1-raw"')
        whole = gateway.tiles()
        assert whole == {tile: (Position(1, 1), colors) for tile, colors in painted.items()}
        one = gateway.get("/api/v1/tiles")
        two = gateway.get("/api/v1/tiles", **{"Accept-Encoding": "gzip"})
        assert one.headers["etag"] != two.headers["etag"] and gzip.decompress(two.body) == one.body
        assert gateway.get("/api/v1/tiles", **{"If-None-Match": one.headers["etag"]}).status == 304
        reply = gateway.get("/api/v1/canvas.png")
        palette = [tuple(bytes.fromhex(c["rgb"][1:])) for c in gateway.canvas()["palette"]]
        picture = png.read(reply.body)
        assert (picture.width, picture.height) == (600, 300)
        rows = b"".join(
            painted[tx, y // EDGE][y % EDGE * EDGE :][: min(EDGE, 600 - tx * EDGE)] for y in range(300) for tx in range(3)
        )
        assert bytes(picture.indices(palette)) == rows
        assert gateway.get("/api/v1/canvas.png", **{"If-None-Match": reply.headers["etag"]}).status == 304
        assert gateway.get("/api/v1/tiles/3/0").status == 404
        assert gateway.get("/api/v1/tiles/0/2").status == 404


def test_a_draw_changes_etag_and_picture_within_a_second_or_two(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways
    before = {path: gateway.get(path) for path in ("/api/v1/tiles/0/0", "/api/v1/tiles", "/api/v1/canvas.png")}

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, ALL) as client:
            await client.draw(5, 5, 1, 1)

    asyncio.run(run())
    for path, old in before.items():

        def changed():
            new = gateway.get(path, **{"If-None-Match": old.headers["etag"]})
            return new.status == 200 and new.headers["etag"] != old.headers["etag"] and new.body != old.body

        began, busy = time.monotonic(), Busy(gateway, cluster.redis)
        wait_until(changed, 20, f"{path} changes")
        assert time.monotonic() - began < 3 + busy.seconds


def test_large_canvases_are_served_by_the_tile(make_cluster):
    cluster = make_cluster(gateways=1, width=4097, height=100)
    (gateway,) = cluster.gateways
    for path in ("/api/v1/tiles", "/api/v1/canvas.png"):
        reply = gateway.get(path)
        assert reply.status == 413 and b"/api/v1/tiles/" in reply.body
    assert len(gateway.get("/api/v1/tiles/16/0").body) == SIZE


def test_the_largest_whole_canvas(make_cluster, rng):
    cluster = make_cluster(gateways=1, shards=1, width=4096, height=4096)
    (gateway,) = cluster.gateways
    painted = paint(cluster, [(0, 0), (15, 15), (7, 3)], rng)
    whole = gateway.tiles()
    assert len(whole) == 256
    assert all(colors == painted.get(tile, bytes(SIZE)) for tile, (_, colors) in whole.items())
    assert gateway.get("/api/v1/canvas.png").status == 200


def test_without_redis_what_is_held_is_served(make_cluster):
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways
    assert gateway.get("/api/v1/tiles/0/0").status == 200
    cluster.redis.kill()
    wait_until(lambda: gateway.get("/readyz").status == 503, 20, "not ready")
    reply = gateway.get("/api/v1/tiles/1/1")
    assert reply.status == 503 and reply.headers["retry-after"] == "1"
    assert gateway.get("/api/v1/tiles/0/0").status == 200
    cluster.redis.start()
    wait_until(lambda: gateway.get("/api/v1/tiles/1/1").status == 200, 20, "the other tile")


def test_snapshots_are_compressed(make_cluster):
    """A tile of one color is a small frame, whatever the size of the tile."""
    cluster = make_cluster(gateways=1)
    (gateway,) = cluster.gateways
    paint(cluster, ALL, random.Random(1))
    cluster.redis.client.set("{t:0:0}:px", b"\x05" * SIZE)

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, [(0, 0)]) as client:
            await client.until(lambda: client.snapshots == 1, 20, "the snapshot")
            assert bytes(client.replicas[0, 0].colors) == b"\x05" * SIZE

    asyncio.run(run())
    assert metric(gateway.metrics, "tessera_fanout_bytes_total") < len(zlib.compress(b"\x05" * SIZE, 1)) + 100
