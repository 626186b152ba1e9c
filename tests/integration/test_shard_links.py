"""What a shard takes from its links: the handshake, malformed messages, order after a refusal, more than it can do."""

import collections
import struct
import time

import pytest

from links import Link, NOT_OWNER, OVERLOADED, PLACED, Verdict, closed, draw_bytes
from ownership import EDGE, other_tile, read_view
from redis_fixture import check_all, check_tile, wait_for
from shard_fixture import FAST
from shard_fixture import world  # noqa: F401
from tessera.busy import Busy


def test_links_need_the_secret(world):
    shard = world.shard(*FAST)
    with pytest.raises(ConnectionError):
        Link(shard.address, secret="another secret of the same length here")
    for before in ([7], [4, 1, 0, draw_bytes(1, 1, 0, 0, 1, 1)]):
        link = Link(shard.address, shake=False)
        link.wait()
        link.send(before)
        assert closed(link), "nothing but RESPONSE before ACCEPT"
    assert Link(shard.address).open


def test_a_challenge_is_not_waited_for_longer_than_5_s(world):
    shard = world.shard(*FAST)
    began = time.monotonic()
    link = Link(shard.address, shake=False)
    link.wait()
    started, busy = time.monotonic(), Busy(shard)
    assert closed(link, 20)
    ended = time.monotonic()
    assert 4.9 < ended - began and ended - started < 7 + busy.seconds


def test_malformed_messages_close_only_their_link(world):
    shard = world.shard(*FAST)
    good = Link(shard.address)
    draw = draw_bytes(1, 1, 0, 0, 1, 1)
    for data in (b"", b"\x00", b"\x91\x63", b"\x92\x07\x01", b"\xdd\xff\xff\xff\xff", b"\x94" * 155,
                 b"\x94\x04\x01\x00\xc4\x30" + draw[:-1], b"\x94\x04\x01\x00\xc4\x31" + draw + b"x",
                 b"\x94\x04\x01\x00\xc4\x30" + draw[:13] + b"\x09" + draw[14:], b"\x94\x04\x01\x00\xc4\x00",
                 b"\x94\x04\x01\x05\xc4\x30" + draw):
        link = Link(shard.address)
        link.send_raw(data)
        assert closed(link), data
    link = Link(shard.address)
    link.socket.sendall(struct.pack(">I", 65537))
    assert closed(link), "longer than any message may be"
    good.forward(1, [draw])
    assert good.answers(1)[0].code == PLACED
    good.send([7])
    kind, view = good.wait()
    assert kind == 8 and view == 1


def test_no_more_than_256_links(world):
    shard = world.shard(*FAST)
    links = [Link(shard.address) for _ in range(256)]
    extra = Link(shard.address, shake=False)
    assert closed(extra)
    links[0].forward(1, [draw_bytes(1, 1, 0, 0, 1, 1)])
    assert links[0].answers(1)[0].code == PLACED
    for link in links:
        link.close()
    wait_for(lambda: Link(shard.address).open, "there is room again")


def test_order_after_a_refusal(world):
    shard = world.shard(*FAST)
    second = world.shard(*FAST)
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, shard.address, False)
    mine = other_tile(addresses, shard.address, True)
    link = Link(shard.address)

    def draw(number, tile):
        return draw_bytes(number, 1, tile[0] * EDGE, tile[1] * EDGE, 1, number)

    link.forward(view, [draw(1, (tx, ty))])
    assert link.answers(1)[0][:2] == (NOT_OWNER, 1)
    # The tile becomes ours, but draws that were under way when it was refused may not overtake.
    second.terminate()
    wait_for(lambda: len(read_view(world.client)[1]) == 1, "it has left")
    link.forward(view + 1, [draw(2, (tx, ty)), draw(3, mine)], refusals=0)
    answers = link.answers(2)
    assert {a.id if isinstance(a, Verdict) else a[:2] for a in answers} == {(NOT_OWNER, 2), 3}
    link.forward(view + 1, [draw(4, (tx, ty))], refusals=1)
    assert link.answers(1)[0][:2] == (NOT_OWNER, 4), "the second NOT_OWNER is not known to have arrived"
    link.forward(view + 1, [draw(5, (tx, ty))], refusals=3)
    assert link.answers(1)[0].code == PLACED
    link.forward(view + 1, [draw(6, (tx, ty))], refusals=2)
    assert closed(link), "the count cannot go back"
    assert len(check_tile(world.client, tx, ty)) == 1


def test_overload_is_refused_with_a_wait(world):
    shard = world.shard(*FAST)
    world.redis.pause()
    links = [Link(shard.address) for _ in range(5)]
    codes = collections.Counter()

    def hear(seconds):
        for link in links:
            for message in link.poll(seconds):
                for answer in link.read(message):
                    codes[answer.code if isinstance(answer, Verdict) else answer[0]] += 1
                    assert not isinstance(answer, Verdict) or answer.code != OVERLOADED or answer.wait_ms >= 100

    def until(done):
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, codes
            hear(0.01)

    for number, link in enumerate(links):
        for batch in range(16):
            link.forward(1, [draw_bytes(batch * 500 + k, number + 1, k % 64, 0, 1, batch * 500 + k + 1)
                             for k in range(500)])
            hear(0)
    until(lambda: codes[OVERLOADED] > 0)  # more than may wait: some are refused before Redis says anything
    world.redis.resume()
    until(lambda: sum(codes.values()) == 40000)
    assert sum(map(len, check_all(world.client).values())) == codes[PLACED]
