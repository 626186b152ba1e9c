"""PROTOCOL.md, part 1.2: the messages of tessera.v1. Pure: bytes in, values out."""

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

SUBPROTOCOL = "tessera.v1"
MASK64 = (1 << 64) - 1


class Verdict(IntEnum):
    PLACED = 0
    COOLDOWN = 1
    STALE = 2
    BAD_COLOR = 3
    OUT_OF_BOUNDS = 4
    READ_ONLY = 5
    OVERLOADED = 6
    UNAVAILABLE = 7
    ALLOWANCE = 8
    LOCKED = 9
    BANNED = 10


class Position(NamedTuple):
    epoch: int = 0
    seq: int = 0


NONE = Position()


# ---- client to gateway -----------------------------------------------------------------------------------------------


def entries(watch):
    """watch: {(tx, ty): Position}."""
    return b"".join(struct.pack("<HHIQ", tx, ty, pos.seq, pos.epoch) for (tx, ty), pos in watch.items())


def hello(connection, watch):
    return struct.pack("<BBHQ", 0x01, 0, len(watch), connection) + entries(watch)


def draw(x, y, color, nonce):
    return struct.pack("<BBHHI", 0x02, color, x, y, nonce)


def watch_tiles(watch):
    return struct.pack("<BBH", 0x03, 0, len(watch)) + entries(watch)


def resume(watch):
    return struct.pack("<BBH", 0x04, 0, len(watch)) + entries(watch)


FIRST_COUNTED = 2**31 + 1  # the first nonce of a client that counts for itself, with cooldown 0


# ---- gateway to client -----------------------------------------------------------------------------------------------


class Welcome(NamedTuple):
    flags: int
    edge: int
    version: int
    width: int
    height: int
    cooldown_ms: int
    next_nonce: int
    wait_ms: int
    online: int
    user: int


class Answer(NamedTuple):
    code: Verdict
    x: int
    y: int
    nonce: int
    next_nonce: int
    wait_ms: int
    seq: int


class Tile(NamedTuple):
    tile: tuple
    first: int
    previous: int  # epoch of the placement before `first`
    epoch: int
    updates: list  # of (offset, color)


class Snapshot(NamedTuple):
    tile: tuple
    pos: Position
    checksum: int
    colors: bytes


class Status(NamedTuple):
    flags: int
    online: int


class Config(NamedTuple):
    flags: int
    edge: int
    version: int
    width: int
    height: int
    cooldown_ms: int


class Move(NamedTuple):
    delay_ms: int


class Error(NamedTuple):
    code: int


class Announcement(NamedTuple):
    text: str


class Palette(NamedTuple):
    colors: list  # of (name, (r, g, b))


WATCH_LIMIT = 1
TILE_UNAVAILABLE = 2


def _welcome(msg):
    return Welcome(*struct.unpack("<xBHIIIIIIIQ", msg))


def _verdict(msg):
    code, x, y, reserved, nonce, next_nonce, wait_ms, seq = struct.unpack("<xBHHHIIII", msg)
    assert reserved == 0
    return Answer(Verdict(code), x, y, nonce, next_nonce, wait_ms, seq)


def _tile(msg):
    flags, tx, ty, count, first, epoch = struct.unpack_from("<xBHHHIQ", msg)
    assert flags in (0, 1) and 1 <= count <= 8192 and first >= 1
    at, previous = 20, epoch
    if flags & 1:
        (previous,) = struct.unpack_from("<Q", msg, at)
        at += 8
    assert len(msg) == at + 3 * count
    return Tile((tx, ty), first, previous, epoch, list(struct.iter_unpack("<HB", msg[at:])))


def _snapshot(msg):
    encoding, tx, ty, reserved, seq, epoch, checksum = struct.unpack_from("<xBHHHIQQ", msg)
    assert encoding in (0, 1) and reserved == 0
    colors = bytes(msg[28:])
    return Snapshot((tx, ty), Position(epoch, seq), checksum, zlib.decompress(colors) if encoding else colors)


def _announcement(msg):
    (length,) = struct.unpack_from("<H", msg, 2)
    assert len(msg) == 4 + length <= 504
    return Announcement(bytes(msg[4:]).decode())


def _palette(msg):
    (count,) = struct.unpack_from("<H", msg, 2)
    colors, at = [], 4
    for _ in range(count):
        r, g, b, length = msg[at : at + 4]
        colors.append((bytes(msg[at + 4 : at + 4 + length]).decode(), (r, g, b)))
        at += 4 + length
    assert at == len(msg)
    return Palette(colors)


_DECODERS = {
    0x81: _welcome,
    0x82: _verdict,
    0x83: _tile,
    0x84: _snapshot,
    0x85: lambda msg: Status(*struct.unpack("<xBxxI", msg)),
    0x86: lambda msg: Config(*struct.unpack("<xBHIIII", msg)),
    0x87: lambda msg: Move(*struct.unpack("<xxxxI", msg)),
    0x88: lambda msg: Error(*struct.unpack("<xB", msg)),
    0x89: _announcement,
    0x8A: _palette,
}


def decode(msg):
    """One message of a gateway. An unknown type or a wrong length is an error of the gateway, and raises."""
    return _DECODERS[msg[0]](msg)


# ---- checksums -------------------------------------------------------------------------------------------------------


def mix64(offset, color):
    """The share of one pixel in its tile's checksum (common/core/mix.h)."""
    if color == 0:
        return 0
    x = offset << 8 | color
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK64
    return x ^ x >> 31


def checksum(colors):
    return sum(mix64(offset, color) for offset, color in enumerate(colors) if color) & MASK64


# ---- replicas --------------------------------------------------------------------------------------------------------


class Replica:
    """A tile as a client has it, kept by the rule of positions."""

    def __init__(self, edge):
        self.pos = NONE
        self.colors = bytearray(edge * edge)

    def load(self, snapshot):
        assert len(snapshot.colors) <= len(self.colors)
        assert checksum(snapshot.colors) == snapshot.checksum, f"checksum of the snapshot of {snapshot.tile}"
        self.colors[:] = snapshot.colors.ljust(len(self.colors), b"\0")
        self.pos = snapshot.pos

    def apply(self, tile):
        """True when the frame was applied or is known already, False for a gap: then RESUME."""
        last = tile.first + len(tile.updates) - 1
        skip = 0
        if tile.epoch == self.pos.epoch:
            if last <= self.pos.seq:
                return True
            if tile.first > self.pos.seq + 1:
                return False
            skip = self.pos.seq + 1 - tile.first
        elif (tile.previous, tile.first - 1) != self.pos:
            return False
        for offset, color in tile.updates[skip:]:
            self.colors[offset] = color
        self.pos = Position(tile.epoch, last)
        return True
