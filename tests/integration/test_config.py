"""Options: flags over environment over file over defaults; clear words for what is wrong; the first seed of a canvas wins."""

import re
import subprocess

import pytest
from tessera.procs import ROOT, build_dir, clean_env, free_port, wait_until

PROGRAMS = ["tessera-gateway", "tessera-shard"]


def run(program, *args, env=None):
    argv = [build_dir() / program, *args]
    return subprocess.run(argv, env=clean_env(env), capture_output=True, text=True, timeout=20)


def printed(program, *args, env=None):
    """{name: (value, source)} of --print-config."""
    done = run(program, *args, "--print-config", env=env)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^(\S+) = (.*?)\s+# (.*)$", done.stdout, re.M)
    return {name: (value, source) for name, value, source in found}


def refused(program, *args, env=None):
    """The one line that says what is wrong."""
    done = run(program, *args, env=env)
    assert done.returncode == 2 and done.stdout == "", done
    lines = done.stderr.strip().splitlines()
    assert len(lines) <= 2, done.stderr
    return lines[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version(program):
    done = run(program, "--help")
    assert done.returncode == 0 and done.stderr == ""
    for name in printed(program):
        assert f"--{name}" in done.stdout, f"{name} is not in --help"
    done = run(program, "--version")
    assert done.returncode == 0 and re.fullmatch(rf"{program} \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("program", PROGRAMS)
def test_flag_over_environment_over_file_over_default(program, tmp_path):
    file = tmp_path / "config"
    file.write_text("# a comment\n\ncooldown = 7s\nwidth = 700\nheight = 701\n")
    env = {"TESSERA_CONFIG": str(file), "TESSERA_WIDTH": "800", "TESSERA_HEIGHT": "801"}
    values = printed(program, "--height", "901", env=env)
    assert [values[name][0] for name in ("cooldown", "width", "height", "tile-edge")] == ["7s", "800", "901", "256"]
    assert len({values[name][1] for name in ("cooldown", "width", "height", "tile-edge")}) == 4, "four sources"
    other = tmp_path / "other"
    other.write_text("width = 600\n")
    assert printed(program, f"--config={other}", env={"TESSERA_CONFIG": str(file)})["width"][0] == "600"


@pytest.mark.parametrize("program", PROGRAMS)
def test_secrets_come_from_files_and_are_not_shown(program, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s" * 40 + "\n")
    for args, env in (
        (["--cluster-secret-file", secret], {}),
        ([], {"TESSERA_CLUSTER_SECRET_FILE": str(secret)}),
        ([], {"TESSERA_CLUSTER_SECRET": "s" * 40}),
    ):
        done = run(program, *args, "--print-config", env=env)
        assert done.returncode == 0 and "ssss" not in done.stdout
        assert printed(program, *args, env=env)["cluster-secret"][0] == "***"
    missing = tmp_path / "missing"
    assert str(missing) in refused(program, f"--cluster-secret-file={missing}")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "args, words",
    [
        (["--width=0"], ["width", "0", "1", "65536"]),
        (["--width", "65537"], ["width", "65537", "65536"]),
        (["--width=12x"], ["width", "12x"]),
        (["--tile-edge=100"], ["tile-edge", "100", "64", "128", "256"]),
        (["--cooldown=5"], ["cooldown", "5"]),
        (["--cooldown=-1s"], ["cooldown", "-1s"]),
        (["--cooldown=25h"], ["cooldown", "25h"]),
        (["--guests-per-address=1025"], ["guests-per-address", "1025", "1024"]),
        (["--palette=white=#FFFFFF"], ["palette"]),
        (["--palette=white=#FFFFFF,black=#00000"], ["palette"]),
        (["--redis=nowhere"], ["redis", "nowhere"]),
        (["--log-level=loud"], ["log-level", "loud"]),
        (["--nonsense=1"], ["nonsense"]),
        (["stray"], ["stray"]),
    ],
)
def test_values_that_cannot_be(program, args, words):
    needed = ["--cluster-secret", "s" * 40]
    if program == "tessera-gateway":
        needed += ["--token-keys", "k1 " + "0" * 64]
    said = refused(program, *needed, *args)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("program", PROGRAMS)
def test_mistakes_in_environment_and_file_are_named_with_their_place(program, tmp_path):
    assert "TESSERA_WIDHT" in refused(program, env={"TESSERA_WIDHT": "5"})
    said = refused(program, env={"TESSERA_WIDTH": "wide"})
    assert "width" in said and "wide" in said and "environment" in said, said
    file = tmp_path / "config"
    for line, word in (("widht = 5", "widht"), ("width = wide", "wide"), ("width 5", "name = value")):
        file.write_text(f"# first line\n{line}\n")
        said = refused(program, "--config", file)
        assert word in said and (f"{file} line 2" in said or "configuration file" in said), said
    assert str(tmp_path / "none") in refused(program, "--config", tmp_path / "none")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_without_what_it_needs_says_so(program):
    assert "cluster-secret" in refused(program)
    assert "cluster-secret" in refused(program, "--cluster-secret=short")


def test_token_keys_that_cannot_be(tmp_path):
    keys = tmp_path / "keys"
    for text in ("", "k1 abc\n", "k1\n", "k1 " + "0" * 64 + "\nk1 " + "1" * 64 + "\n"):
        keys.write_text(text)
        said = refused("tessera-gateway", "--cluster-secret", "s" * 40, "--token-keys-file", keys)
        assert "token-keys" in said, said


def test_options_that_contradict_each_other():
    needed = ["--cluster-secret", "s" * 40, "--token-keys", "k1 " + "0" * 64]
    for args, word in (
        (["--listen=127.0.0.1:9", "--proxy-listen=127.0.0.1:9"], "proxy-listen"),
        (["--tls-cert=cert.pem"], "tls-key"),
        (["--tick-min=2s", "--tick-max=1s"], "tick-min"),
    ):
        assert word in refused("tessera-gateway", *needed, *args)


def test_an_address_in_use_is_said(make_cluster):
    cluster = make_cluster(shards=1, gateways=1)
    args = cluster.common_args()
    for program, listen in (("tessera-shard", cluster.shards[0].address), ("tessera-gateway", cluster.gateways[0].metrics)):
        extra = ["--token-keys-file", cluster.path / "token_keys", "--web-dir", ROOT / "web"]
        extra = extra if program == "tessera-gateway" else []
        done = run(program, "--metrics", f"127.0.0.1:{free_port()}", "--listen", listen, *args, *extra)
        assert done.returncode not in (0, -6, -11) and listen in done.stderr, done


def test_the_first_seed_wins_and_a_differing_flag_warns(make_cluster):
    cluster = make_cluster(width=300, height=200, cooldown="90s", tile_edge=64, palette="paper=#ffffff,ink=#000000")
    cluster.options[:] = ["--width=800", "--height=200", "--cooldown=1s", "--tile-edge=64"]
    late = [cluster.add_gateway(), cluster.add_shard()]
    for process in late:
        process.start()
        said = process.proc.log_text()
        warning = [line for line in said.splitlines() if "warn" in line and "stored" in line]
        assert warning and "width 800 (stored 300)" in warning[0] and "height" not in warning[0], said
        assert "cooldown" in warning[0]
    canvas = late[0].canvas()
    assert (canvas["width"], canvas["height"], canvas["cooldown_ms"], canvas["tile_edge"]) == (300, 200, 90_000, 64)
    assert canvas["palette"] == [{"name": "paper", "rgb": "#ffffff"}, {"name": "ink", "rgb": "#000000"}]
    for process in cluster.gateways[:2]:
        assert "stored" not in process.proc.log_text()


def test_any_order_of_starting_comes_up(make_cluster, workdir):
    """Gateways and shards wait for Redis, gateways for a shard; /readyz tells what is missing."""
    cluster = make_cluster(shards=1, gateways=1)
    gateway, shard, redis = cluster.gateways[0], cluster.shards[0], cluster.redis
    for process in (gateway, shard, redis):
        process.proc.stop()

    def reason():
        reply = gateway.get("/readyz")
        return reply.status == 503 and reply.body.decode()

    gateway.start(wait=False)
    assert "redis" in wait_until(reason, 20, "not ready").lower()
    assert gateway.get("/livez").status == 200
    redis.start()
    wait_until(lambda: "shard" in (reason() or "").lower(), 20, "no shard")
    shard.start()
    gateway.wait_ready()


def test_readme_names_only_options_that_there_are():
    readme = (ROOT / "README.md").read_text()
    known = {program: set(printed(program)) for program in PROGRAMS}
    rows = re.findall(r"^\| `--([a-z-]+)` \| ([a-z, ]+) \|", readme, re.M)
    assert len(rows) >= 10, "the table of options is in README.md"
    for name, programs in rows:
        for program in programs.split(", "):
            assert name in known[f"tessera-{program}"], f"--{name} of {program}"
