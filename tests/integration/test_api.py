"""What the page asks beside the canvas: pixels and their history, names, erasing, pictures of regions, previews, heat."""

import asyncio
import gzip
import html
import json
import re
import time

import pytest

from tessera import http
from tessera.client import Client
from tessera.cluster import Cluster
from tessera.png import read as decode
from tessera.procs import ROOT, wait_until
from tessera.protocol import Verdict

WIDTH, HEIGHT = 300, 200
COOLDOWN_S = 1


class Api:
    """One cluster for this file: an open gateway, one with small limits, one with a long wait between names."""

    def __init__(self, path):
        self.cluster = Cluster(path, shards=1, gateways=0, cooldown=f"{COOLDOWN_S}s", width=WIDTH, height=HEIGHT)
        self.gateway = self.add("--lookups-per-second=0", "--name-wait=0")
        self.tight = self.add("--lookups-per-second=2", "--public-origin=https://place.example")
        self.slow = self.add("--lookups-per-second=0")

    def add(self, *args):
        gateway = self.cluster.add_gateway()
        gateway.proc.argv += args
        return gateway

    def get(self, path, gateway=None, **headers):
        reply = http.get((gateway or self.gateway).address, path, headers)
        return reply.status, json.loads(reply.body) if reply.body else None

    def pixel(self, x, y, query="", gateway=None):
        status, answer = self.get(f"/api/v1/pixel/{x}/{y}{query}", gateway)
        assert status == 200, answer
        return answer

    def me(self, session, method="GET", body=None, gateway=None, **headers):
        headers = {"Authorization": f"Bearer {session.token}", **headers}
        reply = http.request((gateway or self.gateway).address, method, "/api/v1/me", headers, body)
        assert reply.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in reply.headers
        return reply.status, json.loads(reply.body) if reply.body else None, reply.headers

    def rename(self, session, name, gateway=None):
        status, answer, _ = self.me(session, "PUT", json.dumps({"name": name}), gateway)
        return status, answer

    def draw(self, session, x, y, color, gateway=None):
        """One placement, after whatever has to be waited for. Returns its seq."""

        async def go():
            async with Client((gateway or self.gateway).ws_url, session.token) as client:
                await asyncio.sleep(client.welcome.wait_ms / 1000)
                answer = await client.draw(x, y, color)
                assert answer.code is Verdict.PLACED, answer
                return answer.seq

        return asyncio.run(go())

    def player(self, x=0, y=0, color=1):
        session = self.gateway.session()
        self.draw(session, x, y, color)
        return session


@pytest.fixture(scope="module")
def api(module_dir):
    api = Api(module_dir / "cluster")
    with api.cluster:
        yield api


# ---- Pixels -------------------------------------------------------------------------------------------------------------


def test_pixel_and_its_history(api):
    empty = api.pixel(10, 10)
    assert (empty["color"], empty["name"], empty["placements"], empty["next"]) == (0, "white", [], 0)
    ann, bob = api.gateway.session(), api.gateway.session()
    seqs = [api.draw(ann, 10, 10, 3), api.draw(bob, 10, 10, 4), api.draw(ann, 10, 10, 5)]
    for gateway in (api.gateway, api.slow):
        asked_ms = time.time() * 1000
        pixel = api.pixel(10, 10, "?history=32", gateway)
        answered_ms = time.time() * 1000
        placements = pixel["placements"]
        assert (pixel["x"], pixel["y"], pixel["color"], pixel["next"]) == (10, 10, 5, 0)
        assert [(p["seq"], p["color"]) for p in placements] == list(zip(seqs, (3, 4, 5)))[::-1]
        assert placements[0]["by"] == placements[2]["by"] == api.me(ann)[1]["name"]
        assert placements[1]["by"] == api.me(bob)[1]["name"] != placements[0]["by"]
        times = [p["time_ms"] for p in placements]
        assert pixel["now_ms"] >= times[0] > times[1] > times[2] > (time.time() - 60) * 1000
        assert asked_ms - 1000 < pixel["now_ms"] < answered_ms + 1000
    newest = api.pixel(10, 10)
    assert newest["placements"] == placements[:1] and newest["next"] == seqs[1]
    older = api.pixel(10, 10, f"?history=1&before={seqs[1]}")
    assert older["placements"] == placements[1:2] and older["next"] == seqs[0] and older["color"] == 5
    assert api.pixel(10, 10, "?history=0")["placements"] == []
    # The seq of another pixel's placement leads nowhere.
    assert api.pixel(11, 10, f"?before={seqs[1]}")["placements"] == []


