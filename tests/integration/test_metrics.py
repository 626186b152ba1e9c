"""What both programs tell of themselves: the document names exactly what is there, promtool finds nothing, nothing is per person."""

import json
import re
import subprocess

from raw import Raw, binary
from tessera import http, protocol
from tessera.cluster import metric
from tessera.procs import ROOT, clean_env, wait_until

DOCUMENT = ROOT / "deploy" / "METRICS.md"


def documented():
    """{(program, name): (type, labels, help)} from the tables of the document."""
    rows, program = {}, None
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            program = line[3:].strip().lower()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if found := re.fullmatch(r"`(\w+)`", cells[0]):
            assert len(cells) == 4, line
            assert (program, found[1]) not in rows, f"{found[1]} is there twice"
            rows[program, found[1]] = (cells[1], cells[2], cells[3])
    return rows


def told(program, text):
    """The same from the text of /metrics. Labels: their values, for le only its name."""
    rows, labels = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            rows[program, name] = words
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            rows[program, name] = (kind, rows[program, name])
            labels[name] = {}
        else:
            found = re.match(r"(\w+)(?:\{(.*)\})? ", line)
            name = found[1] if found[1] in labels else re.sub(r"_(bucket|sum|count)$", "", found[1])
            for label, value in re.findall(r'(\w+)="([^"]*)"', found[2] or ""):
                if label != "le":
                    labels[name].setdefault(label, []).append(value if label != "version" else "…")
    shown = lambda name: "; ".join(f"{label}: {', '.join(dict.fromkeys(values))}" for label, values in labels[name].items())
    return {(program, name): (kind, shown(name), words) for (program, name), (kind, words) in rows.items()}


def promtool(text):
    found = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    assert found.returncode == 0 and not found.stdout and not found.stderr, found


def test_the_document_and_promtool(make_cluster):
    cluster = make_cluster(shards=1, gateways=1, cooldown="10m")
    gateway, shard = cluster.gateways[0], cluster.shards[0]
    # The gauge follows /readyz when the process looks, four times a second.
    wait_until(lambda: metric(gateway.metrics, "tessera_gateway_ready") == 1, 20, "the gateway is counted ready")
    with Raw(gateway.address) as raw:
        session = json.loads(raw.send("POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n").response()[2])
    with Raw(gateway.address) as raw:
        raw.open(session["token"]).send(binary(protocol.hello(7, {(0, 0): protocol.NONE})))
        assert isinstance(raw.message(), protocol.Welcome)
        raw.send(binary(protocol.draw(3, 200, 5, 1)))
        while not isinstance(raw.message(), protocol.Answer):
            pass
        texts = {"gateway": http.get(gateway.metrics, "/metrics").body.decode(), "shard": http.get(shard.metrics, "/metrics").body.decode()}
    rows = {}
    for program, text in texts.items():
        promtool(text)
        assert session["user"] not in text and "127.0.0.1" not in text
        assert text.count("\n") < 2000, "a label has too many values"
        rows |= told(program, text)
    both = {name for program, name in rows if program == "gateway"} & {name for program, name in rows if program == "shard"}
    rows = {("both" if name in both else program, name): row for (program, name), row in rows.items()}
    written = documented()
    missing = {f"| `{name}` | {kind} | {labels} | {words} |  ({program})" for (program, name), (kind, labels, words) in rows.items()
               if written.get((program, name)) != (kind, labels, words)}  # fmt: skip
    assert not missing, "not so in METRICS.md:\n" + "\n".join(sorted(missing))
    assert not written.keys() - rows.keys(), "only in METRICS.md"
    for (_, name), (kind, _, words) in rows.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert words.endswith(".") and not re.search(r"_(ms|us|milliseconds|kb|mb|percent)(_|$)", name), name
    samples = dict(line.rsplit(" ", 1) for line in texts["gateway"].splitlines() if not line.startswith("#"))
    assert float(samples["tessera_gateway_ready"]) == 1
    assert float(samples['tessera_gateway_http_responses_total{code="2xx"}']) >= 1
    assert 0 < float(samples["tessera_gateway_clients"]) <= float(samples["tessera_gateway_clients_max"])


def test_the_private_port_answers_while_others_sit_on_it(make_cluster):
    cluster = make_cluster(shards=1, gateways=1)
    for process in cluster.gateways[0], cluster.shards[0]:
        idle = [Raw(process.metrics) for _ in range(60)]
        try:
            assert http.get(process.metrics, "/readyz", timeout=10).status == 200
        finally:
            for raw in idle:
                raw.socket.close()


def test_a_private_port_in_use_is_said(make_cluster):
    cluster = make_cluster(shards=1, gateways=1)
    for process in cluster.gateways[0], cluster.shards[0]:
        others = cluster.redis.address
        argv = [argument.replace(process.metrics, others).replace(process.address, "127.0.0.1:0") for argument in process.proc.argv]
        said = subprocess.run(argv, env=clean_env(process.proc.env), capture_output=True, text=True, timeout=20)
        assert said.returncode == 1
        line, = [line for line in said.stderr.splitlines() if "level=error" in line]
        assert others in line and line.count("error=") == 1 and line.endswith('error="Address already in use"'), line


def test_log_lines(make_cluster):
    """Both forms; ids on every line of a connection; what strangers send is escaped; addresses hashed, or in full when asked."""
    cluster = make_cluster(shards=1, gateways=1)
    plain, full = cluster.gateways[0], cluster.add_gateway()
    full.proc.argv += ["--log-format=json", "--log-addresses=full"]
    full.start()
    full.proc.wait_log('"msg":"ready"')
    for gateway in plain, full:
        with Raw(gateway.address) as raw:
            assert raw.send('GET /no"such\\page%0a HTTP/1.1\r\nHost: localhost\r\n\r\n').response()[0] == 404
            assert raw.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").response()[0] == 200
        gateway.proc.wait_log("no.*such")
        conn = gateway.proc.wait_log(r'(?m)conn"?[=:]"?([0-9a-f]{16})\b.*no.*such')[1]
        gateway.proc.wait_log(rf"connection ended.*{conn}")
    lines = [json.loads(line) for line in full.proc.log_text().splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("target") == '/no"such\\page%0a']
    assert len(mine) == 1 and mine[0]["status"] == 404 and mine[0]["client"] == "127.0.0.1" and mine[0]["request"] == 1
    same = [line for line in lines if line.get("conn") == mine[0]["conn"]]
    assert [line["msg"] for line in same] == ["request", "request", "connection ended"]
    assert [line["request"] for line in same[:2]] == [1, 2]
    text = plain.proc.log_text()
    assert r'target="/no\"such\\page%0a"' in text
    hashed = set(re.findall(r"client=(\S+)", text))
    assert len(hashed) == 1 and re.fullmatch(r"h-[0-9a-f]{12}", hashed.pop())
    order = [text.index(f"msg={word}") for word in ("listening", "ready")]
    assert order == sorted(order)
