"""Several shards that come, go, sleep and die: every draw is placed once, by who owns its tile."""

import signal
import time

from links import Link, NOT_OWNER, PLACED, STALE, draw_bytes
from ownership import EDGE, other_tile, read_view
from redis_fixture import Scripts, check_all, check_tile, wait_for
from shard_fixture import FAST
from shard_fixture import world  # noqa: F401
from shard_gateway import Draw, Painter
from tessera.busy import Busy


def test_shards_come_and_go(world):
    first = world.shard(*FAST)
    painter = Painter(world.gateway())
    painter.run(0.5)
    second = world.shard(*FAST)
    painter.run(0.7)
    third = world.shard(*FAST)
    painter.run(0.7)
    assert first.terminate() == 0
    painter.run(0.5)
    assert third.terminate() == 0
    painter.run(0.5)
    painter.everywhere()  # so that each tile is taken by who is left
    painter.gateway.finish()
    painter.check(world.client)
    view, addresses = read_view(world.client)
    assert addresses == [second.address] and view == 5
    owners = {world.client.hget(key, "a").decode() for key in world.client.scan_iter(match="{t:*}:meta")}
    assert owners == {second.address}


def test_handover_after_sigterm_is_quick(world):
    first, second = world.shard(*FAST), world.shard(*FAST)
    gateway = world.gateway()
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, first.address, True)
    gateway.place(Draw(1, tx * EDGE, ty * EDGE, 1, 1))
    first.signal(signal.SIGTERM)
    started, busy = time.monotonic(), Busy(first, second, world.redis)
    assert gateway.place(Draw(1, tx * EDGE, ty * EDGE, 2, 2))[0].code == PLACED
    assert time.monotonic() - started < 0.5 + busy.seconds
    assert first.process.wait(timeout=20) == 0
    wait_for(lambda: gateway.place(Draw(1, tx * EDGE, ty * EDGE, 3, 3))[0].code == PLACED, "still")
    assert world.client.hget(f"{{t:{tx}:{ty}}}:meta", "a").decode() == second.address


def test_a_shard_is_killed(world):
    shards = [world.shard(*FAST) for _ in range(3)]
    painter = Painter(world.gateway())
    painter.run(0.5)
    killed, busy = time.monotonic(), Busy(shards[0], shards[2], world.redis)
    shards[1].kill()
    painter.run(1.0)
    painter.gateway.finish()
    assert time.monotonic() - killed < 6 + busy.seconds
    painter.check(world.client)
    assert painter.gateway.lost > 0
    shards[1] = world.shard(*FAST)
    painter.run(0.5)
    shards[0].kill()
    painter.run(0.5)
    painter.gateway.finish()
    painter.check(world.client)


def test_repetitions_are_recognised_by_the_next_owner(world):
    first = world.shard(*FAST)
    gateway = world.gateway()
    draws = [(Draw(1, n % 64, 0, 1, n)) for n in range(1, 50) if n % 7]
    gateway.place(*draws)
    first.kill()
    world.shard(*FAST)
    again = gateway.place(*[Draw(1, n % 64, 0, 1, n) for n in range(1, 50)])
    assert all(v.code == PLACED for v in again)
    assert len(check_tile(world.client, 0, 0)) == 49
    last = {p["offset"]: p for p in check_tile(world.client, 0, 0)}
    assert last[7]["epoch"] > last[8]["epoch"], "only the missing ones were placed anew"


def test_a_shard_that_slept_writes_nothing(world):
    first, second = world.shard(*FAST), world.shard(*FAST)
    view, addresses = read_view(world.client)
    tx, ty = other_tile(addresses, first.address, True)
    link = Link(first.address)
    link.forward(view, [draw_bytes(1, 1, tx * EDGE, ty * EDGE, 1, 1)])
    assert link.answers(1)[0].code == PLACED
    first.signal(signal.SIGSTOP)
    link.forward(view, [draw_bytes(2, 1, tx * EDGE, ty * EDGE, 2, 2)])
    wait_for(lambda: len(read_view(world.client)[1]) == 1, "it is evicted")
    gateway = world.gateway()
    assert gateway.place(Draw(9, tx * EDGE, ty * EDGE, 9, 1))[0].code == PLACED
    first.signal(signal.SIGCONT)
    answer = link.answers(1)[0]
    placements = check_tile(world.client, tx, ty)
    if answer[0] == NOT_OWNER:
        assert [p["color"] for p in placements] == [1, 9]
    else:  # it has joined again before it looked at the draw, and is the owner again
        assert answer.code == PLACED and [p["color"] for p in placements] == [1, 9, 2]
    wait_for(lambda: len(read_view(world.client)[1]) == 2, "it joins again", 20)
    epochs = [p["epoch"] for p in placements]
    assert epochs == sorted(set(epochs)), "the one that slept needed a taking of its own"


def test_the_fence(world):
    shard = world.shard(*FAST)
    gateway = world.gateway()
    gateway.place(Draw(1, 0, 0, 1, 1))
    scripts = Scripts(world.client)
    keys = ["{t:0:0}:" + what for what in ("meta", "px", "dup0", "dup1", "last", "log")]
    # Taken by another in our view: the shard is still the winner, and takes it again.
    taken = scripts.take(keys, ["00000000000000bb", "127.0.0.1:9", 1])[1]
    assert gateway.place(Draw(1, 0, 0, 2, 2))[0].code == PLACED
    assert int(world.client.hget("{t:0:0}:meta", "e")) > taken
    # Taken in a newer view: it may not, and says so until its view is as new.
    assert scripts.take(keys, ["00000000000000bb", "127.0.0.1:9", 3])[0] == 1
    link = Link(shard.address)
    link.forward(1, [draw_bytes(1, 1, 0, 0, 3, 3)])
    assert link.answers(1)[0][:2] == (NOT_OWNER, 1)
    assert world.client.hget("{t:0:0}:meta", "o") == b"00000000000000bb"
    world.client.hset("{cluster}:members", "view", 3)
    assert gateway.place(Draw(1, 0, 0, 3, 3))[0].code == PLACED
    assert [p["color"] for p in check_tile(world.client, 0, 0)] == [1, 2, 3]


def test_two_gateways_on_the_same_tiles(world):
    world.shard(*FAST)
    world.shard(*FAST)
    painters = [Painter(world.gateway(), seed=seed) for seed in (1, 2)]
    for number, painter in enumerate(painters):
        painter.nonces.update({user: 1000000 * number for user in range(1, 9)})
        painter.paint(1500, tiles=2)
    while any(painter.gateway.waiting() for painter in painters):
        for painter in painters:
            painter.gateway.turn(0.001)
    assert all(draw.verdict.code == PLACED for painter in painters for draw in painter.draws if draw.verdict.code != STALE)
    placed = sum(draw.verdict.code == PLACED for painter in painters for draw in painter.draws)
    assert sum(map(len, check_all(world.client).values())) == placed
