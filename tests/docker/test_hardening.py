"""What each container may: nothing that it does not need. Read from /proc, where the kernel says it."""

import json
import re

import pytest
from compose import root_options, run, status_of, words
from test_access import ALWAYS, documented

ROLES = ("shard", "gateway", "ctl")


def test_no_process_is_root_or_may_become_it(compose):
    checked = 0
    for container in compose.containers():
        for pid in container.pids():
            status = status_of(pid)
            assert "0" not in words(status["Uid"]) + words(status["Gid"]), f"{container.name}: {status}"
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[kind], 16) == 0, f"{container.name}: {kind} {status[kind]}"
            assert status["NoNewPrivs"].strip() == "1", container.name
            assert "ro" in root_options(pid), container.name
            checked += 1
    assert checked >= 16  # eight containers, each with docker-init and its program


def test_nothing_can_be_written_but_volumes(compose):
    for container in compose.containers():
        for folder in ("/", "/tmp", "/etc", "/usr/local/bin", "/usr/local/share", "/secrets"):
            said = container.exec("sh", "-c", f"touch {folder}/x 2>/dev/null && echo written || true")
            assert "written" not in said, f"{container.name}: {folder}"


def test_memory_processes_and_files_are_limited(compose):
    for container in compose.containers():
        host = container.inspect()["HostConfig"]
        assert host["Memory"] > 0 and host["PidsLimit"] > 0, container.name
        assert [limit["Name"] for limit in host["Ulimits"]] == ["nofile"], container.name
        assert not host["Privileged"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], container.name
        assert host["ReadonlyRootfs"], container.name


def test_secrets_are_seen_by_those_who_need_them(compose):
    seen = {}
    for container in compose.containers():
        service = container.inspect()["Config"]["Labels"]["com.docker.compose.service"]
        seen[service] = set(container.exec("sh", "-c", "ls /secrets 2>/dev/null || true").split())
        environment = [word for word in container.inspect()["Config"]["Env"] if re.search("PASSWORD|SECRET|KEY", word)]
        assert all("_FILE=/secrets/" in word for word in environment), environment
    assert seen == {
        "balancer": set(),
        "http": set(),
        "prometheus": set(),
        "redis": {"admin_password", "users.acl"},
        "shard": {"cluster_secret", "redis_password", "admin_secret"},
        "gateway": {"cluster_secret", "redis_password", "token_keys", "tls_cert.pem", "tls_key.pem", "tls_ticket_keys"},
    }


def _commands(compose):
    """Full names and arities of all that this Redis knows."""
    script = 'REDISCLI_AUTH=$(cat /secrets/admin_password) redis-cli --user admin --json COMMAND'
    for command in json.loads(compose.one("redis").exec("sh", "-c", script)):
        for name, arity, *_ in command[9] or [command]:
            yield name.lower(), abs(arity)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_is_listed_and_nothing_else(compose, role):
    _, _, allowed = documented(role)
    commands = [(name, arity) for name, arity in _commands(compose) if name not in ALWAYS]
    lines = [" ".join(["ACL DRYRUN", role, *name.split("|"), *["x"] * (arity - 1 - name.count("|"))]) for name, arity in commands]
    answers = compose.redis_cli(lines)
    assert len(answers) == len(commands) > 300
    for (name, _), answer in zip(commands, answers):
        if name not in allowed:
            assert "no permissions to run the" in answer, f"{role} may {name}: {answer}"
        else:
            assert "no permissions to run the" not in answer, f"{role} may not {name}: {answer}"


@pytest.mark.parametrize("role", ROLES)
def test_with_the_password_of_a_role_nothing_dangerous_is_possible(compose, role):
    password = compose.secret(role, "redis_password").read_text().strip()
    assert "PONG" in compose.redis_cli(["PING"], role, password)[0]
    dangerous = ["FLUSHALL", "CONFIG GET dir", "KEYS *", "SHUTDOWN NOSAVE", "EVAL 'return 1' 0", "ACL LIST", "REPLICAOF NO ONE",
                 "SET other x", "MONITOR", "MODULE LIST", "CLIENT LIST"]
    for line, answer in zip(dangerous, compose.redis_cli(dangerous, role, password)):
        assert "NOPERM" in answer, f"{role}: {line}: {answer}"


def test_without_a_password_redis_says_nothing(compose):
    said = run("docker", "exec", compose.one("redis").id, "redis-cli", "GET", "x", check=False)
    assert "NOAUTH" in said
