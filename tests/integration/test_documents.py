"""What the documents say in names and numbers is what is built. (METRICS.md: test_metrics.py; the users of Redis: test_access.py.)"""

import re
import subprocess

import pytest
from tessera.procs import ROOT, build_dir, clean_env
from tessera.protocol import Verdict

DOCUMENTS = ["README.md", "proto/PROTOCOL.md", "proto/REDIS.md", "proto/ADMIN.md", "deploy/METRICS.md", "tests/bench/SCALING.md"]
PROGRAMS = ["gateway", "shard", "ctl", "load"]


def text(path):
    return (ROOT / path).read_text()


def folded(path):
    """Lines are broken anywhere."""
    return re.sub(r"\s+", " ", text(path))


def number(path, name):
    """A #define, one of a table by name, a constant of JavaScript or Lua."""
    factor, shift = re.search(rf"\b{name}\b\]?(?: =)? \(?(\d+)u?(?: << (\d+))?", text(path)).groups()
    return int(factor) << int(shift or 0)


def program_help(program):
    argv = [build_dir() / f"tessera-{program}", "--help"]
    return subprocess.run(argv, env=clean_env(), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def options():
    """{name: its help, of the program that has it} with the default."""
    found = {}
    for program in PROGRAMS:
        for name, words in re.findall(r"^  --([a-z-]+).*\n      (.*)$", program_help(program), re.M):
            found.setdefault(name, words)
    return found


def rows(path, heading):
    """The cells of the first table below a heading, without its head."""
    below = text(path).split(f"{heading}\n", 1)[1]
    table = re.search(r"(?m)^\|.*\n\|[-| :]+\|\n((?:\|.*\n)+)", below)[1]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_points_to_is_there(document):
    heading = lambda line: re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-")
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text(document)):
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document} points to {path}"
        if anchor:
            assert anchor in map(heading, re.findall(r"(?m)^#+ (.*)$", target.read_text())), f"{document} points to {path}#{anchor}"
    for path in re.findall(r"`((?:common|deploy|gateway|proto|shard|tests|vectors|web)/[\w./-]+)`", text(document)):
        assert (ROOT / path).exists() or ((ROOT / document).parent / path).exists(), f"{document} names {path}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_options_targets_and_metrics_that_are_named_exist(document, options):
    words = text(document)
    for name in re.findall(r"`--([a-z-]+)", words):
        assert name in options or name in ("config", "print-config", "help"), f"{document} names --{name}"
    for name in re.findall(r"`TESSERA_([A-Z_]+)=", words):
        assert name.lower().replace("_", "-") in options, f"{document} names TESSERA_{name}"
    makefiles = [ROOT / "Makefile", *ROOT.glob("tests/**/*.mk"), *ROOT.glob("deploy/**/*.mk")]
    targets = {name for file in makefiles for line in re.findall(r"(?m)^([\w -]+):(?!=)", file.read_text()) for name in line.split()}
    for name in re.findall(r"(?:`|^|&& )(?:[A-Z]+=\S+ )*make ([a-z][a-z-]*)", words, re.M):
        assert name in targets, f"{document} names make {name}"
    metrics = set(re.findall(r"(?m)^\| `(\w+)`", text("deploy/METRICS.md")))
    for name in re.findall(r"`(tessera_(?!session)\w*[a-z])\b", words):
        assert name in metrics, f"{document} names {name}"


def test_defaults_that_are_said_are_those_of_the_programs(options):
    found = re.findall(r"`([a-z_]+)` \(default ([0-9a-z]+)", folded("proto/PROTOCOL.md"))
    assert len(found) >= 6
    for name, value in found:
        words = options[name.replace("_", "-")]
        assert f"default: {value}" in words or f"-1 for {value}" in words, f"{name} (default {value}), but: {words}"


def test_variables_of_make_run():
    head = text("deploy/run-cluster").split("set -euo")[0]
    table = rows("README.md", "on this machine only, unless you say otherwise, as in `COOLDOWN=5s PORT=8090 make run`:")
    assert len(table) >= 6
    for names, default, _ in table:
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b{name}={re.escape(default)}(?!\S)", head), f"{name} | {default}"


