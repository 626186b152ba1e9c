"""A player who never gives up: draws its list, reconnects to any gateway, repeats what is unanswered, and keeps the record.

The rules are those of PROTOCOL.md, "Nonces": after a broken socket the unanswered draws go out again, in their order, with
the same nonces and connection id; UNAVAILABLE means the same for one draw.
"""

import asyncio
import random

from .client import REFUSED, Client, new_connection_id
from .protocol import FIRST_COUNTED, Verdict

WINDOW = 200  # unanswered nonces stay within this of each other; the protocol allows 255
RETRY = (Verdict.OVERLOADED, Verdict.READ_ONLY, Verdict.COOLDOWN)


class Player:
    def __init__(self, session, urls, draws, history, rng=None, depth=1, tiles=(), give_up_s=60):
        self.session = session
        self.urls = urls  # a list that may grow and shrink meanwhile
        self.todo = list(reversed(draws))  # of (x, y, color)
        self.history = history
        self.rng = rng or random.Random()
        self.depth = depth
        self.tiles = tiles
        self.give_up_s = give_up_s
        self.connection = new_connection_id()
        self.replicas = {}
        self.pending = {}  # nonce -> (x, y, color), oldest first
        self.nonce = FIRST_COUNTED  # next of our own, with cooldown 0
        self.client = None
        self.connects = 0
        self.stale = 0
        self.stopping = False

    def stop(self):
        """No new draws; what is pending is finished."""
        self.stopping = True

    async def run(self):
        loop = asyncio.get_running_loop()
        broken_since = loop.time()
        while (self.todo and not self.stopping) or self.pending:
            if loop.time() - broken_since > self.give_up_s:
                break
            try:
                async with Client(
                    self.rng.choice(self.urls), self.session.token, self.tiles, self.connection, self.replicas
                ) as self.client:
                    self.connects += 1
                    if await self._play():
                        broken_since = loop.time()
            except REFUSED:
                await asyncio.sleep(self.rng.uniform(0.02, 0.2))
        for x, y, color in self.pending.values():
            self.history.add(self.session.user, x, y, color, None)

    async def _play(self):
        """Until the socket breaks or all is done. True when anything was answered."""
        answered = False
        if self.client.welcome.cooldown_ms:
            # One draw is pending at most, and its nonce is the next one (not applied so far) or the last one (applied).
            next_nonce = self.client.welcome.next_nonce
            assert all(next_nonce - 1 <= nonce <= next_nonce for nonce in self.pending), (self.pending, next_nonce)
        waiting = {}  # future -> nonce
        for nonce, draw in list(self.pending.items()):
            waiting[await self.client.send_draw(*draw, nonce)] = nonce
        while self.client.open and not self.client.move:
            while self.todo and not self.stopping and self._may_send():
                nonce = self._next_nonce()
                self.pending[nonce] = self.todo.pop()
                waiting[await self.client.send_draw(*self.pending[nonce], nonce)] = nonce
            if not waiting:
                return answered
            done, _ = await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return answered  # silence: another socket
            for future in done:
                nonce, answer = waiting.pop(future), future.result()
                if answer is not None:
                    answered = True
                    await self._settle(nonce, answer, waiting)
        return answered

    def _may_send(self):
        return len(self.pending) < self.depth and (not self.pending or self.nonce - min(self.pending) < WINDOW)

    def _next_nonce(self):
        if self.client.welcome.cooldown_ms:
            return self.client.next_nonce
        self.nonce += 1
        return self.nonce - 1

    async def _settle(self, nonce, answer, waiting):
        draw = self.pending[nonce]
        cooldown = self.client.welcome.cooldown_ms
        if answer.code is Verdict.UNAVAILABLE:
            await asyncio.sleep(0.02)
            waiting[await self.client.send_draw(*draw, nonce)] = nonce
            return
        del self.pending[nonce]
        if answer.code is Verdict.PLACED:
            self.history.add(self.session.user, *draw, answer.code, answer.seq)
        elif answer.code in RETRY:
            self.todo.append(draw)  # not placed: a fresh draw, later
        else:
            self.stale += answer.code is Verdict.STALE
            self.history.add(self.session.user, *draw, answer.code)
        if answer.wait_ms and (cooldown or answer.code is not Verdict.PLACED):
            await asyncio.sleep(answer.wait_ms / 1000)


def unique_draws(rng, count, width, height, colors, region=None):
    """Draws that are all different from each other, so that each can be found again in the history."""
    x0, y0, x1, y1 = region or (0, 0, width, height)
    seen, out = set(), []
    while len(out) < count:
        draw = (rng.randrange(x0, x1), rng.randrange(y0, y1), rng.randrange(1, colors))
        if draw not in seen:
            seen.add(draw)
            out.append(draw)
    return out