def test_pixel_headers_and_refusals(api):
    reply = http.get(api.gateway.address, "/api/v1/pixel/1/1")
    assert reply.headers["cache-control"] == "public, max-age=1" and reply.headers["access-control-allow-origin"] == "*"
    for path in ("300/0", "0/200", "-1/0", "01/0", "1", "1/", "1/2/3", "a/b", "1.0/2", "65536/1"):
        assert api.get(f"/api/v1/pixel/{path}")[0] == 404, path
    for query in ("history=33", "history=-1", "history=x", "history=", "before=-1", "before=4294967296", "history=1e1"):
        assert api.get(f"/api/v1/pixel/1/1?{query}")[0] == 400, query
    assert api.get("/api/v1/pixel/1/1?else=1&history=2&history=x")[0] == 200
    assert http.request(api.gateway.address, "POST", "/api/v1/pixel/1/1").status == 405
    assert http.request(api.gateway.address, "HEAD", "/api/v1/pixel/1/1").body == b""


def test_lookups_of_an_address_are_limited(api):
    ask = lambda: http.get(api.tight.address, "/api/v1/pixel/1/1", source="127.0.0.21")  # noqa: E731
    began = time.monotonic()
    answers = [ask() for _ in range(40)]
    took = time.monotonic() - began
    passed, refused = [a for a in answers if a.status == 200], [a for a in answers if a.status == 429]
    assert [a.status for a in answers[:16]] == [200] * 16
    assert len(passed) + len(refused) == 40 and len(passed) <= 16 + 2 * took + 1
    while not refused:  # a machine that was so slow that the bucket was refilled meanwhile
        assert time.monotonic() < began + 60
        refused = [a for a in (ask() for _ in range(40)) if a.status == 429]
    assert int(refused[0].headers["retry-after"]) >= 1 and refused[0].headers["cache-control"] == "no-store"
    wait_until(lambda: ask().status == 200, 20, "the bucket refills")


def test_history_that_is_longer_than_the_answer(api):
    """Far more placements than are listed: from Redis, as shards write them."""
    users = [api.gateway.session() for _ in range(40)]

    async def all_of_them():
        async def one(session, color):
            async with Client(api.gateway.ws_url, session.token) as client:
                assert (await client.draw(20, 20, color)).code is Verdict.PLACED

        await asyncio.gather(*(one(session, 1 + i % 31) for i, session in enumerate(users)))

    asyncio.run(all_of_them())
    first = api.pixel(20, 20, "?history=32")
    rest = api.pixel(20, 20, f"?history=32&before={first['next']}")
    assert len(first["placements"]) == 32 and len(rest["placements"]) == 8 and rest["next"] == 0
    seqs = [p["seq"] for p in first["placements"] + rest["placements"]]
    assert seqs == sorted(set(seqs), reverse=True) and len(seqs) == 40
    assert len({p["by"] for p in first["placements"] + rest["placements"]}) == 40


# ---- Names --------------------------------------------------------------------------------------------------------------


def test_everybody_has_a_name(api):
    session = api.gateway.session()
    status, me, _ = api.me(session)
    assert status == 200 and me == {
        "user": f"{session.user:016x}", "kind": "guest", "name": me["name"], "chosen": False, "change_in_s": 0}
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+ \d{1,5}", me["name"])
    assert api.me(session, gateway=api.slow)[1] == me
    assert http.get(api.gateway.address, "/api/v1/me").status == 401
    assert http.get(api.gateway.address, "/api/v1/me", {"Authorization": "Bearer t1.x.y.z"}).status == 401


