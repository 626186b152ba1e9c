"""The README's Install, typed on a machine with a real systemd: the units start, stop, reload, restart and come back after a boot
as they say, and their sandboxes hold. In the order in which they stand here: each test leaves the machine as the next finds it."""

import json
import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest
from compose import Players, root_options, run, status_of, words
from machine import ADDRESS, CTL, UNITS, Machine, readme
from tessera import http
from tessera.procs import Failure, wait_until
from tls_fixture import certificate

GATEWAYS = [unit for unit in UNITS if "gateway" in unit]
ETC = "etc/tessera"


@pytest.fixture(scope="module")
def bare():
    """The machine without Tessera. Where not even that comes up, none of this can be tried."""
    machine = Machine()
    try:
        machine.boot()
    except (Failure, AssertionError, OSError) as problem:
        machine.off()
        pytest.skip(f"NO SYSTEMD CAN BE BOOTED HERE: {problem}")
    yield machine
    machine.off()


@pytest.fixture(scope="module")
def machine(bare):
    # What `make setup` brings to build with, 400 MB of it, is not needed: what is installed is built already.
    commands = readme("### Install")
    assert commands.startswith("make setup && make install ")
    bare.shell(commands.removeprefix("make setup && "))
    return bare


@pytest.fixture
def players(machine, tmp_path):
    crowd = Players(machine, tmp_path)
    yield crowd
    crowd.kill()


def metrics(unit):
    """The address of a unit's metrics port."""
    name, _, number = unit.partition("@")
    return f"127.0.0.1:{9100 if name == 'tessera-gateway' else 9200}"[:-1] + number


def metric(unit, name):
    text = http.get(metrics(unit), "/metrics").body.decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)[1])


def wait_again(machine, unit, before):
    """Until another process of the unit serves, and nobody had to ask for it."""
    wait_until(lambda: machine.is_serving(unit) and machine.pid(unit) != before, 120, f"{unit} serves again", every=0.1)


def wait_journal(machine, unit, text):
    """Until the journal, which takes its time, has what was said."""
    wait_until(lambda: text in machine("journalctl", "--no-pager", "-u", unit), 30, f"{text} in the journal of {unit}")


def test_a_start_is_over_when_all_can_serve(machine):
    """Nothing is waited for: `systemctl enable --now` has."""
    for unit in UNITS:
        assert machine.is_serving(unit) and machine.show(unit, "NRestarts", "Result") == ["0", "success"], machine.journal()
    for unit in UNITS[1:]:
        assert http.get(metrics(unit), "/readyz").status == 200, unit
        assert machine.show(unit, "StatusText") == "serving"
    page = http.get(ADDRESS, "/")
    assert page.status == 200 and b"<title>" in page.body
    assert not machine.failed()


def test_redis_is_there_before_the_others(machine):
    ready = int(machine.show("tessera-redis", "ActiveEnterTimestampMonotonic"))
    assert all(0 < ready <= int(machine.show(unit, "ExecMainStartTimestampMonotonic")) for unit in UNITS[1:])


def test_tessera_ctl_knows_and_changes_it(machine):
    status = json.loads(machine(*CTL, "--json", "status"))
    assert len(status["shards"]) == 2 and len(status["gateways"]) == 2
    machine(*CTL, "set", "guests-per-address", "0")  # all of the players are at one address
    machine(*CTL, "set", "cooldown", "250ms")
    wait_until(lambda: json.loads(http.get(ADDRESS, "/api/v1/canvas").body)["cooldown_ms"] == 250, 30, "the gateways know the cooldown")
    assert "set cooldown" in machine(*CTL, "audit")


# ---- What a process may ----------------------------------------------------------------------------------------------


