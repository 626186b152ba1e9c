"""place.lua with a cooldown: nonces, exact waits, clocks that are set back, damaged records, the allowance of an address."""

import struct
import time

from links import ALLOWANCE, COOLDOWN, PLACED, READ_ONLY, STALE
from redis_fixture import check_all, check_tile
from scripts_fixture import DONE, FENCED, Tile, draw, place, place_one, take
from scripts_fixture import client, scripts, server  # noqa: F401


def test_nonce_and_cooldown(scripts, client):
    epoch = take(scripts)[1]
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 1)], cooldown=60000)[2] is None
    # Repeated as it was; repeated with another content; out of order; the next one, too early.
    status, colors, verdicts = place_one(
        scripts, epoch, 1, [draw(1, 0, 0, 1, 1), draw(1, 0, 0, 2, 1), draw(1, 0, 0, 1, 3), draw(1, 0, 0, 1, 2)],
        cooldown=60000)
    assert (status, colors) == (DONE, b"")
    assert [v[:4] for v in verdicts] == [(0, PLACED, 1, 2), (0, STALE, 0, 2), (0, STALE, 0, 2), (0, COOLDOWN, 0, 2)]
    assert all(30000 < v[4] <= 60000 for v in verdicts)
    assert len(check_tile(client, 0, 0)) == 1
    record = client.get("{u:1}:0000000000000001")
    assert struct.unpack("<BBHHHII", record[:16]) == (1, 1, 0, 0, 0, 1, 1) and len(record) == 24


def test_the_wait_is_exact(scripts, client):
    """Refused with what is left at that moment, to the millisecond, and placed as soon as nothing is."""

    def now_ms():
        seconds, us = client.time()
        return seconds * 1000 + us // 1000

    def landed_ms():
        return struct.unpack("<Q", client.get("{u:1}:0000000000000001")[16:])[0]

    epoch = take(scripts)[1]
    place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 1)], cooldown=400)
    end = landed_ms() + 400
    while True:
        before = now_ms()
        verdicts = place_one(scripts, epoch, 1, [draw(1, 0, 0, 1, 2)], cooldown=400)[2]
        after = now_ms()
        if verdicts is None:
            break
        assert before < end, "nothing was left to wait"
        assert max(1, end - after) <= verdicts[0][4] <= end - before
    assert end <= landed_ms() <= after


def test_the_clock_set_back_costs_no_more_than_the_cooldown(scripts, client):
    epoch = take(scripts)[1]
    future = int(time.time() * 1000) + 10 ** 9
    client.set("{u:1}:0000000000000001", struct.pack("<BBHHHIIQ", 1, 1, 0, 0, 0, 4, 1, future))
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5)], cooldown=1000)[2][0][1:] == (COOLDOWN, 0, 5, 1000)
    client.set("{a:192.0.2.1}", struct.pack("<Q", future))
    verdict = place_one(scripts, epoch, 0, [draw(2, 0, 0, 1, 1, "192.0.2.1")], cooldown=1000, allowance=1)[2][0]
    assert verdict[1:] == (ALLOWANCE, 0, 1, 1000)


def test_after_the_clock_was_set_back_the_wait_ends(scripts, client):
    """Not only when the clock has come back to where it was."""
    epoch = take(scripts)[1]
    future = int(time.time() * 1000) + 10 ** 9
    client.set("{u:1}:0000000000000001", struct.pack("<BBHHHIIQ", 1, 1, 0, 0, 0, 4, 1, future))
    client.set("{a:192.0.2.1}", struct.pack("<QQ", future, future + 1))
    refused = place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5), draw(2, 1, 0, 1, 1, "192.0.2.1")], cooldown=200,
                        allowance=2)[2]
    assert [verdict[1:] for verdict in refused] == [(COOLDOWN, 0, 5, 200), (ALLOWANCE, 0, 1, 200)]
    time.sleep(0.21)
    assert place_one(scripts, epoch, 0, [draw(1, 0, 0, 1, 5), draw(2, 1, 0, 1, 1, "192.0.2.1")], cooldown=200,
                     allowance=2)[2] is None


