"""PROTOCOL.md, part 1.1, as a bot would use it."""

import http.client
import json
import struct
from typing import NamedTuple

from .protocol import Position


class Reply(NamedTuple):
    status: int
    headers: dict  # names in lower case
    body: bytes


def request(address, method, path, headers=None, body=None, timeout=20, source=None):
    """`source`: the address to connect from."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout, source_address=(source, 0) if source else None)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    except http.client.HTTPException as e:
        raise OSError(f"{method} {path}: {e!r}") from e
    finally:
        connection.close()


def get(address, path, headers=None, timeout=20, source=None):
    return request(address, "GET", path, headers, timeout=timeout, source=source)


class Session(NamedTuple):
    user: int
    token: str


def open_session(address, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reply = request(address, "POST", "/api/v1/session", headers)
    if reply.status != 200:
        raise OSError(f"session: {reply.status} {reply.body[:200]}")
    answer = json.loads(reply.body)
    assert answer["kind"] == "guest" and answer["expires_in_s"] > 0
    return Session(int(answer["user"], 16), answer["token"])


def parse_tiles(body, edge):
    """The whole-canvas form: {(tx, ty): (Position, colors)}."""
    tiles, size = {}, 16 + edge * edge
    assert len(body) % size == 0, f"{len(body)} bytes are no whole number of tiles"
    for at in range(0, len(body), size):
        tx, ty, seq, epoch = struct.unpack_from("<HHIQ", body, at)
        tiles[tx, ty] = (Position(epoch, seq), body[at + 16 : at + size])
    assert list(tiles) == sorted(tiles, key=lambda tile: (tile[1], tile[0])), "tiles are not in rows"
    return tiles
