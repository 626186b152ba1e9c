"""Two gateways, two shards, one Redis: what one draws the other sees, in every form of the canvas, and who comes back gets what was missed."""

import asyncio
import time

from tessera import png
from tessera.client import Client, all_tiles
from tessera.player import unique_draws
from tessera.procs import wait_until
from tessera.protocol import NONE, Position, Replica, Verdict

ALL = all_tiles(512, 512)


def test_one_places_the_other_sees_it_and_a_third_later(make_cluster):
    cluster = make_cluster(cooldown="1m")
    one, two = cluster.gateways

    async def run():
        async with Client(one.ws_url, one.session().token, ALL) as a, Client(two.ws_url, two.session().token, ALL) as b:
            began = time.monotonic()
            answer = await a.place(300, 7, 5)
            took_ms = (time.monotonic() - began) * 1000
            assert (answer.x, answer.y, answer.seq, answer.nonce, answer.next_nonce) == (300, 7, 1, 1, 2)
            assert 59_990 - took_ms < answer.wait_ms <= 60_000
            await b.sees(300, 7, 5)
            await a.sees(300, 7, 5)
        async with Client(two.ws_url, two.session().token, ALL) as c:
            await c.sees(300, 7, 5)
        return answer

    asyncio.run(run())
    canvas = cluster.canvas()
    assert canvas.color_at(300, 7) == 5
    canvas.check_users()
    for gateway in cluster.gateways:
        canvas.check_gateway(gateway)


def test_many_draws_every_screen_and_every_form_of_the_canvas_are_the_same(make_cluster, rng):
    cluster = make_cluster(width=600, height=300)
    tiles = all_tiles(600, 300)
    draws = unique_draws(rng, 3000, 600, 300, 32)

    async def run():
        one, two = cluster.gateways
        async with Client(one.ws_url, one.session().token, tiles) as a, Client(two.ws_url, two.session().token, tiles) as b:
            for start in range(0, len(draws), 200):
                burst = enumerate(draws[start : start + 200], start + 1)
                futures = [await a.send_draw(*draw, nonce) for nonce, draw in burst]
                for answer in await asyncio.wait_for(asyncio.gather(*futures), 30):
                    assert answer.code is Verdict.PLACED, answer
            canvas = cluster.canvas()
            for client in (a, b):
                for tile in tiles:
                    at_end = canvas.positions[tile]
                    await client.until(lambda: client.replicas[tile].pos == at_end, 20, f"{tile} at {at_end}")
                    canvas.check_replica(tile, client.replicas[tile], "client")
            return canvas

    canvas = asyncio.run(run())
    last = {(x, y): color for x, y, color in draws}
    assert all(canvas.color_at(x, y) == color for (x, y), color in last.items())
    assert len(canvas.all_placements()) == len(draws)
    for gateway in cluster.gateways:
        wait_until(lambda: canvas.check_gateway(gateway) is None, 20, "the gateway's canvas is that of Redis")
        picture = png.read(gateway.get("/api/v1/canvas.png").body)
        palette = [tuple(bytes.fromhex(c["rgb"][1:])) for c in gateway.canvas()["palette"]]
        assert (picture.width, picture.height) == (600, 300)
        assert bytes(picture.indices(palette)) == canvas.rows()
        for tile in tiles:
            reply = gateway.get(f"/api/v1/tiles/{tile[0]}/{tile[1]}")
            assert reply.status == 200 and reply.body == canvas.colors[tile]
            epoch, seq = canvas.positions[tile]
            assert reply.headers["tessera-position"] == f"{epoch}-{seq}"
            assert reply.headers["etag"] == f'"{epoch}-{seq}-raw"'


