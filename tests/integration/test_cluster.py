"""Two gateways, two shards, one Redis: what players and bots are promised while nothing breaks."""

import asyncio
import json

import pytest
from tessera import http, png, protocol
from tessera.client import Client, all_tiles, new_connection_id, open_socket
from tessera.player import unique_draws
from tessera.procs import wait_until
from tessera.protocol import NONE, Position, Replica, Verdict

ALL = all_tiles(512, 512)


def redis_ms(cluster):
    seconds, micros = cluster.redis.client.time()
    return seconds * 1000 + micros // 1000


def landed_ms(cluster, user):
    record = cluster.redis.client.get(f"{{u:{user % 64}}}:{user:016x}")
    return int.from_bytes(record[16:24], "little")


# ---- Drawing and seeing ----------------------------------------------------------------------------------------------


def test_one_places_the_other_sees_it_and_a_third_later(make_cluster):
    cluster = make_cluster(cooldown="1m")
    one, two = cluster.gateways

    async def run():
        async with Client(one.ws_url, one.session().token, ALL) as a, Client(two.ws_url, two.session().token, ALL) as b:
            answer = await a.place(300, 7, 5)
            assert (answer.x, answer.y, answer.seq, answer.nonce, answer.next_nonce) == (300, 7, 1, 1, 2)
            assert 59_000 < answer.wait_ms <= 60_000
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
                    await client.until(lambda: client.replicas[tile].pos == at_end, 5, f"{tile} at {at_end}")
                    canvas.check_replica(tile, client.replicas[tile], "client")
            return canvas

    canvas = asyncio.run(run())
    last = {(x, y): color for x, y, color in draws}
    assert all(canvas.color_at(x, y) == color for (x, y), color in last.items())
    assert len(canvas.all_placements()) == len(draws)
    for gateway in cluster.gateways:
        wait_until(lambda: canvas.check_gateway(gateway) is None, 3, "the gateway's canvas is that of Redis")
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
            assert client.tile_frames == 1
            await client.watch([(1, 1)])
            await client.sees(300, 300, 3)
            client.next_nonce = 3
            await client.place(2, 2, 5)  # not watched any more
            client.next_nonce = 4
            await client.place(301, 300, 6)
            await client.sees(301, 300, 6)
            assert client.replicas[0, 0].colors[2 * 256 + 2] == 0

    asyncio.run(run())


# ---- Cooldown, nonces, allowance -------------------------------------------------------------------------------------


def test_the_second_draw_is_refused_with_the_exact_wait(make_cluster):
    cluster = make_cluster(cooldown="2s")
    one, two = cluster.gateways
    session = one.session()

    async def run():
        async with Client(one.ws_url, session.token) as a:
            await a.place(1, 1, 1)
            landed = landed_ms(cluster, session.user)
            before = redis_ms(cluster)
            answer = await a.draw(2, 2, 2)
            after = redis_ms(cluster)
            assert answer.code is Verdict.COOLDOWN and answer.next_nonce == 2 and answer.seq == 0
            assert landed + 2000 - after <= answer.wait_ms <= landed + 2000 - before
        before = redis_ms(cluster)
        async with Client(two.ws_url, session.token) as b:
            assert b.welcome.next_nonce == 2
            assert landed + 2000 - redis_ms(cluster) <= b.welcome.wait_ms <= landed + 2000 - before
            await asyncio.sleep((landed + 2000 - redis_ms(cluster)) / 1000)
            assert (await b.place(2, 2, 2)).next_nonce == 3

    asyncio.run(run())
    canvas = cluster.canvas()
    canvas.check_users()
    assert len(canvas.all_placements()) == 2


