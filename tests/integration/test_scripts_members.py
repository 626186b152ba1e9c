"""The scripts of configuration and membership: seed, join, beat, leave, online; and what each role may call."""

import re
import time

import pytest
import redis

from redis_fixture import ROOT, Scripts, check_tile
from scripts_fixture import BUS, CONFIG, GATEWAYS, MEMBERS, OTHER, OWNER, Tile, beat, draw, join, place, place_one, take, window
from scripts_fixture import client, scripts, server  # noqa: F401


def test_seed_first_wins(scripts, client):
    first = scripts.seed([CONFIG], ["width", 10, "height", 20, "edge", 64])
    fields = dict(zip(first[::2], first[1::2]))
    assert fields == {b"version": b"1", b"user_groups": b"64", b"width": b"10", b"height": b"20", b"edge": b"64"}
    assert scripts.seed([CONFIG], ["width", 99]) == first


def test_join_raises_the_view_once_per_process(scripts, client):
    bus = client.pubsub()
    bus.subscribe(BUS)
    bus.get_message(timeout=10)
    assert join(scripts, "a:1", OWNER) == 1
    assert bus.get_message(timeout=10)["data"] == b"\x92\x03\x01"
    assert join(scripts, "a:1", OWNER) == 1
    assert join(scripts, "b:1", OTHER) == 2
    assert join(scripts, "a:1", OTHER) == 3, "another process at that address"
    assert client.hget(MEMBERS, "view") == b"3"
    client.hdel(MEMBERS, "view")
    assert join(scripts, "a:1", OTHER) == 1, "without a view nobody could go on"


def test_no_more_than_256_members(scripts, client):
    for number in range(256):
        join(scripts, f"host:{number}", OWNER)
    with pytest.raises(redis.RedisError, match="FULL"):
        join(scripts, "another:1", OWNER)
    assert join(scripts, "host:7", OWNER) == 256, "who is in stays in"
    assert len(client.hkeys(MEMBERS)) == 257


def test_beat_renews_and_evicts(scripts, client):
    client.hset(CONFIG, "version", 7)
    join(scripts, "a:1", OWNER)
    join(scripts, "b:1", OTHER)
    assert beat(scripts, "a:1", OWNER, 60000) == [1, 2, 7]
    time.sleep(0.05)
    assert beat(scripts, "a:1", OWNER, 0) == [1, 2, 7], "lease 0 evicts nobody"
    assert beat(scripts, "a:1", OWNER, 20) == [1, 3, 7]
    assert beat(scripts, "b:1", OTHER, 60000) == [0, 3, 7], "it was evicted"
    assert beat(scripts, "a:1", OTHER, 60000) == [0, 3, 7], "another process has the address"
    assert set(client.hkeys(MEMBERS)) == {b"view", b"s:a:1"}


def test_a_beat_from_the_future_does_not_live_for_ever(scripts, client):
    join(scripts, "a:1", OWNER)
    client.hset(MEMBERS, "s:b:1", OTHER + " 99999999999999")
    assert beat(scripts, "a:1", OWNER, 20)[0] == 1
    time.sleep(0.05)
    assert beat(scripts, "a:1", OWNER, 20) == [1, 2, 0]
    assert client.hget(MEMBERS, "s:b:1") is None


def test_what_is_no_member_goes_with_the_next_beat(scripts, client):
    """Whatever it says of when it has beaten."""
    join(scripts, "a:1", OWNER)
    for broken in ("ff 99999999999999", OTHER + "0 99999999999999", OTHER, "", "none " + "9" * 14):
        client.hset(MEMBERS, "s:b:1", broken)
        assert beat(scripts, "a:1", OWNER, 0)[0] == 1
        assert client.hget(MEMBERS, "s:b:1").decode() == broken, "who evicts nobody changes nothing"
        assert beat(scripts, "a:1", OWNER, 60000)[0] == 1
        assert client.hget(MEMBERS, "s:b:1") is None, broken