def test_a_damaged_record_stops_only_its_user(scripts, client):
    epoch = take(scripts)[1]
    keys = ["{u:1}:0000000000000001", "{u:2}:0000000000000002", "{u:3}:0000000000000003"]
    client.set(keys[0], b"short")
    client.lpush(keys[1], "garbage")
    client.set(keys[2], struct.pack("<BBHHHIIQ", 2, 1, 0, 0, 0, 4, 1, 0))
    client.set("{a:192.0.2.1}", b"123456789")
    client.lpush("{a:192.0.2.2}", "garbage")
    before = {key: client.dump(key) for key in keys}
    verdicts = place_one(scripts, epoch, 0, [
        draw(1, 0, 0, 1, 7), draw(2, 1, 0, 1, 1), draw(3, 2, 0, 1, 5), draw(4, 3, 0, 1, 1, "192.0.2.1"),
        draw(5, 4, 0, 1, 1, "192.0.2.2")], cooldown=60000, allowance=1)[2]
    assert [v[:4] for v in verdicts] == [(0, READ_ONLY, 0, 7), (0, READ_ONLY, 0, 1), (0, READ_ONLY, 0, 5),
                                         (1, PLACED, 1, 2), (1, PLACED, 2, 2)]
    assert {key: client.dump(key) for key in keys} == before
    assert len(check_tile(client, 0, 0)) == 2


def test_draws_of_a_batch_see_each_other(scripts, client):
    first, second = take(scripts)[1], take(scripts, (1, 0))[1]
    results = place(scripts, [
        Tile(0, 0, first, 0, [draw(1, 0, 0, 1, 1), draw(1, 0, 0, 1, 1), draw(2, 0, 0, 2, 1), draw(1, 1, 0, 1, 2)]),
        Tile(1, 0, second, 0, [draw(1, 256, 0, 1, 2), draw(3, 256, 0, 3, 1)]),
    ], cooldown=60000)
    assert [v[:4] for v in results[0][2]] == \
        [(1, PLACED, 1, 2), (0, PLACED, 1, 2), (1, PLACED, 2, 2), (0, COOLDOWN, 0, 2)]
    assert results[0][1] == b"\0\1"
    assert [v[:4] for v in results[1][2]] == [(0, COOLDOWN, 0, 2), (1, PLACED, 1, 2)]
    placements = check_all(client)
    assert [(p["user"], p["color"]) for p in placements[0, 0]] == [(1, 1), (2, 2)]
    assert [(p["user"], p["color"]) for p in placements[1, 0]] == [(3, 3)]


def test_a_fenced_tile_costs_its_users_nothing(scripts, client):
    epoch = take(scripts)[1]
    results = place(scripts, [Tile(5, 5, 1, 0, [draw(1, 0, 0, 1, 1)]), Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1, 1)])],
                    cooldown=60000)
    assert results[0][0] == FENCED and results[1] == (DONE, b"\0", None)


def test_allowance_of_an_address(scripts, client):
    epoch = take(scripts)[1]
    guests = [draw(user, user, 0, 1, 1, "192.0.2.1") for user in range(1, 6)]
    _, colors, verdicts = place_one(scripts, epoch, 0, guests + [draw(9, 9, 0, 1, 1)], cooldown=60000, allowance=3)
    assert [v[1] for v in verdicts] == [PLACED] * 3 + [ALLOWANCE] * 2 + [PLACED], "a member is not counted"
    assert verdicts[3][3] == 1 and 59000 < verdicts[3][4] <= 60000, "its nonce is not used up"
    assert len(client.get("{a:192.0.2.1}")) == 24 and 0 < client.pttl("{a:192.0.2.1}") <= 60000
    other = [draw(6, 0, 0, 1, 1, "192.0.2.2"), draw(7, 0, 0, 1, 1, "192.0.2.1")]
    _, _, verdicts = place_one(scripts, epoch, 4, other, cooldown=60000, allowance=3)
    assert [v[1] for v in verdicts] == [PLACED, ALLOWANCE]
    # Refused by the cooldown, a draw does not count; a repeated one neither.
    again = [draw(6, 0, 0, 1, 2, "192.0.2.2"), draw(6, 0, 0, 1, 1, "192.0.2.2")]
    place_one(scripts, epoch, 5, again, cooldown=60000, allowance=3)
    assert len(client.get("{a:192.0.2.2}")) == 8
    check_tile(client, 0, 0)


def test_the_allowance_comes_back(scripts, client):
    epoch = take(scripts)[1]
    for attempt in range(20):  # those of another address, when the third came too late to be refused
        base, (one, two, three), address = 3 * attempt, range(3 * attempt + 1, 3 * attempt + 4), f"192.0.2.{attempt + 1}"
        place_one(scripts, epoch, base, [draw(user, user, 0, 1, 1, address) for user in (one, two)], cooldown=200, allowance=2)
        verdicts = place_one(scripts, epoch, base + 2, [draw(three, three, 0, 1, 1, address)], cooldown=200, allowance=2)[2]
        if verdicts is not None:
            break
    wait = verdicts[0][4]
    assert verdicts[0][1] == ALLOWANCE and 0 < wait <= 200
    time.sleep(wait / 1000 + 0.002)
    assert place_one(scripts, epoch, base + 2, [draw(three, three, 0, 1, 1, address)], cooldown=200, allowance=2)[2] is None