def test_choosing_a_name(api):
    ann, bob = api.player(30, 30), api.player(31, 30)
    generated = api.me(ann)[1]["name"]
    assert api.rename(ann, "Añna Lena-7") == (200, {**api.me(ann)[1], "name": "Añna Lena-7", "chosen": True, "change_in_s": 0})
    assert api.pixel(30, 30, gateway=api.slow)["placements"][0]["by"] == "Añna Lena-7"
    # Another with a look-alike, also after she has given it up; she may have it back.
    for name in ("anna lena 7", "AÑNA.LENA.7", "annaLena7"):
        assert api.rename(bob, name)[0] == 409, name
    assert api.rename(ann, "Bea")[0] == 200
    assert api.rename(bob, "Anna-Lena 7")[1]["error"] == "name_taken"
    assert api.rename(ann, "anna lena 7")[0] == 200 and api.rename(ann, "ANNA lena 7")[0] == 200
    assert api.rename(ann, None) == (200, {**api.me(ann)[1], "name": generated, "chosen": False})
    assert api.rename(bob, "Мария")[0] == 200 and api.rename(bob, "さくら")[0] == 200 and api.rename(bob, "سارة")[0] == 200


def test_names_that_cannot_be(api):
    ann = api.player(32, 30)
    for vector in json.loads((ROOT / "proto/vectors/names.json").read_text())["refused"]:
        status, answer = api.rename(ann, vector["name"])
        if vector["reason"] == "reserved":
            assert (status, answer["error"]) == (409, "name_taken"), vector
        else:
            assert (status, answer["error"], answer["reason"]) == (400, "bad_name", vector["reason"]), vector
    assert api.rename(ann, "an\0na")[0] == 400
    for body in ("", "{}", "[]", '{"name":1}', '{"name":"anna","x":1}', "{", '{"name":"a","name":"anna"}', b'{"name":"\xff\xfe\xfd"}'):
        status, answer, _ = api.me(ann, "PUT", body)
        assert (status, answer["error"]) == (400, "bad_request"), body
    assert api.me(ann, "PUT", json.dumps({"name": "a<b>c"}))[1]["reason"] == "character"


def test_name_only_after_a_placement_and_not_too_often(api):
    ann = api.gateway.session()
    assert (api.rename(ann, "Early Bird")[0], api.rename(ann, "Early Bird")[1]["error"]) == (403, "no_placement")
    api.draw(ann, 33, 30, 2)
    status, me = api.rename(ann, "Late Bird", api.slow)
    assert status == 200 and 86000 < me["change_in_s"] <= 86400
    status, answer, headers = api.me(ann, "PUT", '{"name":"Later Bird"}', api.slow)
    assert (status, answer["error"]) == (429, "too_soon") and 86000 < int(headers["retry-after"]) <= 86400
    assert api.rename(ann, "Late Bird", api.slow)[0] == 200


def test_names_without_a_cooldown_are_bounded_and_end(make_cluster):
    """Nothing has to be placed for them there, so a script could have any number."""
    cluster = make_cluster(shards=1, gateways=0, cooldown="0")
    gateway = cluster.add_gateway()
    gateway.proc.argv += ["--names-per-hour=5", "--session-life=10h", "--name-wait=0"]
    gateway.start()
    redis = cluster.redis.client

    def ask(session, method, body=None):
        return http.request(gateway.address, method, "/api/v1/me", {"Authorization": f"Bearer {session.token}"}, body)

    sessions = [gateway.session() for _ in range(4)]
    for number, session in enumerate(sessions[:3]):
        assert ask(session, "PUT", json.dumps({"name": f"Script {'abc'[number]}"})).status == 200
    keys = redis.keys("{u:*}:n:*") + redis.keys("{n:*}")
    life_s = 10 * 3600 + 30 * 86400
    assert len(keys) == 6 and all(life_s - 60 < redis.ttl(key) <= life_s for key in keys)
    assert ask(sessions[0], "DELETE").status == 204
    assert redis.ttl(f"{{u:{sessions[0].user % 64}}}:n:{sessions[0].user:016x}") == -1  # for good
    assert ask(sessions[1], "PUT", '{"name":"Script D"}').status == 200
    for method in ("PUT", "DELETE"):
        reply = ask(sessions[3], method, '{"name":"Script E"}' if method == "PUT" else None)
        assert reply.status == 429 and 3500 < int(reply.headers["retry-after"]) <= 3600
    assert json.loads(ask(sessions[3], "GET").body)["chosen"] is False


