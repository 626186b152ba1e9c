"""deploy/redis/users.acl: it is what REDIS.md says, allows what the roles need, denies every other pair, and loses nothing."""

import hashlib
import os
import re
import subprocess

import pytest
import redis

from redis_fixture import ROOT, START, RealRedis, Scripts, wait_for

ACL = ROOT / "deploy" / "redis" / "users.acl"
ROLES = ("shard", "gateway", "ctl")
# One name of each family of keys, and of a family that nobody may touch.
KEYS = ("{cluster}:config", "{t:1:2}:meta", "{u:5}:0000000000000005", "{a:192.0.2.7}", "{u:5}:n:0000000000000005", "{n:anna}", "other")
ALWAYS = {"quit", "reset"}  # by whoever is connected
CHANNELS = ("{cluster}:bus", "{t:1:2}:bus", "other")


def acl_lines():
    """As deploy/docker/secrets fills the file in; every password is the role's name."""
    text = ACL.read_text()
    for role in ("admin", *ROLES):
        text = text.replace(f"@{role}@", hashlib.sha256(role.encode()).hexdigest())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class GuardedRedis(RealRedis):
    """With that file, as compose starts it. `client` is the administrator."""

    def start(self):
        path = os.path.join(self.dir, "users.acl")
        with open(path, "w") as file:
            file.write("\n".join(acl_lines()) + "\n")
        with open(os.path.join(self.dir, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(
                [START, self.dir, str(ROOT / "deploy" / "redis" / "redis.conf"), "--port", str(self.port), "--bind", "127.0.0.1",
                 "--aclfile", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.client = self.as_user("admin")
        wait_for(self.client.ping, "redis answers")

    def as_user(self, name):
        return redis.Redis(port=self.port, username=name, password=name, socket_timeout=10)


@pytest.fixture(scope="module")
def guarded():
    server = GuardedRedis()
    yield server
    server.close()


def documented(role):
    """Keys, channels and commands of a role in REDIS.md."""
    for line in (ROOT / "proto" / "REDIS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 4 and cells[1] == role and cells[2].startswith("`%"):
            commands = re.sub(r"\([^)]*\)", "", cells[4]).lower()
            return (set(re.findall(r"`(%[^`]+)`", cells[2])), set(re.findall(r"`([^`]+)`", cells[3])),
                    {name.strip().replace(" ", "|") for name in commands.split(",")})
    raise AssertionError(f"REDIS.md says nothing of {role}")


def written(role):
    """The same in the file."""
    words = next(line.split() for line in acl_lines() if line.startswith(f"user {role} "))
    return ({word for word in words if word.startswith("%")}, {word[1:] for word in words if word.startswith("&")},
            {word[1:] for word in words if word.startswith("+")})


def all_commands(client):
    """Full names and arities of everything that this Redis knows; of a command with subcommands, those."""
    connection = client.connection_pool.get_connection("COMMAND")
    connection.send_command("COMMAND")
    commands = connection.read_response()
    client.connection_pool.release(connection)
    for command in commands:
        for name, arity, *_ in command[9] or [command]:
            yield name.decode().lower(), abs(arity)


def dryrun(server, role, *command):
    return server.client.execute_command("ACL", "DRYRUN", role, *command) in (b"OK", "OK")


@pytest.mark.parametrize("role", ROLES)
def test_file_and_document_agree(role):
    assert written(role) == documented(role)


def test_default_user_is_off(guarded):
    with pytest.raises(redis.RedisError, match="(?i)auth"):
        redis.Redis(port=guarded.port).get("x")
    with pytest.raises(redis.RedisError, match="(?i)wrongpass|invalid"):
        redis.Redis(port=guarded.port, username="shard", password="gateway").ping()


@pytest.mark.parametrize("role", ROLES)
def test_every_other_command_is_denied(guarded, role):
    allowed = written(role)[2]
    denied = 0
    for name, arity in all_commands(guarded.client):
        if name not in allowed | ALWAYS:
            assert not dryrun(guarded, role, *name.split("|"), *["x"] * (arity - 1 - name.count("|"))), f"{role} may {name}"
            denied += 1
    assert denied > 300


@pytest.mark.parametrize("role", ROLES)
def test_keys_and_channels(guarded, role):
    names = KEYS[4:6]
    reads = {"shard": KEYS[:5], "gateway": KEYS[:3] + names, "ctl": KEYS[:3] + names}[role]
    writes = {"shard": KEYS[:5], "gateway": KEYS[:1] + names, "ctl": KEYS[:3] + names}[role]
    for key in KEYS:
        assert dryrun(guarded, role, "HGETALL", key) == (key in reads), key
        assert dryrun(guarded, role, "HSET", key, "f", "v") == (key in writes), key
        assert dryrun(guarded, role, "EVALSHA", "0" * 40, "1", key) == (key in writes), key
    for channel in CHANNELS:
        for command in ("SUBSCRIBE", "PUBLISH") if role != "ctl" else ("PUBLISH",):
            args = (channel,) if command == "SUBSCRIBE" else (channel, "x")
            allowed = CHANNELS[:1] if role == "ctl" else CHANNELS[:2]
            assert dryrun(guarded, role, command, *args) == (channel in allowed), (command, channel)
    if role == "gateway":
        assert dryrun(guarded, role, "EVALSHA_RO", "0" * 40, "1", KEYS[1])
        assert not dryrun(guarded, role, "EVALSHA_RO", "0" * 40, "1", KEYS[3])


def test_restart_replays_what_scripts_wrote(guarded):
    """Redis replays transactions as the default user, and drops them without a word if that user may not run them."""
    shard = Scripts(guarded.as_user("shard"))
    shard.join(["{cluster}:members"], ["a:1", "0" * 15 + "7", "{cluster}:bus"])
    before = guarded.client.hgetall("{cluster}:members")
    assert b"s:a:1" in before and b"view" in before
    guarded.restart()
    assert guarded.client.hgetall("{cluster}:members") == before
    with open(os.path.join(guarded.dir, "redis.log")) as log:
        assert "CRITICAL" not in log.read()