def test_one_user_on_a_hundred_sockets_places_once_per_cooldown(make_cluster):
    cluster = make_cluster(cooldown="1500ms")
    session = cluster.gateways[0].session()

    async def round_(number):
        """A hundred fresh sockets, all drawing at the same time."""
        clients = [Client(cluster.gateways[i % 2].ws_url, session.token) for i in range(100)]
        await asyncio.gather(*(client.connect() for client in clients))
        wait = max(client.welcome.wait_ms for client in clients)
        early = await asyncio.gather(*(c.draw(i, 400 + number, 1) for i, c in enumerate(clients))) if wait else []
        await asyncio.sleep(wait / 1000)
        answers = await asyncio.gather(*(client.draw(i, number, 1 + number) for i, client in enumerate(clients)))
        await asyncio.gather(*(client.close() for client in clients))
        return [a.code for a in early], [a.code for a in answers]

    async def run():
        for number in range(3):
            early, codes = await round_(number)
            # Reconnecting has changed nothing: every one of a hundred new sockets still has to wait.
            assert Verdict.PLACED not in early
            assert codes.count(Verdict.PLACED) == 1, codes
            assert set(codes) <= {Verdict.PLACED, Verdict.COOLDOWN, Verdict.STALE}

    asyncio.run(run())
    canvas = cluster.canvas()
    canvas.check_users()
    assert len(canvas.all_placements()) == 3


def test_nonces_with_a_cooldown(make_cluster):
    cluster = make_cluster(cooldown="300ms")
    one, two = cluster.gateways
    session = one.session()

    async def run():
        async with Client(one.ws_url, session.token) as a, Client(two.ws_url, session.token) as b:
            assert a.welcome.next_nonce == 1 and a.welcome.wait_ms == 0
            for nonce in (2, 99):
                answer = await a.draw(1, 1, 1, nonce)
                assert (answer.code, answer.next_nonce) == (Verdict.STALE, 1)
            # A refused draw does not use its nonce up.
            assert (await a.draw(1, 1, 32, 1)).code is Verdict.BAD_COLOR
            assert (await a.draw(512, 1, 1, 1)).code is Verdict.OUT_OF_BOUNDS
            first = await a.place(1, 1, 1)
            for client in (a, b):
                again = await client.draw(1, 1, 1, 1)
                assert (again.code, again.seq, again.next_nonce) == (Verdict.PLACED, first.seq, 2)
                assert 0 <= again.wait_ms <= first.wait_ms
                for other in ((2, 1, 1), (1, 2, 1), (1, 1, 2)):
                    assert (await client.draw(*other, 1)).code is Verdict.STALE
            await asyncio.sleep(0.3)
            await b.draw(2, 2, 2, 2)
            assert (await a.draw(1, 1, 1, 1)).code is Verdict.STALE

    asyncio.run(run())
    canvas = cluster.canvas()
    canvas.check_users()
    assert len(canvas.all_placements()) == 2


def test_nonces_without_a_cooldown(make_cluster):
    cluster = make_cluster()
    one, two = cluster.gateways
    session = one.session()
    connection = new_connection_id()

    async def run():
        async with Client(one.ws_url, session.token, connection=connection) as a:
            async with Client(two.ws_url, session.token, connection=connection) as b:
                for nonce in (1, 2, 3, 5):
                    await a.draw(nonce, 0, 1, nonce)
                # A repetition, also over another gateway, is placed already. One that is missing is new.
                for nonce in (3, 1, 5):
                    assert (await b.draw(nonce, 0, 1, nonce)).code is Verdict.PLACED
                assert len(cluster.canvas().all_placements()) == 4
                assert (await b.draw(4, 0, 1, 4)).code is Verdict.PLACED
                assert len(cluster.canvas().all_placements()) == 5
                assert (await a.draw(6, 0, 1, 300)).code is Verdict.PLACED
                assert (await a.draw(7, 0, 1, 44)).code is Verdict.STALE
                assert (await a.draw(7, 0, 1, 45)).code is Verdict.PLACED
                # Another tile has its own window, and so has another connection of the same user.
                assert (await a.draw(300, 0, 1, 1)).code is Verdict.PLACED
        async with Client(one.ws_url, session.token) as c:
            assert (await c.draw(1, 1, 1, 1)).code is Verdict.PLACED

    asyncio.run(run())
    assert len(cluster.canvas().all_placements()) == 9


def draw_as_guests(cluster, count, source, row):
    async def run():
        codes = []
        for i in range(count):
            gateway = cluster.gateways[i % len(cluster.gateways)]
            async with Client(gateway.ws_url, gateway.session().token, source=source) as client:
                answer = await client.draw(i, row, 1)
                assert answer.code in (Verdict.PLACED, Verdict.ALLOWANCE), answer
                assert answer.code is Verdict.PLACED or 0 < answer.wait_ms <= 20_000
                codes.append(answer.code)
        return codes.count(Verdict.PLACED)

    return asyncio.run(run())