def test_a_silence_of_all_evicts_nobody(scripts, client):
    """Redis stood still, or its clock was set ahead: the beats of the others are on their way. Who is really gone goes later."""

    def ago(**ms):
        seconds, us = client.time()
        now = seconds * 1000 + us // 1000
        for name, back in ms.items():
            client.hset(MEMBERS, f"s:{name}:1", f"{OWNER} {now - back} 1.2.3")

    for back in (1800, 3600_000):
        ago(a=back, b=back + 400, c=back + 490)
        pipe = client.pipeline()
        for _ in range(2):  # the next one of the same process may come before the others' first
            pipe.evalsha(scripts.sha["beat"], 2, MEMBERS, CONFIG, "a:1", OWNER, 2000, BUS)
        assert [reply[0] for reply in pipe.execute()] == [1, 1]
        assert set(client.hkeys(MEMBERS)) == {b"s:a:1", b"s:b:1", b"s:c:1"}
        assert re.fullmatch(rb"%s \d+ 1\.2\.3" % OWNER.encode(), client.hget(MEMBERS, "s:b:1"))
    ago(a=400, b=100, c=2100)
    assert beat(scripts, "a:1", OWNER) == [1, 1, 0], "the others do beat, so this one is gone"
    assert not client.hexists(MEMBERS, "s:c:1")
    ago(a=400, b=2500)
    assert beat(scripts, "a:1", OWNER) == [1, 2, 0], "also when only one is left that beats"


def test_leave_only_oneself(scripts, client):
    join(scripts, "a:1", OWNER)
    assert scripts.leave([MEMBERS], ["a:1", OTHER, BUS]) == 1
    assert client.hexists(MEMBERS, "s:a:1")
    assert scripts.leave([MEMBERS], ["a:1", OWNER, BUS]) == 2
    assert not client.hexists(MEMBERS, "s:a:1")
    assert scripts.leave([MEMBERS], ["a:1", OWNER, BUS]) == 2


def test_online_sums_and_forgets(scripts, client):
    keys = [GATEWAYS, MEMBERS, CONFIG]
    assert scripts.online(keys, [OWNER, 5]) == [5, 0, 0]
    client.hset(MEMBERS, "view", 3)
    client.hset(CONFIG, "version", 4)
    client.hset(GATEWAYS, "dead", "100 1000")
    client.hset(GATEWAYS, "broken", "x")
    client.hset(GATEWAYS, "future", "100 99999999999999")
    assert scripts.online(keys, [OTHER, 2]) == [7, 3, 4]
    assert set(client.hkeys(GATEWAYS)) == {OWNER.encode(), OTHER.encode()}


def test_no_memory_does_not_end_leases(scripts, client):
    """Nothing may be placed then, but who lives and who leaves is still known."""
    join(scripts, "a:1", OWNER)
    client.hset(MEMBERS, "s:dead:1", OTHER + " 1")
    try:
        client.config_set("maxmemory", 1)
        assert join(scripts, "b:1", OTHER) == 2
        assert beat(scripts, "a:1", OWNER, 60000) == [1, 3, 0]
        assert scripts.online([GATEWAYS, MEMBERS, CONFIG], [OWNER, 5]) == [5, 3, 0]
        assert scripts.leave([MEMBERS], ["b:1", OTHER, BUS]) == 4
        with pytest.raises(redis.RedisError, match="^(OOM|command not allowed)"):
            take(scripts)
    finally:
        client.config_set("maxmemory", 0)


def test_access_of_the_two_roles(server, scripts, client):
    for line in (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines():
        if line.startswith(("user shard ", "user gateway ")):
            _, role, *rules = line.split()
            rules = [rule for rule in rules if not rule.startswith("#")]
            client.execute_command("ACL", "SETUSER", role, "reset", ">secret", *rules)
    shard = Scripts(redis.Redis(port=server.port, username="shard", password="secret"))
    gateway = Scripts(redis.Redis(port=server.port, username="gateway", password="secret"))
    shard.seed([CONFIG], ["width", 10])
    join(shard, "a:1", OWNER)
    beat(shard, "a:1", OWNER, 0)
    epoch = take(shard)[1]
    place(shard, [Tile(0, 0, epoch, 0, [draw(1, 0, 0, 1)], [(b"f" * 16, window(1, 1))])])
    place_one(shard, epoch, 1, [draw(1, 0, 0, 1, 1, "192.0.2.1")], cooldown=60000, allowance=2)
    shard.position(["{t:0:0}:meta"], [OWNER, epoch, 2, "0" * 16, "{t:0:0}:bus"])
    shard.leave([MEMBERS], ["a:1", OWNER, BUS])
    assert gateway.online([GATEWAYS, MEMBERS, CONFIG], [OWNER, 5])[0] == 5
    assert gateway.client.execute_command("EVALSHA_RO", gateway.sha["snapshot"], 2, "{t:0:0}:meta", "{t:0:0}:px")[1] == 2
    with pytest.raises(redis.RedisError):
        take(gateway)
    with pytest.raises(redis.RedisError):
        place_one(gateway, epoch, 2, [draw(1, 0, 0, 1)])
    check_tile(client, 0, 0)
