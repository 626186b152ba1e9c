"""deploy/redis/start: what a kill or a power loss leaves of the last transaction is cut off, at whatever byte it ended;
damage elsewhere stays as it is, and Redis is not started on it."""

import pathlib
import subprocess

import pytest

from redis_fixture import START, RealRedis

BATCH = "for _, key in ipairs(KEYS) do redis.call('INCR', key) end"


@pytest.fixture
def server():
    server = RealRedis()
    yield server
    server.close()


def incr_file(server):
    return pathlib.Path(server.dir) / "appendonlydir" / "appendonly.aof.1.incr.aof"


def repair(server):
    """Only the part of the script before Redis starts."""
    return subprocess.run([START, server.dir, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)


def two_batches(server):
    """Runs two batches of two keys and kills. Returns the file's content and where the second begins."""
    server.client.eval(BATCH, 2, "a", "b")
    begin = incr_file(server).stat().st_size
    server.client.eval(BATCH, 2, "a", "b")
    server.kill()
    return incr_file(server).read_bytes(), begin


def test_a_cut_at_any_byte_of_the_last_transaction(server):
    whole, begin = two_batches(server)
    for end in range(begin, len(whole)):
        incr_file(server).write_bytes(whole[:end])
        ended = repair(server)
        assert ended.returncode == 0 and incr_file(server).read_bytes() == whole[:begin], (end, ended.stderr)
    incr_file(server).write_bytes(whole)
    assert repair(server).returncode == 0 and incr_file(server).read_bytes() == whole


def test_nothing_of_half_a_transaction_comes_back_at_the_second_start(server):
    whole, begin = two_batches(server)
    incr_file(server).write_bytes(whole[:begin + 45])
    server.start()
    server.client.eval(BATCH, 2, "a", "b")
    server.restart()
    assert server.client.mget("a", "b") == [b"2", b"2"]


def test_damage_before_the_end_is_not_cut_off(server):
    whole, begin = two_batches(server)
    for at in (whole.index(b"*1\r\n$5\r\nMULTI"), begin, begin + 12, begin - 10):
        damaged = whole[:at] + b"zzz" + whole[at + 3:]
        incr_file(server).write_bytes(damaged)
        ended = repair(server)
        assert ended.returncode == 65 and "damaged" in ended.stderr and incr_file(server).read_bytes() == damaged, at


def test_redis_alone_refuses_half_a_transaction(server):
    """So that nobody goes on without the repair by accident."""
    whole, begin = two_batches(server)
    incr_file(server).write_bytes(whole[:begin + 45])
    ended = subprocess.run(["redis-server", "--port", str(server.port), "--dir", server.dir, "--appendonly", "yes", "--aof-load-truncated", "no"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and "Unexpected end of file" in ended.stdout


def test_usage():
    assert subprocess.run([START, "/nonexistent"], capture_output=True).returncode == 2