def test_two_who_want_one_name(api):
    """Through two gateways at once: one has it, whoever that is, and Redis says the same."""
    players = [api.player(34 + i, 30) for i in range(6)]

    async def choose():
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(None, api.rename, p, "Wanted", (api.gateway, api.slow)[i % 2]) for i, p in enumerate(players)]
        return [status for status, _ in await asyncio.gather(*jobs)]

    statuses = asyncio.run(choose())
    assert sorted(statuses) == [200] + [409] * 5
    holder = api.cluster.redis.client.get("{n:vvanted}")
    assert int.from_bytes(holder, "little") == players[statuses.index(200)].user


def test_pages_of_others_may_not_write(api):
    ann = api.player(40, 30)
    for method in ("PUT", "DELETE"):
        assert api.me(ann, method, '{"name":"Mallory"}' if method == "PUT" else None, Origin="https://evil.example")[0] == 403
    assert api.me(ann)[1]["chosen"] is False


# ---- Erasing ------------------------------------------------------------------------------------------------------------


def test_erasing(api):
    ann, bob = api.player(50, 50, 7), api.player(51, 50)
    assert api.rename(ann, "Erasable")[0] == 200

    async def connected_meanwhile():
        async with Client(api.slow.ws_url, ann.token) as client:
            loop = asyncio.get_running_loop()
            status, _, headers = await loop.run_in_executor(None, api.me, ann, "DELETE")
            assert status == 204 and "content-length" not in headers
            assert headers["set-cookie"].startswith("tessera_session=; ") and "Max-Age=0" in headers["set-cookie"]
            await asyncio.wait_for(client.socket.wait_closed(), 10)
            assert client.socket.close_code == 4007
        with pytest.raises(Exception):
            async with Client(api.gateway.ws_url, ann.token) as client:
                pass

    asyncio.run(connected_meanwhile())
    for gateway in (api.gateway, api.slow):
        assert api.me(ann, gateway=gateway)[0] == 401 and api.rename(ann, "Anything", gateway)[0] == 401
        placement = api.pixel(50, 50, gateway=gateway)["placements"][0]
        assert placement["erased"] is True and re.fullmatch(r"erased-[0-9a-f]{8}", placement["by"]) and placement["color"] == 7
    assert api.me(ann, "DELETE")[0] == 401
    assert api.rename(bob, "erasable")[0] == 409
    assert int.from_bytes(api.cluster.redis.client.get("{n:erasable}"), "little") == 0
    assert 29 < api.cluster.redis.client.ttl("{n:erasable}") / 86400 <= 30
    # A new start, by whoever still has the token of the erased one.
    reply = http.request(api.gateway.address, "POST", "/api/v1/session?fresh", {"Authorization": f"Bearer {ann.token}"})
    assert reply.status == 200 and int(json.loads(reply.body)["user"], 16) != ann.user


# ---- Pictures -----------------------------------------------------------------------------------------------------------


def region(api, query, gateway=None, source=None):
    return http.get((gateway or api.gateway).address, f"/api/v1/region.png?{query}", source=source)


