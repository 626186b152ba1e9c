"""A player who never gives up, may be told to rest, and keeps the record of every draw.

PROTOCOL.md, "Nonces": unanswered draws are sent again with the same nonce and connection id. READ_ONLY and OVERLOADED speak
of one attempt: a draw that was sent once and got one is refused for good; one that was repeated is still unknown, and is
repeated again.
"""

import asyncio
import math

from tessera.client import REFUSED as CANNOT_CONNECT
from tessera.client import Client, new_connection_id
from tessera.protocol import FIRST_COUNTED, Verdict

from .history import ACKNOWLEDGED, REFUSED, UNKNOWN

WINDOW = 200  # unanswered nonces stay within this of each other; the protocol allows 255
SILENCE_S = 15
LOOK_EVERY_S = 0.1


class Draw:
    __slots__ = ("what", "nonce", "invoked", "sent")

    def __init__(self, what, nonce, invoked):
        self.what = what  # (x, y, color)
        self.nonce = nonce
        self.invoked = invoked
        self.sent = 0


def draws_of(rng, x0, y0, width, height, colors):
    """Pixels and colors in a random order, none twice until all have come."""
    total = width * height * (colors - 1)
    at, step = rng.randrange(total), rng.randrange(1, total)
    while math.gcd(step, total) > 1:
        step += 1
    for _ in range(total):
        at = (at + step) % total
        pixel, color = divmod(at, colors - 1)
        yield x0 + pixel % width, y0 + pixel // width, 1 + color