def test_guests_of_one_address_share_an_allowance(make_cluster):
    cluster = make_cluster(cooldown="20s", guests_per_address=4)
    assert draw_as_guests(cluster, 10, "127.0.0.1", 0) == 4
    assert draw_as_guests(cluster, 6, "127.0.0.2", 1) == 4
    assert draw_as_guests(cluster, 2, "127.0.0.1", 2) == 0
    assert len(cluster.canvas().all_placements()) == 8


def test_the_allowance_comes_back_with_the_cooldown(make_cluster):
    cluster = make_cluster(cooldown="1s", guests_per_address=2)

    async def run():
        gateway = cluster.gateways[0]
        clients = [Client(gateway.ws_url, gateway.session().token) for _ in range(3)]
        await asyncio.gather(*(client.connect() for client in clients))
        await clients[0].place(1, 1, 1)
        await clients[1].place(2, 1, 1)
        answer = await clients[2].draw(3, 1, 1)
        assert answer.code is Verdict.ALLOWANCE and answer.next_nonce == 1
        await asyncio.sleep(answer.wait_ms / 1000)
        await clients[2].place(3, 1, 1)
        await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(run())


def test_the_allowance_can_be_off(make_cluster):
    cluster = make_cluster(cooldown="20s", guests_per_address=0)
    assert draw_as_guests(cluster, 30, "127.0.0.1", 0) == 30


# ---- Resuming --------------------------------------------------------------------------------------------------------


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
                        await b.until(lambda: stale.pos == now, 5, f"{wrong} comes to {now}")
                        assert stale.colors == a.replicas[0, 0].colors or wrong == NONE
            # In a living connection: RESUME.
            snapshots = a.snapshots
            a.replicas[0, 0].colors[77] = 9
            a.replicas[0, 0].pos = Position(1, 1)
            await a.resume({(0, 0): Position(1, 1)})
            await a.until(lambda: a.snapshots == snapshots + 1, 5, "a snapshot")
            assert a.replicas[0, 0].pos == now and a.replicas[0, 0].colors[77] == 0

    asyncio.run(run())


# ---- HTTP and sockets ------------------------------------------------------------------------------------------------


def test_the_description_of_the_canvas(make_cluster):
    cluster = make_cluster(width=700, height=300, tile_edge=128, cooldown="90s")
    for gateway in cluster.gateways:
        canvas = gateway.canvas()
        assert (canvas["width"], canvas["height"], canvas["tile_edge"]) == (700, 300, 128)
        assert (canvas["cooldown_ms"], canvas["read_only"], canvas["version"]) == (90_000, False, 1)
        assert canvas["limits"] == {"watch": 256, "in_flight": 4}
        assert len(canvas["palette"]) == 32
        assert canvas["palette"][0] == {"name": "white", "rgb": "#ffffff"}
        assert canvas["online"] == 0
        assert len(gateway.tiles()) == 6 * 3


