"""The scripts that read or sum up: positions, snapshots, a pixel's history, heat."""

import struct
import time

import pytest

from links import unpack
from ownership import checksum
from redis_fixture import ROOT
from scripts_fixture import DONE, EDGE, FENCED, OWNER, REWOUND, Tile, draw, place, place_one, take
from scripts_fixture import client, scripts, server  # noqa: F401


def test_position_beats(scripts, client):
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 3, 0, 5), draw(1, 4, 0, 255)])
    take(scripts, (1, 0))
    bus = client.pubsub()
    bus.subscribe("{t:0:0}:bus")
    bus.get_message(timeout=10)
    total = checksum(client.get("{t:0:0}:px"))
    reply = scripts.position(["{t:0:0}:meta", "{t:1:0}:meta", "{t:0:0}:meta"],
                             [OWNER, epoch, 2, f"{total:016x}", "{t:0:0}:bus", 5, 0, "0" * 16, "{t:1:0}:bus",
                              epoch, 1, "0" * 16, "{t:0:0}:bus"])
    assert reply == [DONE, FENCED, REWOUND]
    assert client.hmget("{t:0:0}:meta", "k", "ks") == [f"{total:016x}".encode(), b"2"]
    assert unpack(bus.get_message(timeout=10)["data"]) == [2, epoch, 2, struct.pack("<Q", total)]
    assert bus.get_message(timeout=0.05) is None


def test_snapshot(scripts, client):
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [0, 0, b""]
    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 1, 0, 5)])
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [epoch, 1, b"\0\5"]
    later = take(scripts)[1]
    assert later > epoch
    assert scripts.snapshot(["{t:0:0}:meta", "{t:0:0}:px"]) == [epoch, 1, b"\0\5"], "of the placement, not of the taking"


def pixel(scripts, x, y, limit=32, seq=0):
    """(color, seq of the one before the last listed, [(seq, color, user, time)])."""
    tag = f"{{t:{x // EDGE}:{y // EDGE}}}:"
    now, color, before, records = scripts.pixel([tag + "px", tag + "last", tag + "log"], [y % EDGE * EDGE + x % EDGE, limit, seq])
    assert abs(now - time.time() * 1000) < 60000 and len(records) % 21 == 0
    return color, before, [struct.unpack_from("<IBQQ", records, at) for at in range(0, len(records), 21)]


def test_pixel_walks_back(client, scripts):
    epoch = take(scripts)[1]
    assert pixel(scripts, 3, 4) == (0, 0, [])
    # Batches of several pixels, so that the pixel is somewhere inside of its entry; twice in one batch as well.
    place(scripts, [Tile(0, 0, epoch, 0, [draw(1, 9, 9, 1), draw(2, 3, 4, 5), draw(3, 3, 4, 6)])])
    place(scripts, [Tile(0, 0, epoch, 3, [draw(1, 9, 9, 2)])])
    place(scripts, [Tile(0, 0, epoch, 4, [draw(2**64 - 1, 8, 9, 2), draw(4, 3, 4, 7)])])
    color, before, walk = pixel(scripts, 3, 4)
    assert (color, before) == (7, 0)
    assert [record[:3] for record in walk] == [(6, 7, 4), (3, 6, 3), (2, 5, 2)]
    assert walk[0][3] >= walk[1][3] == walk[2][3] > 1.6e12
    assert [record[2] for record in pixel(scripts, 8, 9)[2]] == [2**64 - 1]
    assert pixel(scripts, 3, 4, 0) == (7, 6, [])
    assert [pixel(scripts, 3, 4, 1)[1], pixel(scripts, 3, 4, 2)[1]] == [3, 2]
    assert pixel(scripts, 3, 4, 5, 3)[2] == walk[1:]
    # Not of this pixel, or not there at all: an empty list, which names what it looked for.
    assert pixel(scripts, 3, 4, 5, 1) == (7, 1, [])
    assert pixel(scripts, 3, 4, 5, 99) == (7, 99, [])
    # What an archive took out of the stream ends the walk.
    client.xtrim("{t:0:0}:log", minid="4-0", approximate=False)
    assert [record[0] for record in pixel(scripts, 3, 4)[2]] == [6] and pixel(scripts, 3, 4)[1] == 3


def test_pixel_needs_no_right_to_write(client, scripts):
    take(scripts)
    sha = client.script_load((ROOT / "proto/lua/pixel.lua").read_text())
    assert client.execute_command("EVALSHA_RO", sha, 3, "{t:0:0}:px", "{t:0:0}:last", "{t:0:0}:log", 0, 32, 0)[1:] == [0, 0, b""]


def test_heat_cools_down(client, scripts):
    """Scores are log2 of sums: the difference to now, in half-lives, is what is left."""
    heat = "{cluster}:heat"

    def left(tile):
        seconds, us = client.time()
        return 2 ** (client.zscore(heat, tile) - (seconds * 1000 + us / 1000) / 300000)

    scripts.heat([heat], ["0:0", 100, "1:0", 3])
    assert left("0:0") == pytest.approx(100, rel=0.01) and left("1:0") == pytest.approx(3, rel=0.01)
    scripts.heat([heat], ["0:0", 50])
    assert left("0:0") == pytest.approx(150, rel=0.01)
    # An hour ago: 12 half-lives.
    client.zincrby(heat, -12, "0:0")
    assert left("0:0") == pytest.approx(150 / 4096, rel=0.01)
    scripts.heat([heat], ["0:0", 10])
    assert left("0:0") == pytest.approx(10, rel=0.02)
    client.zincrby(heat, 10**6, "0:0")  # from a clock far ahead: nothing breaks
    scripts.heat([heat], ["0:0", 10])
    assert client.zscore(heat, "0:0") < time.time() / 300 + 65


def test_heat_is_bounded(client, scripts):
    heat = "{cluster}:heat"
    for i in range(0, 5120, 512):
        scripts.heat([heat], [part for k in range(i, i + 512) for part in (f"{k}:0", k + 1)])
    assert client.zcard(heat) == 4096
    assert client.zscore(heat, "5119:0") is not None and client.zscore(heat, "0:0") is None