class Player:
    """`draws`: an iterator of (x, y, color). `tiles`: what it watches; `roam`: tiles among which it moves its watch."""

    def __init__(self, session, urls, draws, history, rng, depth=1, tiles=(), roam=(), give_up_s=60, pace_s=0, alone=True):
        self.session = session
        self.urls = urls  # a list that may change meanwhile
        self.draws = draws
        self.history = history
        self.rng = rng
        self.depth = depth
        self.tiles = list(tiles)
        self.roam = list(roam)
        self.give_up_s = give_up_s
        self.pace_s = pace_s
        self.alone = alone  # nobody else draws as this user
        self.connection = new_connection_id()
        self.replicas = {}
        self.pending = {}  # nonce -> Draw, oldest first
        self.nonce = FIRST_COUNTED  # next of our own, with cooldown 0
        self.not_before = 0
        self.look_at = 0
        self.again = []  # (due, draw): to be sent again, in this order
        self.client = None
        self.url = None
        self.connects = 0
        self.moves = 0  # connections that ended as the gateway asked for
        self.stopping = False
        self.resting = False
        self.wake = asyncio.Event()

    # ---- what the test says ----

    def rest(self, resting=True):
        """No new draws; what is pending is finished, and what is watched is followed on."""
        self.resting = resting
        self.wake.set()

    def stop(self):
        self.stopping = True
        self.wake.set()

    @property
    def idle(self):
        return not self.pending

    def check(self, positions, pixels):
        """None, or what is wrong with the view of this client."""
        if self.client is None or not self.client.open:
            return f"{self.session.user:016x} is not connected"
        for tile in self.client.watched:
            replica = self.replicas[tile]
            if replica.pos != positions[tile]:
                return f"client of {self.url}: {tile} at {replica.pos}, Redis at {positions[tile]}"
            if bytes(replica.colors) != pixels[tile]:
                return f"client of {self.url}: {tile} differs from Redis"
        return None

    # ---- connections ----

    async def run(self):
        loop = asyncio.get_running_loop()
        while not self.stopping or self.pending:
            self._give_up(loop.time())
            self.url = self.rng.choice(self.urls)
            client = Client(self.url, self.session.token, self.tiles, self.connection, self.replicas)
            try:
                async with client as self.client:
                    self.connects += 1
                    await self._play(loop)
                    self.moves += client.move is not None
                    self._blame(client.reader)
            except CANNOT_CONNECT:
                await asyncio.sleep(self.rng.uniform(0.05, 0.2))
        self.client = None

    def _blame(self, reader):
        """What a gateway may never send."""
        if reader.done() and not reader.cancelled() and reader.exception():
            self.history.anomalies.append(f"{self.url}: {reader.exception()!r}")

    def _give_up(self, now):
        for draw in [d for d in self.pending.values() if now - d.invoked > self.give_up_s]:
            del self.pending[draw.nonce]
            self.history.end(draw.invoked, now, self.session.user, draw.what, UNKNOWN)

    async def _play(self, loop):
        """Until the socket breaks, the gateway says MOVE, or all is done."""
        waiting = {}  # future -> nonce
        self.again.clear()
        cooldown = self.client.welcome.cooldown_ms
        self.not_before = loop.time() + self.client.welcome.wait_ms / 1000
        for draw in list(self.pending.values()):
            await self._send(draw, waiting)
        heard, frames = loop.time(), 0
        while self.client.open and not self.client.move:
            wait = 1.0
            while self.again and self.again[0][0] <= loop.time():
                await self._send(self.again.pop(0)[1], waiting)
            while not self.stopping and not self.resting and self._may_send(cooldown):
                wait = self.not_before - loop.time()
                if wait > 0:
                    break
                nonce = self.client.next_nonce if cooldown else self.nonce
                self.nonce += 1
                draw = self.pending[nonce] = Draw(next(self.draws), nonce, loop.time())
                self.not_before = loop.time() + self.pace_s
                await self._send(draw, waiting)
            if self.stopping and not self.pending:
                return
            if self.again:
                wait = min(wait, self.again[0][0] - loop.time())
            await self._wait(waiting, max(wait, 0.001))
            for future in [f for f in waiting if f.done()]:
                nonce, answer = waiting.pop(future), future.result()
                if answer is not None:
                    heard = loop.time()
                    self._settle(nonce, answer, cooldown)
            if not self.pending or frames != self.client.tile_frames:
                heard, frames = loop.time(), self.client.tile_frames
            if loop.time() - heard > SILENCE_S:
                return
            if self.tiles and loop.time() >= self.look_at:
                self.look_at = loop.time() + LOOK_EVERY_S
                self._look()
            if self.roam and not self.resting and self.rng.random() < 0.02:
                await self._roam()

    async def _wait(self, waiting, seconds):
        tasks = [asyncio.ensure_future(self.wake.wait()), asyncio.ensure_future(asyncio.shield(self.client.reader))]
        try:
            await asyncio.wait([*waiting, *tasks], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.wake.clear()
            for task in tasks:
                task.cancel()

    def _look(self):
        tile = self.rng.choice(self.tiles)
        replica = self.replicas.get(tile)
        if replica:
            self.history.look(tile, replica.pos, replica.colors, self.url)

    async def _roam(self):
        self.tiles = self.rng.sample(self.roam, self.rng.randint(1, min(4, len(self.roam))))
        for tile in [tile for tile in self.replicas if tile not in self.tiles and self.rng.random() < 0.5]:
            del self.replicas[tile]  # the others are kept: when they are watched again, their positions are old
        await self.client.watch(self.tiles)

    # ---- draws ----

    def _may_send(self, cooldown):
        if cooldown:
            return not self.pending
        return len(self.pending) < self.depth and (not self.pending or self.nonce - min(self.pending) < WINDOW)

    async def _send(self, draw, waiting):
        draw.sent += 1
        self.history.repeats += draw.sent > 1
        waiting[await self.client.send_draw(*draw.what, draw.nonce)] = draw.nonce

    def _settle(self, nonce, answer, cooldown):
        draw, now = self.pending[nonce], asyncio.get_running_loop().time()
        code, wait = answer.code, answer.wait_ms / 1000
        self.history.verdicts[code.name] += 1
        again = code is Verdict.UNAVAILABLE or (code in (Verdict.OVERLOADED, Verdict.READ_ONLY) and draw.sent > 1)
        if cooldown or code is not Verdict.PLACED:
            self.not_before = max(self.not_before, now + wait)
        if again:
            due = now + (wait or self.rng.uniform(0.01, 0.05))
            self.again.append((max(due, self.again[-1][0] if self.again else 0), draw))
            return
        del self.pending[nonce]
        if code is Verdict.STALE and not self.alone and draw.sent > 1:
            # it may have been placed, and the other draw of this user after it
            self.history.end(draw.invoked, now, self.session.user, draw.what, UNKNOWN)
            return
        if code is Verdict.PLACED:
            self.history.latency.append((draw.invoked, now))
            self.history.end(draw.invoked, now, self.session.user, draw.what, ACKNOWLEDGED, answer.seq)
            return
        self.history.end(draw.invoked, now, self.session.user, draw.what, REFUSED)
        expected = (Verdict.OVERLOADED, Verdict.READ_ONLY, Verdict.ALLOWANCE)
        if code not in (expected if self.alone else (*expected, Verdict.STALE, Verdict.COOLDOWN)):
            self.history.anomalies.append(f"{code.name} for nonce {nonce}, sent {draw.sent} times: {answer}")
