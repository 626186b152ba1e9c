"""The checker catches what it is there for: a canvas as REDIS.md has it passes, and each thing spoilt in it is found."""

import random
import struct

import pytest
from tessera.checker import Bad, Canvas, History, Placement
from tessera.protocol import Position, Verdict, checksum

EDGE = 64
USERS = [0xA1, 0xB2]
COOLDOWN_MS = 1000


class Store:
    """As much of a Redis as Canvas.read asks for, filled with one tile that has three entries of two placements."""

    def __init__(self):
        rng = random.Random(5)
        self.config = {"width": 64, "height": 64, "edge": EDGE, "cooldown_ms": COOLDOWN_MS, "user_groups": 64}
        self.config["palette"] = "white=#FFFFFF,black=#000000,red=#FF0000"
        self.px, self.last, self.log, self.records = bytearray(EDGE * EDGE), [0] * (EDGE * EDGE), [], {}
        seq = 0
        for entry in range(3):
            columns = {"u": b"", "w": b"", "c": b"", "q": b""}
            first, epoch, time_ms = seq + 1, 100 + entry // 2, 5000 + entry * COOLDOWN_MS
            for user in USERS:
                seq += 1
                offset, color = rng.randrange(4), 1 + rng.randrange(2)
                columns["u"] += struct.pack("<HB", offset, color)
                columns["w"] += struct.pack("<Q", user)
                columns["c"] += bytes([self.px[offset]])
                columns["q"] += struct.pack("<I", self.last[offset])
                self.px[offset], self.last[offset] = color, seq
                record = (1, color, offset % EDGE, offset // EDGE, 0, entry + 1, seq, time_ms)
                self.records[user] = bytearray(struct.pack("<BBHHHIIQ", *record))
            fields = {"l": b"1", "e": b"%d" % epoch, "t": b"%d" % time_ms, "f": b"%d" % first, **columns}
            self.log.append((b"%d-0" % seq, {name.encode(): value for name, value in fields.items()}))
        self.meta = {b"e": b"103", b"p": b"101", b"s": b"6", b"ks": b"6", b"k": b"%016x" % checksum(self.px)}

    # What Canvas.read calls.

    def hgetall(self, key):
        assert key in ("{cluster}:config", "{t:0:0}:meta")
        return {k.encode(): str(v).encode() for k, v in self.config.items()} if "config" in key else self.meta

    def scan_iter(self, match, count):
        return [b"{u:%d}:%016x" % (user % 64, user) for user in self.records]

    def get(self, key):
        return bytes(self.records[int(key.decode().split(":")[2], 16)])

    def pipeline(self, transaction):
        assert transaction
        return Pipe(self)

    def canvas(self):
        return Canvas.read(self)


class Pipe:
    def __init__(self, store):
        self.store = store
        self.out = []

    def hgetall(self, key):
        self.out.append(self.store.hgetall(key))
        return self

    def get(self, key):
        last = struct.pack(f">{EDGE * EDGE}I", *self.store.last)
        self.out.append({"px": bytes(self.store.px).rstrip(b"\0"), "last": last.rstrip(b"\0")}[key.split(":")[-1]])
        return self

    def xrange(self, key):
        assert key == "{t:0:0}:log"
        self.out.append(self.store.log)
        return self

    def execute(self):
        return self.out


def field(store, entry, name):
    return store.log[entry][1][name]


def put(store, entry, name, value):
    store.log[entry][1][name] = value


SPOILT = {
    "a pixel without a placement": lambda s: s.px.__setitem__(9, 1),
    "a placement without its pixel": lambda s: s.px.__setitem__(s.last.index(6), 0),
    "a wrong last seq": lambda s: s.last.__setitem__(s.last.index(6), 5),
    "a last seq where nothing was placed": lambda s: s.last.__setitem__(9, 5),
    "an entry that is missing": lambda s: s.log.pop(1),
    "an entry that is there twice": lambda s: s.log.insert(1, s.log[0]),
    "the last entry missing": lambda s: s.log.pop(),
    "a wrong entry id": lambda s: s.log.__setitem__(0, (b"3-0", s.log[0][1])),
    "a wrong first seq": lambda s: put(s, 1, b"f", b"4"),
    "an epoch that goes back": lambda s: put(s, 2, b"e", b"99"),
    "a wrong previous color": lambda s: put(s, 2, b"c", bytes(b ^ 1 for b in field(s, 2, b"c"))),
    "a wrong link": lambda s: put(s, 2, b"q", b"\x07" + field(s, 2, b"q")[1:]),
    "a column too short": lambda s: put(s, 2, b"c", field(s, 2, b"c")[:1]),
    "a color outside the palette": lambda s: put(s, 2, b"u", field(s, 2, b"u")[:5] + b"\x03"),
    "a position behind": lambda s: s.meta.__setitem__(b"s", b"5"),
    "a position of another epoch": lambda s: s.meta.__setitem__(b"p", b"100"),
    "an epoch below the last placement's": lambda s: s.meta.__setitem__(b"e", b"100"),
    "a wrong checksum": lambda s: s.meta.__setitem__(b"k", b"%016x" % 7),
    "a cooldown undercut": lambda s: put(s, 2, b"t", b"6999"),
    "a record of an earlier placement": lambda s: s.records[USERS[0]].__setitem__(slice(12, 16), struct.pack("<I", 3)),
    "a record with a wrong nonce": lambda s: s.records[USERS[0]].__setitem__(8, 9),
    "a record that is missing": lambda s: s.records.pop(USERS[1]),
}


def check(store):
    canvas = store.canvas()
    canvas.check_users()
    return canvas


def test_a_right_canvas_passes():
    canvas = check(Store())
    assert canvas.positions[0, 0] == (101, 6)
    assert len(canvas.all_placements()) == 6


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt(what):
    store = Store()
    SPOILT[what](store)
    with pytest.raises(Bad):
        check(store)


class Log:
    """Just placements, for History."""

    def __init__(self, placements):
        self.edge = EDGE
        self.positions = {(0, 0): Position(101, len(placements))}
        self.placements = placements

    def all_placements(self):
        return self.placements


def test_history():
    placed = [Placement((0, 0), seq, 100, 5000, seq, 1, 7) for seq in (1, 2, 3)]

    def saw(*draws):
        out = History()
        for offset, outcome, seq in draws:
            out.add(7, offset, 0, 1, outcome, seq)
        return out

    right = [(1, Verdict.PLACED, 1), (2, None, 0), (3, Verdict.PLACED, 3), (4, Verdict.COOLDOWN, 0), (5, None, 0)]
    saw(*right).check(Log(placed))
    for what, draws, log in (
        ("lost", [*right, (6, Verdict.PLACED, 3)], placed),
        ("applied twice", right, [*placed, placed[0]._replace(seq=4)]),
        ("refused draws were applied", [(1, Verdict.COOLDOWN, 0), *right[1:]], placed),
        ("do(es)? not contain", [(1, Verdict.PLACED, 0), *right[1:]], placed),
        ("do(es)? not contain", [(1, Verdict.PLACED, 4), *right[1:]], placed),
        ("nobody drew", right[1:], placed),
    ):
        with pytest.raises(Bad, match=what):
            saw(*draws).check(Log(log))
