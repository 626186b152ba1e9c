"""The last batch is torn off at any byte, again and again on the same file, with batches in between and nothing tidied up by
the test: what was acknowledged stays, and what was half written never comes back, not even at the start after the next.

The mutant `redis without repair` is a Redis as it comes by default, and has to be caught by the same check.
"""

import pathlib
import random
import re
import subprocess

import pytest
from redis_fixture import START, RealRedis, Scripts, check_all
from scripts_fixture import Tile, draw, place, take

TILES = [(0, 0), (1, 0)]
pytestmark = pytest.mark.slow


class Torn:
    """A Redis, drawn on by one owner whose every batch covers both tiles."""

    def __init__(self):
        self.redis = RealRedis()
        self.file = pathlib.Path(self.redis.dir) / "appendonlydir" / "appendonly.aof.1.incr.aof"
        self.batches = self.placed = self.begin = 0
        self.batch()

    def batch(self, names=TILES):
        """Takes the tiles anew, as after every new connection, and places on each. The file says where that begins."""
        scripts, tiles = Scripts(self.redis.client), []
        self.batches += 1
        for tx, ty in names:
            _, epoch, _, seq, *_ = take(scripts, (tx, ty))
            tiles.append(Tile(tx, ty, epoch, seq, [draw(7, 256 * tx + self.batches % 256, 0, 1 + self.batches % 31)]))
        self.begin = self.file.stat().st_size
        assert {status for status, _, _ in place(scripts, tiles)} == {0}
        self.placed += len(tiles)

    def last(self):
        """The bytes of the last batch."""
        return self.file.read_bytes()[self.begin:]

    def tear(self, keep):
        """Redis dies; of the last batch only `keep` bytes were on the disk, so nobody had an answer."""
        self.redis.kill()
        with open(self.file, "r+b") as file:
            file.truncate(self.begin + keep)
        self.placed -= len(TILES)
        self.redis.start()

    def check(self):
        """What is there was placed by a whole batch, and all of those are there."""
        found = check_all(self.redis.client)
        assert sum(map(len, found.values())) == self.placed


@pytest.fixture
def torn():
    torn = Torn()
    yield torn
    torn.redis.close()


def places_to_tear(batch, rng):
    """At, before and behind every command, inside counts and lengths, and somewhere."""
    ends = [found.start() for found in re.finditer(rb"\*\d+\r\n\$", batch)]
    near = {at + step for at in ends for step in (-1, 0, 1, 3)} | {1, len(batch) - 1}
    somewhere = rng.sample(range(1, len(batch)), 12)
    return [at for at in (*sorted(near), *somewhere) if 0 < at < len(batch)]


def tear_again_and_again(torn, places):
    for at in places:
        torn.tear(at)
        torn.check()
        torn.batch()  # appended to whatever the start has left of the torn one; this one stays
        torn.batch()
    torn.redis.restart()
    torn.check()


def test_the_same_file_is_torn_again_and_again(torn, rng):
    places = places_to_tear(torn.last(), rng)
    assert len(places) > 30
    tear_again_and_again(torn, places)
    assert torn.placed == len(TILES) * (len(places) + 1)


def test_torn_at_every_byte(torn, rng):
    """A batch as a shard sends it, and only what the start does before Redis reads the file. A run takes every fourth byte, over
    runs it is every one; test_redis_start.py takes every byte of a shorter batch."""
    torn.batch(TILES[:1])
    torn.redis.kill()
    whole = torn.file.read_bytes()
    before = whole[: torn.begin]
    for end in range(torn.begin + rng.randrange(4), len(whole), 4):
        torn.file.write_bytes(whole[:end])
        ended = subprocess.run([START, torn.redis.dir, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert ended.returncode == 0 and torn.file.read_bytes() == before, (end, ended.stderr)


@pytest.mark.mutant
def test_mutant_redis_without_repair(torn):
    places = places_to_tear(torn.last(), random.Random(1))
    torn.redis.program = ["redis-server", "--dir", torn.redis.dir, "--aof-load-truncated", "yes"]
    with pytest.raises(AssertionError):
        tear_again_and_again(torn, places)
    print("mutant redis-without-repair: caught by the check of the streams, on a real Redis")
