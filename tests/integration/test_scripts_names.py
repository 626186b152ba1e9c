"""The scripts of users' names: claimed, kept, given up, erased."""

import struct
import time

import pytest
import redis

from scripts_fixture import BUS
from scripts_fixture import client, scripts, server  # noqa: F401

ANN, BOB = (struct.pack("<Q", user) for user in (7, 8))
NAME_DONE, TAKEN, TOO_SOON, ERASED, CHANGED = range(5)
MONTH = 30 * 86400000


def name(scripts, user, old, new, wait=0, reserved=MONTH, life=0):
    """Skeletons of these names are themselves."""
    record = f"{{u:{user[0]}}}:n:{user[0]:016x}"
    return scripts.name([record, f"{{n:{new}}}" if new else record, f"{{n:{old}}}" if old else record], [user, old, new, wait, reserved, life])


def test_name_is_claimed_kept_and_given_up(client, scripts):
    assert name(scripts, ANN, "", "anna", wait=5000) == [NAME_DONE, 5000]
    assert client.get("{n:anna}") == ANN and client.ttl("{n:anna}") == -1
    record = client.get("{u:7}:n:" + "7".zfill(16))
    assert record[:4] == b"\1\0\0\0" and record[12:] == b"anna"
    assert abs(struct.unpack_from("<Q", record, 4)[0] - time.time() * 1000) < 60000
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert name(scripts, ANN, "wrong", "bea") == [CHANGED, 0]
    code, wait = name(scripts, ANN, "anna", "bea", wait=5000)
    assert code == TOO_SOON and 0 < wait <= 5000
    assert name(scripts, ANN, "anna", "anna", wait=5000)[0] == NAME_DONE
    assert name(scripts, ANN, "anna", "bea")[0] == NAME_DONE
    # Given up: reserved for a while for who had it.
    assert 0 < client.pttl("{n:anna}") <= MONTH
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert name(scripts, ANN, "bea", "anna")[0] == NAME_DONE
    assert client.ttl("{n:anna}") == -1
    assert name(scripts, ANN, "anna", "")[0] == NAME_DONE
    assert client.pttl("{n:anna}") > 0 and client.get("{u:7}:n:" + "7".zfill(16))[12:] == b""


def test_another_name_with_the_same_skeleton_keeps_it(client, scripts):
    record = "{u:7}:n:" + "7".zfill(16)
    for old, new in (("", "Anna"), ("Anna", "ANNA"), ("ANNA", "an-na")):
        assert scripts.name([record, "{n:anna}", "{n:anna}" if old else record], [ANN, old, new, 0, MONTH, 0]) == [NAME_DONE, 0]
        assert client.get("{n:anna}") == ANN and client.ttl("{n:anna}") == -1 and client.get(record)[12:] == new.encode()


def test_a_name_of_who_never_placed_ends_unless_it_is_renewed(client, scripts):
    keys = ("{n:anna}", "{u:7}:n:" + "7".zfill(16))
    assert name(scripts, ANN, "", "anna", life=5000)[0] == NAME_DONE
    assert all(0 < client.pttl(key) <= 5000 for key in keys)
    assert name(scripts, ANN, "anna", "anna", life=90000)[0] == NAME_DONE
    assert all(5000 < client.pttl(key) <= 90000 for key in keys)
    assert name(scripts, ANN, "anna", "anna")[0] == NAME_DONE  # has placed since
    assert all(client.ttl(key) == -1 for key in keys)
    assert name(scripts, ANN, "anna", "", life=5000)[0] == NAME_DONE
    assert 0 < client.pttl(keys[1]) <= 5000
    assert name(scripts, ANN, "", "bea", life=1)[0] == NAME_DONE
    time.sleep(0.01)
    assert name(scripts, BOB, "", "bea")[0] == NAME_DONE and name(scripts, ANN, "", "anna")[0] == NAME_DONE


def test_name_with_the_clock_set_back(client, scripts):
    name(scripts, ANN, "", "anna")
    key = "{u:7}:n:" + "7".zfill(16)
    client.set(key, b"\1\0\0\0" + struct.pack("<Q", int(time.time() * 1000) + 10**9) + b"anna")
    code, wait = name(scripts, ANN, "anna", "bea", wait=5000)
    assert code == TOO_SOON and wait <= 5000


def test_erase_is_for_good(client, scripts):
    key = "{u:7}:n:" + "7".zfill(16)
    name(scripts, ANN, "", "anna")
    watcher = client.pubsub()
    watcher.subscribe(BUS)
    assert watcher.get_message(timeout=10)["type"] == "subscribe"
    assert scripts.erase([key, "{n:anna}"], ["wrong", 1000, BUS, b"told"]) == 1
    assert scripts.erase([key, "{n:anna}"], ["anna", MONTH, BUS, b"told"]) == 0
    assert watcher.get_message(timeout=10)["data"] == b"told"
    assert client.get("{n:anna}") == bytes(8) and 0 < client.pttl("{n:anna}") <= MONTH
    record = client.get(key)
    assert record[:4] == b"\1\1\0\0" and len(record) == 12
    assert scripts.erase([key, key], ["", MONTH, BUS, b"told"]) == 0
    assert name(scripts, ANN, "", "anna") == [ERASED, 0]
    assert name(scripts, BOB, "", "anna") == [TAKEN, 0]
    assert scripts.erase(["{u:8}:n:8", "{u:8}:n:8"], ["", MONTH, BUS, b"told"]) == 0
    watcher.close()


def test_names_of_another_layout_are_left_alone(client, scripts):
    key = "{u:7}:n:" + "7".zfill(16)
    client.set(key, b"\2" + bytes(40))
    with pytest.raises(redis.ResponseError, match="layout"):
        name(scripts, ANN, "", "anna")
    with pytest.raises(redis.ResponseError, match="layout"):
        scripts.erase([key, key], ["", MONTH, BUS, b"told"])