def test_a_session_is_kept_and_is_good_at_every_gateway(make_cluster):
    cluster = make_cluster()
    one, two = cluster.gateways
    session = one.session()
    assert two.session(session.token).user == session.user
    assert one.session().user != session.user
    reply = http.request(one.address, "POST", "/api/v1/session")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("tessera_session=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    forged = session.token[:-4] + "AAAA"
    assert two.session(forged).user != session.user

    async def run():
        for token in (None, forged, "t1.k1.x.y", ""):
            with pytest.raises(Exception, match="401"):
                await open_socket(one.ws_url, token)

    asyncio.run(run())


def test_what_the_upgrade_refuses(make_cluster):
    cluster = make_cluster()
    gateway = cluster.gateways[0]
    token = gateway.session().token

    async def run():
        with pytest.raises(Exception, match="400"):
            await open_socket(gateway.ws_url, token, subprotocols=["tessera.v9"])
        with pytest.raises(Exception, match="403"):
            await open_socket(gateway.ws_url, token, headers={"Origin": "http://elsewhere.example"})
        socket = await open_socket(gateway.ws_url, token, headers={"Origin": f"http://{gateway.address}"})
        await socket.close()

    asyncio.run(run())


def test_malformed_messages_close_their_connection_and_no_other(make_cluster):
    cluster = make_cluster(gateways=1)
    gateway = cluster.gateways[0]
    token = gateway.session().token
    good = protocol.hello(7, {})
    cases = [
        ([b""], 4002),
        ([b"\x7f"], 4002),
        ([good[:-1]], 4002),
        ([good + b"\0"], 4002),
        ([protocol.hello(0, {})], 4002),
        ([protocol.hello(7, {(9, 9): NONE})], 4005),
        ([protocol.hello(7, {(0, 0): NONE, (1, 0): NONE})[:-16] + protocol.entries({(0, 0): NONE})], 4002),  # twice
        ([protocol.hello(7, {(0, 0): NONE}) + protocol.entries({(1, 0): NONE})], 4002),
        ([protocol.draw(1, 1, 1, 1)], 4002),
        ([good, good], 4002),
        ([good, protocol.draw(1, 1, 1, 1)[:-1]], 4002),
        ([good, protocol.watch_tiles({(5, 0): NONE})], 4005),
        (["text"], 1003),
        ([good, "text"], 1003),
        ([b"\x01" * 5000], 1009),
    ]

    async def closes(messages):
        socket = await open_socket(gateway.ws_url, token)
        for message in messages:
            await socket.send(message)
        await asyncio.wait_for(socket.wait_closed(), 10)
        return socket.close_code

    async def run():
        async with Client(gateway.ws_url, token, ALL) as bystander:
            for messages, code in cases:
                assert await closes(messages) == code, messages
            assert await closes([]) == 4000  # no HELLO
            await bystander.place(3, 3, 3)
            await bystander.sees(3, 3, 3)

    asyncio.run(run())
    assert gateway.proc.starts == 1 and gateway.proc.running


def test_the_limit_of_watched_tiles(make_cluster):
    cluster = make_cluster(gateways=1, width=64 * 17, height=64 * 17, tile_edge=64)
    gateway = cluster.gateways[0]
    tiles = all_tiles(64 * 17, 64 * 17, 64)

    async def run():
        async with Client(gateway.ws_url, gateway.session().token, tiles[:256]) as client:
            await client.place(1, 1, 1)
            await client.sees(1, 1, 1)
            await client.watch(tiles[:257])  # longer than any message may be
            await asyncio.wait_for(client.socket.wait_closed(), 5)
            assert client.socket.close_code == 1009

    asyncio.run(run())


def test_the_online_count_is_that_of_all_gateways(make_cluster):
    cluster = make_cluster()

    async def run():
        clients = [Client(cluster.gateways[i % 2].ws_url, cluster.gateways[0].session().token) for i in range(7)]
        await asyncio.gather(*(client.connect() for client in clients))
        for client in clients:
            await client.until(lambda: client.status and client.status.online == 7, 15, "online 7")
        await clients.pop().close()
        for client in clients:
            await client.until(lambda: client.status.online == 6, 15, "online 6")
        await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(run())
    for gateway in cluster.gateways:
        wait_until(lambda: gateway.canvas()["online"] == 0, 10, "online 0")


def test_a_change_of_the_configuration_reaches_the_clients(make_cluster):
    cluster = make_cluster(cooldown="0")
    redis = cluster.redis.client

    def change(name, value):
        redis.hset("{cluster}:config", name, value)
        version = redis.hincrby("{cluster}:config", "version", 1)
        redis.publish("{cluster}:bus", bytes([0x92, 4, version]))  # msgpack [4, version]
        return version

    async def run():
        clients = [Client(gateway.ws_url, gateway.session().token) for gateway in cluster.gateways]
        await asyncio.gather(*(client.connect() for client in clients))
        version = change("read_only", 1)
        for client in clients:
            await client.until(lambda: client.config and client.config.version == version, 10, "CONFIG")
            assert client.config.flags == 1
            assert (await client.draw(1, 1, 1, 1)).code is Verdict.READ_ONLY
        version = change("read_only", 0)
        for number, client in enumerate(clients):
            await client.until(lambda: client.config.version == version, 10, "CONFIG")
            assert client.config.flags == 0
            answer, nonce = None, 1
            while answer is None or answer.code is Verdict.READ_ONLY:  # the shard may hear of it a moment later
                nonce += 1
                answer = await client.draw(1 + number, 1, 1, nonce)
            assert answer.code is Verdict.PLACED and nonce < 1000
        await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(run())
    assert all(json.loads(g.get("/api/v1/canvas").body)["version"] == 3 for g in cluster.gateways)
