"""Two gateways, two shards, one Redis: cooldown, nonces and allowance, to the millisecond and over all of them."""

import asyncio

from tessera.client import Client, new_connection_id
from tessera.protocol import Verdict


def redis_ms(cluster):
    seconds, micros = cluster.redis.client.time()
    return seconds * 1000 + micros // 1000


def landed_ms(cluster, user):
    record = cluster.redis.client.get(f"{{u:{user % 64}}}:{user:016x}")
    return int.from_bytes(record[16:24], "little")


def test_the_second_draw_is_refused_with_the_exact_wait(make_cluster):
    wait_ms = 5000  # more than a busy machine takes for what has to happen within it
    cluster = make_cluster(cooldown=f"{wait_ms}ms")
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
            assert landed + wait_ms - after <= answer.wait_ms <= landed + wait_ms - before
        before = redis_ms(cluster)
        async with Client(two.ws_url, session.token) as b:
            assert b.welcome.next_nonce == 2
            assert landed + wait_ms - redis_ms(cluster) <= b.welcome.wait_ms <= landed + wait_ms - before
            await asyncio.sleep((landed + wait_ms - redis_ms(cluster)) / 1000)
            assert (await b.place(2, 2, 2)).next_nonce == 3

    asyncio.run(run())
    canvas = cluster.canvas()
    canvas.check_users()
    assert len(canvas.all_placements()) == 2


def test_one_user_on_a_hundred_sockets_places_once_per_cooldown(make_cluster):
    cooldown_ms = 1500
    cluster = make_cluster(cooldown=f"{cooldown_ms}ms")
    session = cluster.gateways[0].session()

    async def all_at_once(clients, row, color):
        answers = await asyncio.gather(*(client.draw(i, row, color) for i, client in enumerate(clients)))
        return [answer.code for answer in answers]

    async def round_(number, sockets):
        """So many fresh sockets, all drawing at the same time. Whether the first time was while they had to wait."""
        clients = [Client(cluster.gateways[i % 2].ws_url, session.token) for i in range(sockets)]
        await asyncio.gather(*(client.connect() for client in clients))
        in_time, placed = False, 0
        if number:
            wait_until_ms = landed_ms(cluster, session.user) + cooldown_ms
            early = await all_at_once(clients, 400 + number, 1)
            # Reconnecting has changed nothing: every one of the new sockets still has to wait.
            in_time, placed = redis_ms(cluster) < wait_until_ms, early.count(Verdict.PLACED)
            assert placed <= (not in_time), early
            await asyncio.sleep(max(wait_until_ms - redis_ms(cluster), 0) / 1000)
        if not placed:
            codes = await all_at_once(clients, number, 1 + number)
            placed = codes.count(Verdict.PLACED)
            assert placed == 1 and set(codes) <= {Verdict.PLACED, Verdict.COOLDOWN, Verdict.STALE}, codes
        await asyncio.gather(*(client.close() for client in clients))
        return in_time

    async def run():
        rounds, in_time, sockets = 1, 0, 100
        await round_(0, sockets)
        while in_time < 2:
            assert rounds < 20, "this machine connects nobody within a cooldown"
            if await round_(rounds, sockets):
                in_time += 1
            else:
                sockets = max(sockets // 2, 4)  # a machine that is too slow for so many
            rounds += 1
        return rounds

    rounds = asyncio.run(run())
    canvas = cluster.canvas()
    canvas.check_users()
    assert len(canvas.all_placements()) == rounds


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
                assert answer.code is Verdict.PLACED or 0 < answer.wait_ms <= 600_000
                codes.append(answer.code)
        return codes.count(Verdict.PLACED)

    return asyncio.run(run())


def test_guests_of_one_address_share_an_allowance(make_cluster):
    cluster = make_cluster(cooldown="10m", guests_per_address=4)
    assert draw_as_guests(cluster, 10, "127.0.0.1", 0) == 4
    assert draw_as_guests(cluster, 6, "127.0.0.2", 1) == 4
    assert draw_as_guests(cluster, 2, "127.0.0.1", 2) == 0
    assert len(cluster.canvas().all_placements()) == 8


def test_the_allowance_comes_back_with_the_cooldown(make_cluster):
    cluster = make_cluster(cooldown="4s", guests_per_address=2)

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
    cluster = make_cluster(cooldown="10m", guests_per_address=0)
    assert draw_as_guests(cluster, 30, "127.0.0.1", 0) == 30
