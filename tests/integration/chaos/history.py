"""What the players did, draw by draw, and the comparison with what lies in Redis.

Every draw is one of its kind (user, pixel, color), so that it can be counted in the streams. A draw ends as acknowledged,
refused, or unknown; an acknowledged one has to be there once, within the position it was acknowledged with; a refused one
must not be there; an unknown one may be there once.
"""

import zlib
from collections import Counter, defaultdict
from typing import NamedTuple

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


class Report(NamedTuple):
    acknowledged: int
    lost: list
    doubled: list
    ghosts: list  # refused, and there
    misplaced: list  # acknowledged with a position that does not contain them
    strangers: list  # nobody drew them
    false_views: list  # a client at some position showed other pixels than the stream has at it

    def problems(self):
        named = [(name, getattr(self, name)) for name in self._fields[1:]]
        return [f"{len(found)} {name}: {found[:4]}" for name, found in named if found]


class History:
    def __init__(self):
        self.draws = {}  # (user, x, y, color) -> (outcome, seq)
        self.invoked = {}  # the same -> when it was first sent, by the loop's clock
        self.ended = {}
        self.journal = Counter(), Counter(), set()  # of acknowledged, of unknown draws; (connection, nonce) that came to an end
        self.verdicts = Counter()  # every verdict that a player got
        self.looks = defaultdict(list)  # tile -> [(position, crc32 of the pixels, where)]: what clients saw at some moment
        self.phantoms = 0  # of these, those of updates that were on the bus and never on the disk
        self.repeats = 0  # draws sent again with the same nonce
        self.latency = []  # (invoked at, ended at) of acknowledged draws, seconds of the loop's clock
        self.anomalies = []  # verdicts that no fault explains

    def end(self, invoked, now, user, what, outcome, seq=0):
        key = (user, *what)
        assert key not in self.draws, f"draw {key} is not one of its kind"
        self.draws[key] = (outcome, seq)
        self.invoked[key], self.ended[key] = invoked, now

    def look(self, tile, pos, colors, where):
        """Keeps what somebody showed of a tile, to be compared with the streams at the end."""
        self.looks[tile].append((pos, zlib.crc32(colors), where))

    def acknowledged(self):
        return sum(1 for outcome, _ in self.draws.values() if outcome is ACKNOWLEDGED) + sum(self.journal[0].values())

    def read_journal(self, path):
        """What tessera-load did. Its draws may be of the same kind, but then of one user: they are counted."""
        acknowledged, unknown, ended = self.journal
        if not path.exists():
            return
        with open(path) as journal:
            for line in journal:
                what, _, user, connection, nonce, x, y, color, _, _ = line.split()
                draw, one = (int(user, 16), int(x), int(y), int(color)), (connection, nonce)
                if what == "acknowledged" and one not in ended:
                    acknowledged[draw] += 1
                    ended.add(one)
                elif what == "unknown" and one not in ended:
                    unknown[draw] += 1
                    ended.add(one)

    def compare(self, canvas):
        edge = canvas.edge
        placements = canvas.all_placements()
        counted = Counter((p.user, p.tile, p.offset, p.color) for p in placements)
        landed_at = {(p.user, p.tile, p.offset, p.color): p.seq for p in placements}
        report = Report(self.acknowledged(), [], [], [], [], [], [])
        for draw, (outcome, seq) in self.draws.items():
            user, x, y, color = draw
            tile = (x // edge, y // edge)
            name = (user, tile, (y % edge) * edge + x % edge, color)
            count = counted.pop(name, 0)
            if count > 1:
                report.doubled.append(draw)
            if outcome is ACKNOWLEDGED and count == 0:
                report.lost.append(draw)
            elif outcome is REFUSED and count:
                report.ghosts.append(draw)
            elif outcome is ACKNOWLEDGED and not landed_at[name] <= seq <= canvas.positions[tile].seq:
                report.misplaced.append((draw, seq, landed_at[name]))
        acknowledged, unknown, _ = self.journal
        for draw in set(acknowledged) | set(unknown):
            user, x, y, color = draw
            count = counted.pop((user, (x // edge, y // edge), (y % edge) * edge + x % edge, color), 0)
            if count < acknowledged[draw]:
                report.lost.append(draw)
            elif count > acknowledged[draw] + unknown[draw]:
                report.doubled.append(draw)
        report.strangers.extend(counted)
        for tile, looks in self.looks.items():
            report.false_views.extend(self._false_views(tile, looks, canvas.placements[tile], edge))
        return report

    def _false_views(self, tile, looks, placements, edge):
        colors, seq = bytearray(edge * edge), 0
        for pos, crc, where in sorted(looks):
            if pos.seq > len(placements) or pos.epoch != (placements[pos.seq - 1].epoch if pos.seq else 0):
                self.phantoms += 1
                continue
            while seq < pos.seq:
                colors[placements[seq].offset] = placements[seq].color
                seq += 1
            if zlib.crc32(colors) != crc:
                yield tile, pos, where
