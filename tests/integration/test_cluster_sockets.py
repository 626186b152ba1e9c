"""Two gateways, two shards, one Redis: sessions, upgrades, malformed messages, limits, and what everybody is told."""

import asyncio
import json

import pytest

from tessera import http, protocol
from tessera.client import Client, all_tiles, open_socket
from tessera.procs import wait_until
from tessera.protocol import NONE, Verdict

ALL = all_tiles(512, 512)


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
        await asyncio.wait_for(socket.wait_closed(), 30)
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
            await asyncio.wait_for(client.socket.wait_closed(), 20)
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
                assert nonce < 1000
                await asyncio.sleep(0.01)
                answer = await client.draw(1 + number, 1, 1, nonce)
            assert answer.code is Verdict.PLACED
        await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(run())
    assert all(json.loads(g.get("/api/v1/canvas").body)["version"] == 3 for g in cluster.gateways)
