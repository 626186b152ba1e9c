"""REDIS.md, read and checked: the streams are replayed and compared with everything else that is stored.

What this asks of a canvas at rest: the numbers of each tile are dense; the streams, replayed, are the pixels; each pixel's
last seq and the links from record to record are right; epochs only grow; position, checksum and users' records agree with
the streams; no user placed twice within a cooldown. What the clients saw is compared by `History`.
"""

import struct
from collections import Counter, defaultdict
from typing import NamedTuple

from .protocol import MASK64, Position, Verdict, mix64


class Placement(NamedTuple):
    tile: tuple
    seq: int
    epoch: int
    time_ms: int
    offset: int
    color: int
    user: int


class TileRecord(NamedTuple):
    tile: tuple
    meta: dict
    px: bytes
    last: bytes
    log: list


class Bad(AssertionError):
    """The canvas breaks a promise."""


def need(condition, text):
    if not condition:
        raise Bad(text)


class Canvas:
    """One reading of all of Redis. `placements` is {tile: [Placement]} in the order of the seqs."""

    @classmethod
    def read(cls, redis):
        config = {k.decode(): v for k, v in redis.hgetall("{cluster}:config").items()}
        width, height, edge = (int(config[name]) for name in ("width", "height", "edge"))
        tiles = {}
        for ty in range((height + edge - 1) // edge):
            for tx in range((width + edge - 1) // edge):
                tiles[tx, ty] = _read_tile(redis, tx, ty)
        records = {}
        for key in redis.scan_iter("{u:*", count=10000):
            group, user = key.decode()[3:].split("}:")
            need(int(user, 16) % int(config["user_groups"]) == int(group), f"user {user} in group {group}")
            records[int(user, 16)] = redis.get(key)
        return cls(config, tiles, records)

    def __init__(self, config, tiles, records):
        self.width, self.height, self.edge = (int(config[name]) for name in ("width", "height", "edge"))
        self.cooldown_ms = int(config["cooldown_ms"])
        self.palette = [color.split(b"=")[0].decode().strip() for color in config["palette"].split(b",")]
        self.tiles = tiles
        self.records = records
        self.placements = {}
        self.colors = {}
        self.positions = {}
        for tile in tiles.values():
            self._replay(tile)

    def _replay(self, record):
        """Replays the stream of one tile and compares it with what is stored beside it."""
        tile, size = record.tile, self.edge * self.edge
        colors, last, out = bytearray(size), [0] * size, []
        seq, epoch, checksum = 0, 0, 0
        for entry_id, fields in record.log:
            where = f"tile {tile}, entry {entry_id.decode()}"
            need(fields[b"l"] == b"1", f"{where}: layout {fields[b'l']}")
            first, entry_epoch, time_ms = int(fields[b"f"]), int(fields[b"e"]), int(fields[b"t"])
            updates = list(struct.iter_unpack("<HB", fields[b"u"]))
            users = struct.unpack(f"<{len(updates)}Q", fields[b"w"])
            before = fields[b"c"]
            links = struct.unpack(f"<{len(updates)}I", fields[b"q"])
            need(len(before) == len(updates) > 0, f"{where}: columns of different length")
            need(first == seq + 1, f"{where}: starts at {first} after {seq}")
            need(entry_id == b"%d-0" % (first + len(updates) - 1), f"{where}: covers {first} + {len(updates)}")
            need(entry_epoch >= epoch, f"{where}: epoch {entry_epoch} after {epoch}")
            epoch = entry_epoch
            for (offset, color), user, old, link in zip(updates, users, before, links):
                seq += 1
                need(old == colors[offset], f"{where}: seq {seq} says color {old} was there, it was {colors[offset]}")
                need(link == last[offset], f"{where}: seq {seq} links to {link}, the last there was {last[offset]}")
                need(color < len(self.palette), f"{where}: color {color}")
                checksum += mix64(offset, color) - mix64(offset, old)
                colors[offset], last[offset] = color, seq
                out.append(Placement(tile, seq, entry_epoch, time_ms, offset, color, user))
        self._compare(record, colors, last, Position(epoch, seq), checksum & MASK64)
        self.placements[tile], self.colors[tile] = out, bytes(colors)
        self.positions[tile] = Position(epoch, seq)

    def _compare(self, record, colors, last, pos, checksum):
        tile, meta = record.tile, record.meta
        need(len(record.px) <= len(colors), f"tile {tile}: {len(record.px)} bytes of pixels")
        wrong = [i for i, color in enumerate(record.px.ljust(len(colors), b"\0")) if color != colors[i]]
        need(not wrong, f"tile {tile}: {len(wrong)} pixels differ from the stream, offsets {wrong[:8]}")
        stored = struct.unpack(f">{len(last)}I", record.last.ljust(4 * len(last), b"\0"))
        wrong = [i for i, seq in enumerate(stored) if seq != last[i]]
        need(not wrong, f"tile {tile}: {len(wrong)} last seqs differ from the stream, offsets {wrong[:8]}")
        if not meta:
            need(pos.seq == 0, f"tile {tile}: a stream and no position")
            return
        stored = Position(int(meta.get(b"p", 0)), int(meta.get(b"s", 0)))
        need(stored == pos, f"tile {tile}: position {stored}, the stream ends at {pos}")
        need(int(meta[b"e"]) >= pos.epoch, f"tile {tile}: epoch {meta[b'e']} below that of the last placement, {pos.epoch}")
        if b"k" in meta and int(meta[b"ks"]) == pos.seq:
            need(int(meta[b"k"], 16) == checksum, f"tile {tile}: checksum {meta[b'k']}, right is {checksum:016x}")

    def all_placements(self):
        return [placement for tile in self.placements.values() for placement in tile]

    def color_at(self, x, y):
        return self.colors[x // self.edge, y // self.edge][(y % self.edge) * self.edge + x % self.edge]

    def rows(self):
        """The visible pixels, row by row."""
        out = bytearray()
        for y in range(self.height):
            ty, at = y // self.edge, (y % self.edge) * self.edge
            for tx in range((self.width + self.edge - 1) // self.edge):
                out += self.colors[tx, ty][at : at + min(self.edge, self.width - tx * self.edge)]
        return bytes(out)

    def check_users(self):
        """With a cooldown: nobody was faster than it, and each record is of that user's last placement."""
        if self.cooldown_ms == 0:
            return
        by_user = defaultdict(list)
        for placement in self.all_placements():
            by_user[placement.user].append(placement)
        for user, placed in by_user.items():
            placed.sort(key=lambda p: p.time_ms)
            for one, two in zip(placed, placed[1:]):
                gap = two.time_ms - one.time_ms
                need(gap >= self.cooldown_ms, f"user {user:016x}: {gap} ms between {one} and {two}")
            self._check_record(user, placed)

    def _check_record(self, user, placed):
        need(user in self.records, f"user {user:016x} placed and has no record")
        layout, color, x, y, _, nonce, seq, landed = struct.unpack("<BBHHHIIQ", self.records[user])
        final, edge = placed[-1], self.edge
        tile, offset = (x // edge, y // edge), (y % edge) * edge + x % edge
        need(layout == 1 and nonce == len(placed), f"user {user:016x}: nonce {nonce} after {len(placed)} placements")
        same = (final.tile, final.offset, final.color, final.seq, final.time_ms)
        need((tile, offset, color, seq, landed) == same, f"user {user:016x}: record is not of {final}")

    def check_gateway(self, gateway):
        """The whole-canvas form of a gateway is this canvas, positions and all."""
        tiles = gateway.tiles()
        need(set(tiles) == set(self.colors), f"{gateway.proc.name}: tiles {sorted(tiles)}")
        for tile, (pos, colors) in tiles.items():
            need(pos == self.positions[tile], f"{gateway.proc.name}: {tile} at {pos}, Redis at {self.positions[tile]}")
            need(colors == self.colors[tile], f"{gateway.proc.name}: tile {tile} differs from Redis")

    def check_replica(self, tile, replica, who):
        """What a client has of a tile."""
        need(replica.pos == self.positions[tile], f"{who}: {tile} at {replica.pos}, Redis at {self.positions[tile]}")
        need(bytes(replica.colors) == self.colors[tile], f"{who}: tile {tile} differs from Redis")


def _read_tile(redis, tx, ty):
    key = f"{{t:{tx}:{ty}}}"
    pipe = redis.pipeline(transaction=True)
    pipe.hgetall(f"{key}:meta").get(f"{key}:px").get(f"{key}:last").xrange(f"{key}:log")
    meta, px, last, log = pipe.execute()
    return TileRecord((tx, ty), meta, px or b"", last or b"", log)


class History:
    """What clients did, draw by draw, against what the streams hold. Every draw of a test is one of its kind (user, pixel,
    color), so that it can be counted. Outcomes: Verdict.PLACED with its seq, another Verdict: refused, None: unknown."""

    def __init__(self):
        self.draws = {}  # (user, x, y, color) -> (outcome, seq)

    def add(self, user, x, y, color, outcome, seq=0):
        key = (user, x, y, color)
        assert key not in self.draws, f"draw {key} is not one of its kind"
        self.draws[key] = (outcome, seq)

    def acknowledged(self):
        return sum(1 for outcome, _ in self.draws.values() if outcome is Verdict.PLACED)

    def check(self, canvas):
        edge = canvas.edge
        placements = canvas.all_placements()
        counted = Counter((p.user, p.tile, p.offset, p.color) for p in placements)
        landed_at = {(p.user, p.tile, p.offset, p.color): p.seq for p in placements}
        lost, doubled, ghosts, misplaced = [], [], [], []
        for draw, (outcome, seq) in self.draws.items():
            user, x, y, color = draw
            tile, offset = (x // edge, y // edge), (y % edge) * edge + x % edge
            name = (user, tile, offset, color)
            count = counted.pop(name, 0)
            if count > 1:
                doubled.append(draw)
            elif outcome is Verdict.PLACED and count == 0:
                lost.append(draw)
            elif outcome not in (None, Verdict.PLACED) and count:
                ghosts.append((draw, outcome))
            elif outcome is Verdict.PLACED and not landed_at[name] <= seq <= canvas.positions[tile].seq:
                misplaced.append((draw, seq, landed_at[name]))
        need(not lost, f"{len(lost)} acknowledged draws are lost: {lost[:5]}")
        need(not doubled, f"{len(doubled)} draws were applied twice: {doubled[:5]}")
        need(not ghosts, f"{len(ghosts)} refused draws were applied: {ghosts[:5]}")
        need(not misplaced, f"{len(misplaced)} draws were acknowledged with a position that does not contain them: {misplaced[:5]}")
        need(not counted, f"{len(counted)} placements that nobody drew: {list(counted)[:5]}")
