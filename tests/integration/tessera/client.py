"""A client of tessera.v1 for asyncio: watches tiles, draws, and follows the rule of positions."""

import asyncio
import random

import websockets
import websockets.exceptions

from . import protocol
from .protocol import NONE, Replica, Verdict

CLOSED = (websockets.exceptions.ConnectionClosed, OSError)
# What may end an attempt to connect while processes come and go.
REFUSED = (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException)


def new_connection_id():
    return random.SystemRandom().getrandbits(63) + 1


async def open_socket(url, token, subprotocols=(protocol.SUBPROTOCOL,), headers=None, **options):
    """The bare WebSocket, without HELLO."""
    headers = {"Cookie": f"tessera_session={token}", **(headers or {})} if token else headers or {}
    return await websockets.connect(
        url,
        subprotocols=list(subprotocols),
        extra_headers=headers,
        compression=None,
        ping_interval=None,
        max_size=None,
        max_queue=None,
        open_timeout=options.pop("open_timeout", 10),
        close_timeout=2,
        **options,
    )


class Client:
    """One connection. `async with Client(gateway.ws_url, session.token, tiles) as client:`"""

    def __init__(self, url, token, tiles=(), connection=None, replicas=None, source=None, tls=None):
        self.url = url
        self.token = token
        self.source = source  # address to connect from
        self.tls = tls  # ssl.SSLContext for wss://
        self.watched = list(tiles)
        self.connection = connection or new_connection_id()
        self.replicas = {} if replicas is None else replicas  # may be taken over from an earlier connection
        self.socket = None
        self.welcome = None
        self.status = None
        self.config = None
        self.announcement = None
        self.palette = None
        self.move = None
        self.errors = []
        self.resumes = 0
        self.snapshots = 0
        self.tile_frames = 0
        self.next_nonce = None
        self.raw_nonces = False  # send them as they are named
        self.in_flight = {}  # (nonce, x, y) -> futures, oldest first
        self.changed = asyncio.Event()
        self.reader = None

    # ---- connection ----

    async def connect(self):
        options = {"local_addr": (self.source, 0)} if self.source else {}
        if self.tls:
            options["ssl"] = self.tls
        self.socket = await open_socket(self.url, self.token, **options)
        watch = {tile: self._position(tile) for tile in self.watched}
        await self.socket.send(protocol.hello(self.connection, watch))
        self.welcome = protocol.decode(await asyncio.wait_for(self.socket.recv(), 10))
        assert isinstance(self.welcome, protocol.Welcome), f"the first message is {self.welcome}"
        self.next_nonce = self.welcome.next_nonce
        for tile in self.watched:
            self.replicas.setdefault(tile, Replica(self.welcome.edge))
        self.reader = asyncio.ensure_future(self._read())
        return self

    async def close(self):
        if self.reader:
            self.reader.cancel()
            await asyncio.gather(self.reader, return_exceptions=True)
        if self.socket:
            await self.socket.close()
        self._fail_in_flight()

    async def __aenter__(self):
        return await self.connect()

    async def __aexit__(self, *_):
        await self.close()

    @property
    def open(self):
        return self.socket is not None and self.socket.open and not self.reader.done()

    def _position(self, tile):
        return self.replicas[tile].pos if tile in self.replicas else NONE

    # ---- reading ----

    async def _read(self):
        try:
            async for message in self.socket:
                await self._on(protocol.decode(message))
                self.changed.set()
        except CLOSED:
            pass
        finally:
            self._fail_in_flight()
            self.changed.set()

    def _fail_in_flight(self):
        for futures in self.in_flight.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)  # the outcome is unknown
        self.in_flight.clear()

    async def _on(self, message):
        if isinstance(message, protocol.Answer):
            self._on_verdict(message)
        elif isinstance(message, protocol.Tile):
            self.tile_frames += 1
            if message.tile in self.replicas and not self.replicas[message.tile].apply(message):
                self.resumes += 1
                await self.socket.send(protocol.resume({message.tile: self.replicas[message.tile].pos}))
        elif isinstance(message, protocol.Snapshot):
            self.snapshots += 1
            if message.tile in self.replicas:
                self.replicas[message.tile].load(message)
        elif isinstance(message, protocol.Status):
            self.status = message
        elif isinstance(message, protocol.Config):
            self.config = message
        elif isinstance(message, protocol.Announcement):
            self.announcement = message.text
        elif isinstance(message, protocol.Palette):
            self.palette = message.colors
        elif isinstance(message, protocol.Move):
            self.move = message
        elif isinstance(message, protocol.Error):
            self.errors.append(message.code)
        else:
            raise AssertionError(f"a second {message}")

    def _on_verdict(self, answer):
        futures = self.in_flight.get((answer.nonce, answer.x, answer.y))
        assert futures, f"{answer} answers no draw"
        self.next_nonce = answer.next_nonce
        future = futures.pop(0)
        if not futures:
            del self.in_flight[answer.nonce, answer.x, answer.y]
        if not future.done():
            future.set_result(answer)

    # ---- writing ----

    async def send_draw(self, x, y, color, nonce):
        """Sends; returns the future of the answer, which is None when the socket broke first: unknown. Where the client counts by
        itself, tests may name its nonces 1, 2, 3."""
        if not self.raw_nonces and self.welcome.next_nonce >= protocol.FIRST_COUNTED and nonce < protocol.FIRST_COUNTED:
            nonce += protocol.FIRST_COUNTED - 1
        future = asyncio.get_running_loop().create_future()
        self.in_flight.setdefault((nonce, x, y), []).append(future)
        try:
            await self.socket.send(protocol.draw(x, y, color, nonce))
        except CLOSED:
            if not future.done():
                future.set_result(None)
        return future

    async def draw(self, x, y, color, nonce=None, timeout=15):
        """Draws with the next nonce, or the one given, and waits for the answer."""
        if nonce is None:
            nonce = self.next_nonce
        future = await self.send_draw(x, y, color, nonce)
        return await asyncio.wait_for(future, timeout)

    async def place(self, x, y, color):
        """A draw that has to be PLACED."""
        answer = await self.draw(x, y, color)
        assert answer is not None and answer.code is Verdict.PLACED, answer
        return answer

    async def watch(self, tiles):
        self.watched = list(tiles)
        for tile in self.watched:
            self.replicas.setdefault(tile, Replica(self.welcome.edge))
        await self.socket.send(protocol.watch_tiles({tile: self._position(tile) for tile in self.watched}))

    async def resume(self, positions):
        await self.socket.send(protocol.resume(positions))

    # ---- waiting ----

    async def until(self, condition, timeout=10, what="condition"):
        """Waits for messages until `condition()` holds; returns its value."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            value = condition()
            if value:
                return value
            self.changed.clear()
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.changed.wait(), max(left, 0))
            except asyncio.TimeoutError:
                raise AssertionError(f"not within {timeout} s: {what}") from None

    async def sees(self, x, y, color, timeout=10):
        edge = self.welcome.edge
        tile, offset = (x // edge, y // edge), (y % edge) * edge + x % edge
        await self.until(lambda: self.replicas[tile].colors[offset] == color, timeout, f"({x}, {y}) is {color}")


def all_tiles(width, height, edge=256):
    return [(tx, ty) for ty in range(-(-height // edge)) for tx in range(-(-width // edge))]