def test_who_they_are_and_what_they_may(machine):
    number = {name: machine("id", "-u", name).strip() for name in ("tessera", "tessera-redis")}
    assert "0" not in number.values() and len(set(number.values())) == 2
    first = machine.first()
    for unit in UNITS:
        pid = machine.pid(unit)
        status = status_of(pid)
        assert set(words(status["Uid"])) == {number["tessera-redis" if unit == "tessera-redis" else "tessera"]}, unit
        assert "0" not in words(status["Gid"]) + words(status["Groups"]), unit
        # One capability, CAP_NET_BIND_SERVICE, and that at the gateways.
        allowed = 1 << 10 if unit in GATEWAYS else 0
        assert {int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {allowed}, unit
        assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", unit
        assert "ro" in root_options(pid), unit
        for kind in ("mnt", "ipc", "uts") + (() if unit in GATEWAYS else ("user",)):
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/{first}/ns/{kind}"), f"{unit}: {kind}"


def test_limits_are_set(machine):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # an engine that may not raise limits has no more to give
    for unit, files in zip(UNITS, (65536, 1048576, 1048576, 1048576, 1048576)):
        assert machine.show(unit, "LimitNOFILE", "LimitNOFILESoft") == [str(files)] * 2
        soft = int(re.search(r"Max open files +(\d+)", Path(f"/proc/{machine.pid(unit)}/limits").read_text())[1])
        assert soft == min(files, most) or soft == files, unit


def test_secrets_are_read_by_those_who_need_them(machine):
    by = {}
    for line in machine("find", "/etc/tessera", "-type", "f", "-printf", "%u:%g:%m %f\\n").splitlines():
        who, name = line.split(" ")
        by.setdefault(who, set()).add(name)
    assert by == {
        "root:root:644": {"gateway.conf", "shard.conf", "redis.conf", "ctl.conf", "shard-0.env"},
        "root:root:640": {"redis_admin_password", "redis_ctl_password"},
        "root:tessera:640": {"cluster_secret", "admin_secret", "token_keys", "ticket_keys", "redis_gateway_password", "redis_shard_password"},
        "root:tessera-redis:640": {"users.acl"},
    }
    assert "NOAUTH" in machine("redis-cli", "-p", "6380", "PING", check=False)
    # What is there already stays.
    before = machine.shell("cat /etc/tessera/*_secret /etc/tessera/*_password /etc/tessera/*_keys /etc/tessera/users.acl")
    machine("/usr/local/share/tessera/secrets", "/etc/tessera")
    assert machine.shell("cat /etc/tessera/*_secret /etc/tessera/*_password /etc/tessera/*_keys /etc/tessera/users.acl") == before


# Each line is a name, whether it is allowed (to the gateway, the shard, Redis), and the command.
PROBES = """
nothing         +++  true
write etc       ---  touch /etc/tessera/$$
write page      ---  touch /usr/local/share/tessera/$$
write var       ---  touch /var/lib/tessera-probe/$$
write state     --+  touch /var/lib/tessera-redis/$$
read canvas     --+  ls /var/lib/tessera-redis/appendonlydir
read home       ---  cat /home/somebody
read others     ---  cat /proc/1/cmdline
signal others   ---  bash -c 'kill -0 1'
see /tmp        ---  cat /tmp/probe
write /tmp      +++  touch /tmp/$$
see devices     ---  cat /dev/probe
kernel settings --+  cat /proc/sys/vm/overcommit_memory
set user id     ---  cp /bin/true /tmp/u && chmod u+s /tmp/u
user namespace  ---  unshare --user true
personality     ---  setarch --addr-no-randomize true
low port        +--  perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0) && bind(S, sockaddr_in(81, INADDR_LOOPBACK)) or die $!'
tcp             +++  perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0) or die $!'
netlink         ---  perl -e 'socket(S, 16, 3, 0) or die $!'
packets         ---  perl -e 'socket(S, 17, 3, 0) or die $!'
memory          +++  perl -e 'syscall($ENV{MMAP}, 0, 4096, 3, 34, -1, 0) != -1 or die $!'
code            ---  perl -e 'syscall($ENV{MMAP}, 0, 4096, 7, 34, -1, 0) != -1 or die $!'
kernel log      ---  dmesg
"""
MMAP = {"x86_64": 9, "aarch64": 222}[os.uname().machine]


def test_sandboxes_hold(machine):
    """What a process tries in the place of each program, in its sandbox. Outside of it, as root, all of that works."""
    probes = [re.fullmatch(r"(.{15}) ([+-]{3})  (.*)", line).groups() for line in PROBES.strip().splitlines()]
    machine.shell("mkdir -m 777 /var/lib/tessera-probe; echo x >/home/somebody; echo x >/tmp/probe; mknod -m 666 /dev/probe c 1 3")
    script = f"exec 2>/dev/null\nexport MMAP={MMAP}\n" + "\n".join(f"({command}) >/dev/null && echo + || echo -" for _, _, command in probes)
    (machine.root / "usr/local/bin/probe").write_text(f"#!/bin/bash\n{script}\n")
    (machine.root / "usr/local/bin/probe").chmod(0o755)
    assert machine("probe").split() == ["+"] * len(probes), [name for (name, _, _), said in zip(probes, machine("probe").split()) if said == "-"]
    for column, unit in enumerate(("tessera-gateway@", "tessera-shard@", "tessera-redis")):
        text = (machine.root / f"usr/local/lib/systemd/system/{unit}.service").read_text().replace("%i", "9")
        text = re.sub(r"(?m)^ExecStart=.*", f"ExecStart=/usr/local/bin/probe\nStandardOutput=file:/run/probe-{column}", text)
        text = re.sub(r"(?m)^Type=.*", "Type=oneshot", re.sub(r"(?m)^(Restart|Watchdog).*\n", "", text))
        machine("tee", f"/run/systemd/system/probe-{column}.service", input=text)
        machine("systemctl", "start", f"probe-{column}")
        said = machine("cat", f"/run/probe-{column}").split()
        wanted = [allowed[column] for _, allowed, _ in probes]
        assert said == wanted, (unit, [(name, got) for (name, _, _), got, want in zip(probes, said, wanted) if got != want])


# ---- Reload ----------------------------------------------------------------------------------------------------------


def test_reload_takes_certificate_and_keys(machine, tmp_path):
    """TLS is turned on as gateway.conf says; what is renewed is taken while people draw, and nobody is dropped."""
    shown = {}
    for name in ("one", "two"):
        shown[name] = certificate(tmp_path, name)
    etc = machine.root / ETC

    def put(name):
        for source, target in zip(shown[name], ("tls_cert.pem", "tls_key.pem")):
            (etc / target).write_bytes(source.read_bytes())

    put("one")
    machine.shell("""cd /etc/tessera
                     sed -i -E 's/^#(tls-)/\\1/' gateway.conf
                     for n in 0 1; do echo TESSERA_DRAIN_SPREAD=1s >gateway-$n.env; done
                     systemctl restart tessera-gateway@0 tessera-gateway@1""")
    machine.url = f"wss://{ADDRESS}"
    players = Players(machine, tmp_path)
    try:
        assert machine.certificates() == {shown["one"][0].read_text()}
        put("two")
        before = [machine.pid(unit) for unit in GATEWAYS]
        machine("systemctl", "reload", *GATEWAYS)
        wait_until(lambda: machine.certificates() == {shown["two"][0].read_text()}, 30, "both show the new certificate")

        keys = (etc / "ticket_keys").read_text().split()
        reloads = [metric(unit, 'tessera_gateway_reloads_total{result="ok"}') for unit in GATEWAYS]
        machine("systemctl", "start", "tessera-ticket-keys.service")
        now = (etc / "ticket_keys").read_text().split()
        assert len(now) == 2 and now[1:] == keys and re.fullmatch("[0-9a-f]{64}", now[0])
        assert machine("stat", "-c", "%U %G %a", "/etc/tessera/ticket_keys").split() == ["root", "tessera", "640"]
        wait_until(lambda: [metric(unit, 'tessera_gateway_reloads_total{result="ok"}') for unit in GATEWAYS] == [n + 1 for n in reloads], 30,
                   "both have read the keys")
        assert [metric(unit, "tessera_gateway_reload_ok") for unit in GATEWAYS] == [1, 1]
        assert [machine.pid(unit) for unit in GATEWAYS] == before
        players.progress("all was renewed")
        assert players.stop()["reconnects"] == 0
    finally:
        players.kill()


def test_keys_change_once_a_day(machine):
    machine("systemctl", "enable", "--now", "tessera-ticket-keys.timer")
    due = int(machine.show("tessera-ticket-keys.timer", "NextElapseUSecRealtime") and
              json.loads(machine("systemctl", "list-timers", "-o", "json", "tessera-ticket-keys.timer"))[0]["next"]) / 1e6
    assert 0 < due - time.time() <= 25 * 3600


# ---- Stop, restart, death --------------------------------------------------------------------------------------------


def test_a_stop_drains_and_a_restart_loses_nothing(machine, players):
    """One after the other, while people draw: each ends by itself, in time, and they go to the others."""
    for unit in UNITS[1:]:
        start = time.monotonic()
        machine("systemctl", "stop", unit)
        took = time.monotonic() - start
        assert took < int(machine.show(unit, "TimeoutStopUSec").rstrip("s")) - 5, f"{unit}: {took}"
        assert machine.show(unit, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"], unit
        players.progress(f"without {unit}")
        machine("systemctl", "start", unit)
        assert http.get(metrics(unit), "/readyz").status == 200
        players.progress(f"{unit} is back")
    summary = players.stop()
    assert summary["verdicts"]["unavailable"] == 0 and summary["reconnects"] > 0


def test_what_is_killed_is_started_again(machine, players):
    for unit in ("tessera-redis", "tessera-shard@0", "tessera-gateway@0"):
        before = machine.pid(unit)
        os.kill(before, signal.SIGKILL)
        wait_again(machine, unit, before)
        assert int(machine.show(unit, "NRestarts")) == 1
        players.progress(f"{unit} was killed")
    players.stop()
    redis = Path(f"/proc/{machine.pid('tessera-redis')}/cmdline").read_bytes()
    assert b"redis-server" in redis


def test_what_hangs_is_started_again(machine, players):
    units = ["tessera-shard@1", "tessera-gateway@1"]
    machine.shell("""for unit in tessera-shard@1 tessera-gateway@1; do
                         mkdir -p /run/systemd/system/$unit.service.d
                         printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/$unit.service.d/test.conf
                     done
                     systemctl daemon-reload; systemctl restart tessera-shard@1 tessera-gateway@1""")
    before = [machine.pid(unit) for unit in units]
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    for unit, pid in zip(units, before):
        wait_again(machine, unit, pid)
        wait_journal(machine, unit, "Failed with result 'watchdog'")
    players.progress("what hung is back")
    players.stop()
    machine.shell("rm -r /run/systemd/system/tessera-*.d; systemctl daemon-reload; systemctl restart tessera-shard@1 tessera-gateway@1")


def test_wrong_options_are_not_tried_again(machine):
    machine.shell("echo TESSERA_LISTEN=nonsense >/etc/tessera/gateway-7.env")
    machine("systemctl", "start", "tessera-gateway@7", check=False)
    assert machine.show("tessera-gateway@7", "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "2", "0"]
    wait_journal(machine, "tessera-gateway@7", "listen")
    machine.shell("systemctl reset-failed tessera-gateway@7; rm /etc/tessera/gateway-7.env")


# ---- Boot, and the end -----------------------------------------------------------------------------------------------


def test_it_is_there_again_after_a_boot(machine):
    before = machine.canvas()
    machine.reboot()
    for unit in UNITS:
        assert machine.is_serving(unit) and machine.show(unit, "NRestarts") == "0", machine.journal()
    test_redis_is_there_before_the_others(machine)
    assert not machine.failed()
    after = machine.canvas()
    assert after.colors == before.colors and after.positions == before.positions and len(after.all_placements()) > 100
    assert machine.show("tessera-ticket-keys.timer", "ActiveState") == "active"


def test_it_can_be_taken_away(machine):
    machine("systemctl", "disable", "--now", *UNITS, "tessera-ticket-keys.timer")
    machine("make", "uninstall")
    machine("systemctl", "daemon-reload")
    assert machine("systemctl", "list-unit-files", "--no-legend", "tessera-*", check=False).split() == []
    left = machine.shell("find / -xdev -path '*tessera*' -not -path '/usr/src/*' -not -path '/proc/*' | sort").split()
    assert [path for path in left if not re.match("/(etc/tessera|var/lib/tessera-(redis|probe)|var/lib/systemd/timers)", path)] == []
    assert "/etc/tessera/token_keys" in left and "/var/lib/tessera-redis/appendonlydir" in left