def test_draws_of_one_client_on_one_pixel_keep_their_order(make_cluster):
    cluster = make_cluster()
    gateway = cluster.gateways[0]

    async def run():
        async with Client(gateway.ws_url, gateway.session().token) as client:
            futures = [await client.send_draw(10, 10, 1 + i % 31, i + 1) for i in range(250)]
            return await asyncio.wait_for(asyncio.gather(*futures), 30)

    answers = asyncio.run(run())
    assert [a.seq for a in answers] == list(range(1, 251))
    placed = cluster.canvas().placements[0, 0]
    assert [p.color for p in placed] == [1 + i % 31 for i in range(250)]


def test_only_watched_tiles_are_sent(make_cluster):
    cluster = make_cluster()
    gateway = cluster.gateways[0]

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, [(0, 0)]) as client:
            await client.place(300, 300, 3)  # not watched
            client.next_nonce = 2
            await client.place(1, 1, 4)
            await client.sees(1, 1, 4)
            # One frame, of the tile that is watched: of what is drawn on it, or all of it, read when that was there already.
            assert client.tile_frames + client.snapshots == 1
            await client.watch([(1, 1)])
            await client.sees(300, 300, 3)
            client.next_nonce = 3
            await client.place(2, 2, 5)  # not watched any more
            client.next_nonce = 4
            await client.place(301, 300, 6)
            await client.sees(301, 300, 6)
            assert client.replicas[0, 0].colors[2 * 256 + 2] == 0

    asyncio.run(run())


def test_a_client_that_comes_back_gets_only_what_it_missed(make_cluster):
    cluster = make_cluster()
    one, two = cluster.gateways

    async def run():
        token = one.session().token
        async with Client(two.ws_url, two.session().token) as other:
            await other.draw(5, 5, 1, 1)
            async with Client(one.ws_url, token, ALL) as a:
                await a.sees(5, 5, 1)
                replicas = a.replicas
            for nonce in range(2, 30):
                await other.draw(nonce, 5, nonce, nonce)
            # This gateway still follows the tiles, so it knows what happened since.
            async with Client(one.ws_url, token, ALL, replicas=replicas) as b:
                await b.sees(29, 5, 29)
                assert b.snapshots == 0
                assert replicas[0, 0].pos.seq == 29
            # Nothing was missed now, so nothing comes; from the other gateway, once it follows the tiles, likewise.
            for tx, ty in ALL:
                assert two.get(f"/api/v1/tiles/{tx}/{ty}").status == 200
            async with Client(two.ws_url, token, ALL, replicas=replicas) as c:
                await other.draw(300, 300, 7, 30)
                await c.sees(300, 300, 7)
                assert (c.snapshots, c.tile_frames) == (0, 1)

    asyncio.run(run())


def test_a_position_that_never_was_is_answered_with_a_snapshot(make_cluster):
    cluster = make_cluster()
    one, two = cluster.gateways

    async def run():
        async with Client(one.ws_url, one.session().token, [(0, 0)]) as a:
            for nonce in range(1, 6):
                await a.draw(nonce, 0, nonce, nonce)
            await a.sees(5, 0, 5)
            now = a.replicas[0, 0].pos
            for wrong in (Position(now.epoch, 99), Position(now.epoch + 1, 3), Position(7, 3), Position(7, 5), NONE):
                for gateway in (one, two):
                    stale = Replica(256)
                    stale.pos = wrong
                    stale.colors[9] = 9
                    async with Client(gateway.ws_url, a.token, [(0, 0)], replicas={(0, 0): stale}) as b:
                        await b.until(lambda: stale.pos == now, 20, f"{wrong} comes to {now}")
                        assert stale.colors == a.replicas[0, 0].colors or wrong == NONE
            # In a living connection: RESUME.
            snapshots = a.snapshots
            a.replicas[0, 0].colors[77] = 9
            a.replicas[0, 0].pos = Position(1, 1)
            await a.resume({(0, 0): Position(1, 1)})
            await a.until(lambda: a.snapshots == snapshots + 1, 20, "a snapshot")
            assert a.replicas[0, 0].pos == now and a.replicas[0, 0].colors[77] == 0

    asyncio.run(run())