def test_region_is_the_canvas(api):
    api.player(255, 100, 5)
    api.player(256, 101, 6)  # of the next tile
    colors = [tuple(bytes.fromhex(c["rgb"][1:])) for c in api.gateway.canvas()["palette"]]
    reply = region(api, "x=254&y=99&w=4&h=4&scale=3")
    assert reply.status == 200 and reply.headers["content-type"] == "image/png"
    assert reply.headers["access-control-allow-origin"] == "*" and reply.headers["cache-control"] == "public, max-age=1"
    picture = decode(reply.body)
    assert (picture.width, picture.height) == (12, 12)
    seen = picture.indices(colors)
    expected = {(1, 1): 5, (2, 2): 6}
    assert all(seen[y * 12 + x] == expected.get((x // 3, y // 3), 0) for y in range(12) for x in range(12))
    again = http.get(api.gateway.address, "/api/v1/region.png?x=254&y=99&w=4&h=4&scale=3", {"If-None-Match": reply.headers["etag"]})
    assert again.status == 304


def test_region_beyond_the_canvas_is_transparent(api):
    colors = [tuple(bytes.fromhex(c["rgb"][1:])) for c in api.gateway.canvas()["palette"]]
    seen = decode(region(api, f"x=-2&y={HEIGHT - 1}&w=4&h=2").body).indices(colors)
    assert seen[:2] == [None, None] and None not in seen[2:4] and seen[4:] == [None] * 4


def test_region_refusals(api):
    bad = ["x=0&y=0&w=0&h=1", "x=0&y=0&w=513&h=1", "x=0&y=0&w=1", "x=a&y=0&w=1&h=1", "x=0&y=0&w=1&h=1&scale=33", "",
           "x=0&y=0&w=512&h=1&scale=3", "x=300&y=0&w=9&h=9", "x=0&y=-9&w=9&h=9", "x=0&y=0&w=1&h=1&scale=0"]
    for query in bad:
        assert region(api, query).status == 400, query
    assert region(api, "x=0&y=0&w=300&h=200&scale=4").status == 200
    # Each is four lookups, of which an address has sixteen at once and two more every second.
    began = time.monotonic()
    passed = sum(region(api, f"x={i}&y=0&w=9&h=9", api.tight, "127.0.0.22").status == 200 for i in range(12))
    assert 1 <= passed <= 5 + (time.monotonic() - began) / 2


# ---- Previews -----------------------------------------------------------------------------------------------------------


def tags(api, target, gateway=None, **headers):
    reply = http.get((gateway or api.gateway).address, target, headers)
    assert reply.status == 200
    found = re.findall(r'<meta (?:property|name)="((?:og|twitter):[a-z_:]+)" content="([^"]*)">', reply.body.decode())
    return reply, {name: html.unescape(value) for name, value in found}


def test_link_to_a_place_has_its_picture(api):
    reply, og = tags(api, "/?x=100&y=50&zoom=8.5")
    origin = f"http://{api.gateway.address}"
    assert og["og:url"] == f"{origin}/?x=100&y=50&zoom=8" and og["twitter:card"] == "summary_large_image"
    assert og["og:image"].startswith(f"{origin}/api/v1/region.png?")
    picture = decode(http.get(api.gateway.address, og["og:image"][len(origin) :]).body)
    assert (picture.width, picture.height) == (int(og["og:image:width"]), int(og["og:image:height"])) == (1200, 624)
    # Every scale, and the corners of the canvas.
    for zoom in ("0.1", "1", "3", "5.75", "31", "200", "x", "-4"):
        for x, y in ((0, 0), (WIDTH - 1, HEIGHT - 1)):
            image = tags(api, f"/?y={y}&zoom={zoom}&x={x}")[1]["og:image"]
            assert http.get(api.gateway.address, image[len(origin) :]).status == 200, (zoom, image)


def test_link_without_a_place_has_the_canvas(api):
    for target in ("/", "/?x=5", "/?x=5&y=9999", "/?x=%22%3E&y=1", "/?lang=de"):
        assert tags(api, target)[1]["og:image"] == f"http://{api.gateway.address}/api/v1/canvas.png", target


def test_page_with_tags_is_cached_and_packed_like_the_others(api):
    plain = http.get(api.gateway.address, "/?x=1&y=2")
    packed = http.get(api.gateway.address, "/?x=1&y=2", {"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert plain.headers["content-security-policy"].startswith("default-src 'none'")
    same = http.get(api.gateway.address, "/?x=1&y=2", {"If-None-Match": plain.headers["etag"]})
    assert same.status == 304 and same.body == b""
    assert http.get(api.gateway.address, "/?x=1&y=3").headers["etag"] != plain.headers["etag"]
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
    # Each of any number of links is answered with its own tags.
    for x in range(150):
        reply = http.get(api.gateway.address, f"/?x={x}&y=2", {"Accept-Encoding": "gzip"} if x % 2 else {})
        body = gzip.decompress(reply.body) if x % 2 else reply.body
        assert f'content="Tessera at {x}, 2"' in body.decode()
    # Nothing but the tags was put in.
    text = (ROOT / "web/index.html").read_text()
    head, rest = plain.body.decode().split('<meta property="og:type"')
    assert text.startswith(head) and text.endswith(rest[rest.index("</head>") :])


@pytest.mark.parametrize("host", ["a_b", "[", "x:99999", "x:y", "a]b", "::1"])
def test_a_host_that_is_none_gets_into_no_link(api, host):
    reply = http.get(api.gateway.address, "/?x=1&y=2", {"Host": host})
    assert reply.status in (200, 400) and b"og:" not in reply.body


def test_public_origin(api):
    reply, og = tags(api, "/?x=1&y=2", api.tight, Host="elsewhere.example")
    assert og["og:image"].startswith("https://place.example/api/v1/region.png?") and b"elsewhere" not in reply.body
    assert tags(api, "/", Host="friend.example:8080")[1]["og:url"] == "http://friend.example:8080/"


# ---- Heat ---------------------------------------------------------------------------------------------------------------


def test_heat(api):
    """How many placements, tile by tile: here all are younger than a half-life."""

    def heat(gateway):
        answer = http.get(gateway.address, "/api/v1/heat")
        assert answer.status == 200 and answer.headers["cache-control"] == "public, max-age=5"
        body = json.loads(answer.body)
        assert body["half_life_ms"] == 300000
        return {(tx, ty): heat for tx, ty, heat in body["tiles"]}

    api.player(3, 3)
    api.player(299, 199)
    placed = {tile: int(api.cluster.redis.client.hget(f"{{t:{tile[0]}:{tile[1]}}}:meta", "s")) for tile in ((0, 0), (1, 0))}
    for gateway in (api.gateway, api.slow):
        wait_until(lambda: all(heat(gateway).get(tile, 0) > 0.5 * count for tile, count in placed.items()), 20, "the heat is known")
        assert all(heat(gateway)[tile] <= count for tile, count in placed.items())
        tiles = list(heat(gateway).values())
        assert tiles == sorted(tiles, reverse=True) and len(tiles) == 2


# ---- New tiles ----------------------------------------------------------------------------------------------------------


def test_tiles_that_a_client_watches_anew_are_rationed(make_cluster):
    """Whoever moves a full watch about a large canvas gets a burst of 1024 tiles, then 128 a second; nothing is lost."""
    cluster = make_cluster(shards=1, gateways=1, cooldown="1s", width=16384, height=16384)
    gateway = cluster.gateways[0]
    session = gateway.session()
    rounds = [[(x, y) for x in range(64) for y in range(4 * i, 4 * i + 4)] for i in range(5)]

    async def go():
        began = time.monotonic()
        async with Client(gateway.ws_url, session.token, rounds[0]) as client:
            for tiles in rounds[1:]:
                await client.watch(tiles)
            assert (await client.draw(1, 1, 1, timeout=30)).code is Verdict.PLACED
            return time.monotonic() - began, client.errors

    took, errors = asyncio.run(go())
    # 5 x 256 tiles are 256 more than the burst, and 256 have to be left before the draw is read.
    assert took > 3.9 and errors == []
    assert gateway.get("/readyz").status == 200
