"""proto/lua against a real Redis, every KEYS, ARGV and reply as the headers of the scripts say: what test_scripts_*.py share."""

import struct

import pytest

from redis_fixture import RealRedis, Scripts

OWNER = "00000000000000aa"
OTHER = "00000000000000bb"
MEMBERS, CONFIG, GATEWAYS, BUS = "{cluster}:members", "{cluster}:config", "{cluster}:gateways", "{cluster}:bus"
EDGE = 256
DONE, FENCED, REWOUND = 0, 1, 2


@pytest.fixture(scope="module")
def server():
    server = RealRedis()
    yield server
    server.close()


@pytest.fixture
def client(server):
    server.client.flushall()
    return server.client


@pytest.fixture
def scripts(client):
    return Scripts(client)


def take(scripts, tile=(0, 0), owner=OWNER, view=1):
    tag = f"{{t:{tile[0]}:{tile[1]}}}:"
    keys = [tag + what for what in ("meta", "px", "dup0", "dup1", "last", "log")]
    return scripts.take(keys, [owner, "127.0.0.1:1", view])


def draw(user, x, y, color, nonce=1, address=None, connection=0):
    return {"user": user, "x": x, "y": y, "color": color, "nonce": nonce, "address": address, "connection": connection}


def window(nonce, seq, bits=1):
    return struct.pack("<II", nonce, seq) + bits.to_bytes(32, "little")


class Tile:
    def __init__(self, x, y, epoch, base, draws, windows=()):
        self.x, self.y, self.epoch, self.base, self.draws, self.windows = x, y, epoch, base, draws, windows


def place(scripts, tiles, cooldown=0, allowance=0, owner=OWNER):
    """Returns per tile (status, previous colors, [(placed now, code, seq, next nonce, wait)] or None when all were)."""
    keys, users, addresses, body = [], [], [], []

    def number(names, name):
        if name not in names:
            names.append(name)
        return names.index(name) + 1

    for tile in tiles:
        tag = f"{{t:{tile.x}:{tile.y}}}:"
        keys += [tag + what for what in ("meta", "px", "last", "log", "dup0", "dup1")]
        offsets = [d["y"] % EDGE * EDGE + d["x"] % EDGE for d in tile.draws]
        checks = b""
        if cooldown:
            checks = b"".join(struct.pack(
                "<IBHHHH", d["nonce"], d["color"], d["x"], d["y"],
                number(users, f"{{u:{d['user'] % 64}}}:{d['user']:016x}"),
                number(addresses, f"{{a:{d['address']}}}") if d["address"] else 0) for d in tile.draws)
        body += [tile.epoch, tile.base, len(tile.draws), tag + "bus",
                 b"".join(struct.pack("<HB", o, d["color"]) for o, d in zip(offsets, tile.draws)),
                 b"".join(struct.pack("<Q", d["user"]) for d in tile.draws), checks, len(tile.windows)]
        for k, (offset, d) in enumerate(zip(offsets, tile.draws)):
            body += [f"#{offset}", d["color"], tile.base + k + 1]
        for field, value in tile.windows:
            body += [field, value]
    reply = scripts.place(keys + users + addresses, [owner, cooldown, allowance, len(tiles), len(users), *body])
    assert len(reply) == 3 * len(tiles)
    return [(reply[3 * i], reply[3 * i + 1],
             [struct.unpack("<BBIII", reply[3 * i + 2][at:at + 14]) for at in range(0, len(reply[3 * i + 2]), 14)] or None)
            for i in range(len(tiles))]


def place_one(scripts, epoch, base, draws, **options):
    return place(scripts, [Tile(0, 0, epoch, base, draws)], **options)[0]


def dump(client):
    """Everything there is, to see that nothing was written."""
    return {key: client.dump(key) for key in client.keys()}


def join(scripts, address, incarnation):
    return scripts.join([MEMBERS], [address, incarnation, BUS])


def beat(scripts, address, incarnation, lease=2000):
    return scripts.beat([MEMBERS, CONFIG], [address, incarnation, lease, BUS])