def test_scripts():
    said = {name for name, *_ in rows("proto/REDIS.md", "## Scripts")}
    assert said == {f"`{file.name}`" for file in (ROOT / "proto/lua").glob("*.lua")}


def test_verdicts_and_close_codes():
    verdicts = {name: int(code) for code, name, *_ in rows("proto/PROTOCOL.md", "### Verdicts")}
    assert verdicts == {verdict.name: int(verdict) for verdict in Verdict}
    assert verdicts == {name: int(code) for name, code in re.findall(r"VERDICT_(?!COUNT)(\w+) = (\d+)", text("proto/verdict.h"))}
    codes = {int(code) for code, *_ in rows("proto/PROTOCOL.md", "### Close codes")}
    assert codes == set(map(int, re.findall(r"WS_CLOSE_\w+ = (\d+)", text("proto/ws_proto.h"))))


LIMITS, HTTP, EDGE = "proto/limits.h", "gateway/http.h", "gateway/edge_internal.h"
PLAIN, COMMAS, KIB, MIB, SECONDS = "{}", "{:,}", "{} KiB", "{} MiB", "{} s"
UNIT = {KIB: 1 << 10, MIB: 1 << 20, SECONDS: 1000}


@pytest.mark.parametrize("document, words, form, path, name", [
    ("PROTOCOL", "| request head, bytes | # |", PLAIN, HTTP, "HTTP_HEAD_MAX"),
    ("PROTOCOL", "| header fields | # |", PLAIN, HTTP, "HTTP_HEADERS_MAX"),
    ("PROTOCOL", "| request body, bytes (only `POST` and `PUT` may have one) | # |", PLAIN, HTTP, "HTTP_BODY_MAX"),
    ("PROTOCOL", "| requests per connection | # |", PLAIN, "gateway/http_conn.c", "REQUESTS_PER_CONN"),
    ("PROTOCOL", "a quarter of the sockets, at most #", PLAIN, "gateway/edge.c", "HANDSHAKES_MAX"),
    ("PROTOCOL", "| bodies on their way to all clients | #,", MIB, EDGE, "EDGE_BODY_BYTES_MAX"),
    ("PROTOCOL", "| time for the whole head, from accept or from the end of the last response | # (first)", SECONDS, "gateway/edge.c",
     "CONN_LIST_HEAD"),
    ("PROTOCOL", "(first), # (kept alive)", SECONDS, "gateway/edge.c", "CONN_LIST_KEEPALIVE"),
    ("PROTOCOL", "| an answer of which the client takes nothing | # |", SECONDS, "gateway/edge.c", "CONN_LIST_STALL"),
    ("PROTOCOL", "pings between its frames or not | #; up to", SECONDS, "gateway/edge.c", "CONN_LIST_MESSAGE"),
    ("PROTOCOL", "| time to HELLO | # ", SECONDS, "gateway/edge.c", "CONN_LIST_HELLO"),
    ("PROTOCOL", "whole within #; everything else is closed", SECONDS, "gateway/edge.c", "CONN_LIST_PROXY"),
    ("PROTOCOL", "A gateway answers at most # lookups of pixels a second", PLAIN, EDGE, "EDGE_PIXELS_PER_SECOND"),
    ("PROTOCOL", "and works on # questions at once", PLAIN, EDGE, "EDGE_LOOKUPS_WAITING_MAX"),
    ("PROTOCOL", "a burst of # times that, at least", PLAIN, "gateway/limits.h", "LIMITS_LOOKUP_BURST"),
    ("PROTOCOL", "times that, at least #;", PLAIN, "gateway/limits.h", "LIMITS_LOOKUP_MAX"),
    ("PROTOCOL", "the heat or reading `/api/v1/me` #,", PLAIN, "gateway/api_me.c", "READ_COST"),
    ("PROTOCOL", "a region #,", PLAIN, "gateway/api.c", "REGION_COST"),
    ("PROTOCOL", "writing `/api/v1/me` #.", PLAIN, "gateway/api_me.c", "WRITE_COST"),
    ("PROTOCOL", "of the cookies of that name (the first #)", PLAIN, "gateway/session.h", "SESSION_COOKIES_MAX"),
    ("PROTOCOL", "`w`, `h` (1 … # pixels each)", PLAIN, "gateway/region.h", "REGION_SIDE_MAX"),
    ("PROTOCOL", "`scale` (1 … #, default 1;", PLAIN, "gateway/region.h", "REGION_SCALE_MAX"),
    ("PROTOCOL", "`w * scale` and `h * scale` at most #)", PLAIN, "gateway/region.h", "REGION_PICTURE_MAX"),
    ("PROTOCOL", "with `history` 0 … # ", PLAIN, "gateway/store.h", "STORE_PLACEMENTS_MAX"),
    ("PROTOCOL", '{"half_life_ms":#,', PLAIN, "gateway/store.h", "STORE_HEAT_HALF_LIFE_MS"),
    ("PROTOCOL", "up to # tiles, the hottest first", PLAIN, "gateway/store.h", "STORE_HEAT_MAX"),
    ("PROTOCOL", "| message, bytes | # (a HELLO", PLAIN, LIMITS, "LIMIT_WS_MESSAGE"),
    ("PROTOCOL", "| frames per message | # |", PLAIN, LIMITS, "LIMIT_WS_FRAMES"),
    ("PROTOCOL", "| watched tiles | # |", PLAIN, LIMITS, "LIMIT_WATCH_TILES"),
    ("PROTOCOL", "| tiles new to the watch, or resumed, per client | # a second", PLAIN, LIMITS, "LIMIT_NEW_TILES_PER_S"),
    ("PROTOCOL", "a second, burst # (HELLO counts)", PLAIN, LIMITS, "LIMIT_NEW_TILES_BURST"),
    ("PROTOCOL", "| # a second, burst 20,480;", PLAIN, LIMITS, "LIMIT_ADDRESS_TILES_PER_S"),
    ("PROTOCOL", "| 2560 a second, burst #;", COMMAS, LIMITS, "LIMIT_ADDRESS_TILES_BURST"),
    ("PROTOCOL", "| draws in flight per connection | #;", PLAIN, "gateway/edge.c", "IN_FLIGHT_MAX"),
    ("PROTOCOL", "; # when the cooldown is 0 |", PLAIN, "gateway/edge.c", "IN_FLIGHT_MAX_FREE"),
    ("PROTOCOL", "burst twice that; with cooldown 0: #)", PLAIN, "gateway/edge.c", "MESSAGE_RATE_FREE"),
    ("PROTOCOL", "| queue of unsent verdicts and control frames | # |", KIB, "gateway/outbox.h", "OUTBOX_MAX"),
    ("PROTOCOL", "`count` is 1 to #.", PLAIN, LIMITS, "LIMIT_TILE_FRAME_UPDATES"),
    ("PROTOCOL", "a line of at most # bytes, `TCP4`", PLAIN, "gateway/proxy.h", "PROXY_V1_LEN_MAX"),
    ("PROTOCOL", "Version 2: at most # bytes", PLAIN, "gateway/proxy.h", "PROXY_LEN_MAX"),
    ("PROTOCOL", "silence of # means a dead connection", SECONDS, "web/src/connection.js", "SILENCE_MS"),
    ("PROTOCOL", "at most once in #,", SECONDS, "gateway/edge_broadcast.c", "STATUS_MIN_MS"),
    ("PROTOCOL", "doubling to #, each with a random factor", SECONDS, "web/src/connection.js", "BACKOFF_MAX_MS"),
    ("PROTOCOL", "(of what follows, at most #)", COMMAS, LIMITS, "LIMIT_LINK_MESSAGE"),
    ("PROTOCOL", "`[5, verdicts bin(17 n)]`, n = 1 … # |", PLAIN, LIMITS, "LIMIT_BATCH_DRAWS"),
    ("PROTOCOL", "The challenge is done within # of the connection", SECONDS, "shard/link_server.h", "LINK_SERVER_HANDSHAKE_MS"),
    ("PROTOCOL", "The gateway sends PING after # without", SECONDS, "gateway/shard_link.h", "SHARD_LINK_PING_MS"),
    ("PROTOCOL", "takes the link for lost after # without", SECONDS, "gateway/shard_link.h", "SHARD_LINK_SILENCE_MS"),
    ("PROTOCOL", "The shard closes after # of silence", SECONDS, "shard/link_server.h", "LINK_SERVER_SILENCE_MS"),
    ("PROTOCOL", "holding the draws for at most # ms, then NOT_OWNER", PLAIN, "shard/place.h", "PLACE_HOLD_MS"),
    ("PROTOCOL", "after # ms, doubling to 500 ms", PLAIN, "gateway/route.h", "ROUTE_RETRY_MIN_MS"),
    ("PROTOCOL", "after 10 ms, doubling to # ms", PLAIN, "gateway/route.h", "ROUTE_RETRY_MAX_MS"),
    ("PROTOCOL", "; # after its arrival at the gateway a draw is answered UNAVAILABLE", SECONDS, "gateway/route.h", "ROUTE_GIVE_UP_MS"),
    ("PROTOCOL", "In flight on one link: # draws", PLAIN, LIMITS, "LIMIT_LINK_IN_FLIGHT"),
    ("PROTOCOL", "they wait at the gateway, at most # over all tiles", COMMAS, LIMITS, "LIMIT_GATEWAY_WAITING"),
    ("PROTOCOL", "Waiting at one shard: # draws", COMMAS, LIMITS, "LIMIT_SHARD_WAITING"),
    ("PROTOCOL", "Links per shard: #.", PLAIN, LIMITS, "LIMIT_SHARD_LINKS"),
    ("PROTOCOL", "the whole canvas, up to # x", PLAIN, LIMITS, "LIMIT_WHOLE_CANVAS"),
    ("REDIS", "unless there are #; raises `view`", PLAIN, LIMITS, "LIMIT_MEMBERS"),
    ("REDIS", "| shard, every # ms | renews its lease", PLAIN, "shard/membership.h", "MEMBERSHIP_BEAT_MS"),
    ("REDIS", "| gateway, every # | writes its connections", SECONDS, "gateway/cluster_state.c", "BEAT_MS"),
    ("REDIS", "every # for tiles placed on in the last 3 s", SECONDS, "shard/place.h", "PLACE_BEAT_EVERY_MS"),
    ("REDIS", "for tiles placed on in the last # |", SECONDS, "shard/place.h", "PLACE_BEAT_AFTER_MS"),
    ("REDIS", "Generation = TIME in ms / #.", COMMAS, "proto/lua/take.lua", "GENERATION_MS"),
    ("REDIS", "t in ms, half-life #:", COMMAS, "gateway/store.h", "STORE_HEAT_HALF_LIFE_MS"),
    ("ADMIN", "| connections | # |", PLAIN, "common/admin/admin.h", "ADMIN_CONNECTIONS_MAX"),
    ("ADMIN", "| time to RESPONSE | # |", SECONDS, "common/admin/admin.h", "ADMIN_HANDSHAKE_MS"),
    ("ADMIN", "| COMMAND | # |", KIB, "proto/admin_proto.h", "ADMIN_COMMAND_MAX"),
    ("ADMIN", "| ANSWER | # |", MIB, "proto/admin_proto.h", "ADMIN_ANSWER_MAX"),
    ("ADMIN", "| silence | # |", SECONDS, "common/admin/admin.h", "ADMIN_SILENCE_MS"),
])
def test_a_limit_is_as_it_is_built(document, words, form, path, name):
    value = number(path, name)
    assert value % UNIT.get(form, 1) == 0
    said = words.replace("#", form.format(value // UNIT.get(form, 1)))
    assert said in folded(f"proto/{document}.md"), f"{name} is {value}"
