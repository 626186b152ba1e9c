"""A small gateway that speaks part 2 of PROTOCOL.md with shards: routes draws by the view in Redis, keeps their order per tile, and
sends again what came back from NOT_OWNER or a lost link. And a crowd that draws through it."""

import collections
import random
import time

import redis

from links import Link, PLACED, Verdict, draw_bytes, readable
from ownership import EDGE, owner_of, read_view
from redis_fixture import check_all


class Draw:
    def __init__(self, user, x, y, color, nonce, **other):
        self.user, self.x, self.y, self.color, self.nonce, self.other = user, x, y, color, nonce, other
        self.verdict = None
        self.sent = 0  # how often


class Gateway:
    """Draws of a tile are in flight to one shard only, and keep their order."""

    def __init__(self, redis_server, edge=64, in_flight=512):
        self.client = redis.Redis(port=redis_server.port, socket_timeout=0.1)
        self.edge, self.in_flight_max = edge, in_flight
        self.view, self.addresses = 0, []
        self.links = {}
        self.queues = collections.defaultdict(collections.deque)  # tile → draws that wait
        self.flying = {}  # id → (draw, tile, link)
        self.homes = {}  # tile → (link, draws in flight)
        self.retry_at = collections.defaultdict(float)
        self.next_id = random.randrange(1 << 20)
        self.order = {}  # draw → number, to put back what came back in its first order
        self.not_owner = self.lost = 0
        self.reread_at = 0.0
        self._patient = redis_server.client
        self._counted = None

    @property
    def counted(self):
        """What nonces of the tests are short of: with cooldown 0 a client counts from 2^31 + 1."""
        if self._counted is None:
            self._counted = 2**31 if self._patient.hget("{cluster}:config", "cooldown_ms") == b"0" else 0
        return self._counted

    def submit(self, draw):
        self.order[draw] = len(self.order)
        self.queues[draw.x // self.edge, draw.y // self.edge].append(draw)

    def read_view(self):
        if time.monotonic() < self.reread_at:
            return
        self.reread_at = time.monotonic() + 0.01
        try:
            self.view, self.addresses = read_view(self.client)
        except redis.RedisError:  # it is away: the old view goes on
            self.reread_at = time.monotonic() + 0.3

    def _link(self, address):
        link = self.links.get(address)
        if link is None:
            try:
                link = Link(address)
            except (OSError, ConnectionError):
                return None
            self.links[address] = link
        return link

    def _back(self, tile, draws):
        self.queues[tile] = collections.deque(sorted([*draws, *self.queues[tile]], key=self.order.get))
        self.retry_at[tile] = time.monotonic() + 0.01

    def _send(self):
        outgoing = collections.defaultdict(list)
        now = time.monotonic()
        for tile, queue in self.queues.items():
            if not queue or now < self.retry_at[tile]:
                continue
            home = self.homes.get(tile)
            if home and home[1] > 0:
                link = home[0]
            else:
                address = owner_of(self.addresses, *tile)
                link = address and self._link(address)
                if not link:
                    self.retry_at[tile] = now + 0.05
                    self.read_view()
                    continue
                self.homes[tile] = home = [link, 0]
            if home[1] and owner_of(self.addresses, *tile) not in (None, self._address(link)):
                continue  # until what is in flight there has come back
            while queue and len(self.flying) < self.in_flight_max and len(outgoing[link]) < 512:
                draw = queue.popleft()
                draw.sent += 1
                self.next_id = (self.next_id + 1) % (1 << 32)
                self.flying[self.next_id] = (draw, tile, link)
                home[1] += 1
                outgoing[link].append(draw_bytes(self.next_id, draw.user, draw.x, draw.y, draw.color,
                                                 draw.nonce, counted=self.counted, **draw.other))
        for link, draws in outgoing.items():
            if draws:
                link.forward(self.view, draws)

    def _address(self, link):
        return next((address for address, known in self.links.items() if known is link), None)

    def _receive(self, seconds):
        links = [link for link in self.links.values() if link.open]
        if links:
            readable([link.socket for link in links], seconds)
        else:
            time.sleep(seconds)
        back = collections.defaultdict(list)
        for address, link in list(self.links.items()):
            for message in link.poll():
                for answer in link.read(message):
                    if isinstance(answer, Verdict):
                        draw, tile, _ = self.flying.pop(answer.id)
                        assert draw.verdict is None, "answered once"
                        counted = min(self.counted, answer.next_nonce)
                        draw.verdict = answer._replace(next_nonce=answer.next_nonce - counted)
                        self.homes[tile][1] -= 1
                    else:
                        draw, tile, _ = self.flying.pop(answer[1])
                        self.homes[tile][1] -= 1
                        self.not_owner += 1
                        back[tile].append(draw)
                        self.read_view()
            if not link.open:
                del self.links[address]
                for draw_id, (draw, tile, home) in list(self.flying.items()):
                    if home is link:
                        del self.flying[draw_id]
                        self.homes[tile][1] -= 1
                        self.lost += 1
                        back[tile].append(draw)
                self.read_view()
        for tile, draws in back.items():
            self._back(tile, draws)

    def waiting(self):
        return len(self.flying) + sum(len(queue) for queue in self.queues.values())

    def turn(self, seconds=0.005):
        if not self.addresses:
            self.read_view()
        self._send()
        self._receive(seconds)
        for link in self.links.values():
            link.send([7])

    def finish(self, seconds=40.0):
        deadline = time.monotonic() + seconds
        while self.waiting():
            assert time.monotonic() < deadline, f"{self.waiting()} draws are not answered"
            self.turn()

    def place(self, *draws):
        for draw in draws:
            self.submit(draw)
        self.finish()
        return [draw.verdict for draw in draws]

    def close(self):
        for link in self.links.values():
            link.close()


class Painter:
    """Users that draw without waiting, cooldown 0: every draw has a place and time of its own in the record."""

    def __init__(self, gateway, users=8, seed=1):
        self.gateway, self.random = gateway, random.Random(seed)
        self.nonces = collections.Counter()
        self.users = users
        self.draws = []

    def paint(self, count, tiles=8):
        for _ in range(count):
            user = self.random.randrange(1, self.users + 1)
            self.nonces[user] += 1
            draw = Draw(user, self.random.randrange(tiles * EDGE), self.random.randrange(tiles * EDGE),
                        self.random.randrange(1, 32), self.nonces[user], connection=1000 + user)
            self.draws.append(draw)
            self.gateway.submit(draw)

    def everywhere(self, tiles=8):
        """One draw on each tile."""
        for number in range(tiles * tiles):
            user = self.random.randrange(1, self.users + 1)
            self.nonces[user] += 1
            x, y = number % tiles * EDGE, number // tiles * EDGE
            draw = Draw(user, x, y, self.random.randrange(1, 32), self.nonces[user], connection=1000 + user)
            self.draws.append(draw)
            self.gateway.submit(draw)

    def run(self, seconds, rate=4000, tiles=8):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.gateway.waiting() < 256:
                self.paint(rate // 100, tiles)
            self.gateway.turn()

    def check(self, client):
        """All were placed, each once, in the order of each tile, and the canvas is what was drawn."""
        assert all(draw.verdict and draw.verdict.code == PLACED for draw in self.draws), \
            collections.Counter(draw.verdict and draw.verdict.code for draw in self.draws)
        expected = collections.defaultdict(list)
        for draw in self.draws:
            tile = (draw.x // EDGE, draw.y // EDGE)
            expected[tile].append((draw.user, draw.y % EDGE * EDGE + draw.x % EDGE, draw.color))
        placements = check_all(client)
        for tile, wanted in expected.items():
            found = [(p["user"], p["offset"], p["color"]) for p in placements[tile]]
            assert collections.Counter(found) == collections.Counter(wanted), "placed, and once"
            assert found == wanted, "in order"
        for draw in self.draws:
            tile = (draw.x // EDGE, draw.y // EDGE)
            assert 1 <= draw.verdict.seq <= len(placements[tile])
        return placements
