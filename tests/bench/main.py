"""Measures Tessera beside what the least could do the same work, in one run, and says where it falls short.

Every figure is taken several times, in turn with its references, so that what else the machine does hits both alike. The
references run the same frames for the same clients: a bare epoll loop with send() or SSL_write(), npm's `ws`, and a bare
program that calls the same Redis script. Servers have one core, everything else the other one."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import figures
import machine
import plot
from report import Row, against, at_least, at_most, of, plain, ratios, table
from servers import ROOT, Failure, build_dir


def log(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr)


class Run:
    def __init__(self, bench):
        self.bench, self.rows, self.raw, self.curves = bench, [], {}, {}

    def turns(self, what, once=()):
        """Measures everything in turn, as often as it is to be repeated: name -> list of results. What no goal hangs on
        is measured once."""
        results = {name: [] for name in what}
        for i in range(self.bench.repeats):
            for name, measure in what.items():
                if i > 0 and name in once:
                    continue
                result = measure()
                results[name].append(result)
                shown = ", ".join(f"{k} {v:,.3g}" for k, v in result.items())
                log(f"{name} {i + 1}/{self.bench.repeats}: {shown}")
        self.raw |= results
        return results

    # ---- Figures ----------------------------------------------------------------------------------------------------

    def fanout(self):
        self.plain_fanout("")

    def fanout_apart(self):
        own = machine.EachItsOwn(self.bench.cores)
        if not own.possible:
            raise Failure("only root can keep the two ends of the loopback apart, and only on two cores")
        with own:
            self.plain_fanout(", receivers apart")
        if own.dropped():
            raise Failure(f"{own.dropped()} packets were dropped on their way to the other core")

    def plain_fanout(self, where):
        b = self.bench
        n, seconds = b.size(15000, 3000), b.size(5, 4)
        floor, gateway, ws = (what + where for what in ("send() loop", "gateway", "npm ws"))
        got = self.turns(
            {
                floor: lambda: figures.fanout_floor(b, n, seconds),
                gateway: lambda: figures.fanout_tessera(b, n, seconds),
                ws: lambda: figures.fanout_ws(b, n, seconds),
            }
        )
        name = f"CPU per delivered frame, plain, {n:,} clients{where}"
        self.rows.append(against(f"{name}; send() loop", got[gateway], got[floor], "us_per_frame", "µs", 1.10))
        self.rows.append(against(f"{name}; npm ws", got[gateway], got[ws], "us_per_frame", "µs", 0.65))
        least = ratios(got[floor], got[ws], "us_per_frame")
        what = (of(got[floor], "us_per_frame"), "µs", of(got[ws], "us_per_frame"), least)
        self.rows.append(plain("  the least that is possible here: send() loop; npm ws", *what))

    def fanout_tls(self):
        b = self.bench
        n, seconds = b.size(15000, 2000), b.size(5, 4)
        got = self.turns(
            {
                "SSL_write loop": lambda: figures.fanout_floor(b, n, seconds, True),
                "gateway, TLS": lambda: figures.fanout_tessera(b, n, seconds, True),
            }
        )
        name = f"CPU per delivered frame, TLS, {n:,} clients; SSL_write loop"
        self.rows.append(against(name, got["gateway, TLS"], got["SSL_write loop"], "us_per_frame", "µs", 1.15))

    def memory(self):
        b = self.bench
        got = self.turns(
            {
                "memory, plain": lambda: figures.memory(b, 1000, b.size(15000, 4000)),
                "memory, TLS": lambda: figures.memory(b, 500, b.size(8000, 1500), True),
            }
        )
        self.rows.append(at_most("own memory per idle connection, plain", of(got["memory, plain"], "bytes"), "B", 1024))
        self.rows.append(at_most("own memory per idle connection, TLS", of(got["memory, TLS"], "bytes"), "B", 16384))

    def crowd(self):
        b = self.bench
        n, gateways, seconds = b.size(100000, 20000), b.size(6, 2), b.size(15, 10)
        tick = figures.tick_args(1000)
        got = self.turns({"crowd": lambda: figures.crowd(b, n, gateways, seconds, 333, tick)})["crowd"]
        name = f"{n:,} clients, {gateways} gateways, 333 draws/s"
        self.rows.append(at_least(f"{name}: connected", of(got, "connected"), "", n))
        self.rows.append(at_least(f"{name}: draws", of(got, "draws_per_s"), "1/s", 320))
        self.rows.append(at_most(f"{name}: mismatches", max(run["mismatches"] for run in got), "", 0))
        self.rows.append(at_most(f"{name}: draw to screen, p99", of(got, "seen_p99_ms"), "ms", 2000))
        self.rows.append(plain("  of which in the load client's sockets, p99", of(got, "read_p99_ms"), "ms"))

    def busy(self):
        b = self.bench
        n, seconds = b.size(15000, 5000), b.size(15, 8)
        got = self.turns({"busy": lambda: figures.crowd(b, n, 1, seconds, 100, [])})["busy"]
        name = f"{n:,} clients, 1 gateway, 100 draws/s: draw to screen"
        self.rows.append(at_most(f"{name}, p50", of(got, "seen_p50_ms"), "ms", 100))
        self.rows.append(at_most(f"{name}, p99", of(got, "seen_p99_ms"), "ms", 250))
        self.rows.append(plain("  of which in the load client's sockets, p50", of(got, "read_p50_ms"), "ms"))
        self.rows.append(plain("  of which in the load client's sockets, p99", of(got, "read_p99_ms"), "ms"))
        self.rows.append(at_most(f"{n:,} clients: mismatches", max(run["mismatches"] for run in got), "", 0))

    def idle(self):
        b = self.bench
        seconds = b.size(8, 6)
        got = self.turns(
            {"one script call": lambda: figures.floor_call(b, seconds // 2), "idle": lambda: figures.idle(b, seconds)}
        )
        for key, name in (("ack", "acknowledgement"), ("seen", "another screen")):
            p50, call = of(got["idle"], f"{key}_p50_ms"), of(got["one script call"], "p50_ms")
            ratio = ratios(got["idle"], got["one script call"], f"{key}_p50_ms", "p50_ms")
            met = p50 <= 1.5 or ratio <= 3
            figure = f"idle, 2 gateways: draw to {name}"
            self.rows.append(Row(f"{figure}, p50; script call", p50, "ms", "<= 1.5 or <= 3 x", met, call, ratio))
            self.rows.append(at_most(f"{figure}, p99", of(got["idle"], f"{key}_p99_ms"), "ms", 5))

    def draws(self):
        b = self.bench
        seconds = b.size(6, 5)
        got = self.turns(
            {
                "script, full batches": lambda: figures.floor_draws(b, seconds, 16),
                "script, one tile": lambda: figures.floor_draws(b, seconds, 1),
                "draws, cooldown 0": lambda: figures.draws_tessera(b, seconds, 2, 1, 256, 64, "0"),
                "draws, cooldown 100 ms": lambda: figures.draws_tessera(b, seconds, 2, 1, 10000, 1, "100ms"),
            }
        )
        pipelined = got["draws, cooldown 0"]
        name = "draws/s, cooldown 0, pipelined"
        self.rows.append(at_least(name, of(pipelined, "draws_per_s"), "1/s", 80000))
        for reference in ("script, full batches", "script, one tile"):
            self.rows.append(against(f"{name}; {reference}", pipelined, got[reference], "draws_per_s", "1/s", least=0.25))
        name = "draws/s, cooldown 100 ms, 10,000 users"
        self.rows.append(at_least(name, of(got["draws, cooldown 100 ms"], "draws_per_s"), "1/s", 40000))

    def storm(self):
        b = self.bench
        n = b.size(20000, 6000)
        got = self.turns({"storm": lambda: figures.storm(b, n)})["storm"]
        self.rows.append(at_most(f"{n:,} at once, 2 gateways: all served", of(got, "served_s"), "s", 5))
        self.rows.append(at_most("a player's p99 meanwhile", of(got, "player_p99_ms"), "ms", 500))

    def viewport(self):
        b = self.bench
        n, seconds = b.size(5000, 2000), 4
        got = self.turns(
            {
                "watching all of 64 tiles": lambda: figures.growth(b, n, 20, 1, 64, seconds),
                "watching 1 of 64 tiles": lambda: figures.growth(b, n, 20, 1, 64, seconds, 1),
            }
        )
        one, every = got["watching 1 of 64 tiles"], got["watching all of 64 tiles"]
        name = f"frames to {n:,} clients, each watching 1 of 64 tiles; all tiles"
        self.rows.append(against(name, one, every, "frames_per_s", "1/s", 0.25))

    def growth(self):
        b = self.bench
        # What grows: its values, the other three, and the values that a goal hangs on.
        full = {
            "clients": ([2000, 5000, 10000, 15000], (20, 1, 1), {2000, 15000}),
            "draws_per_s": ([4, 20, 100, 333, 1000], (10000, 1, 1), {20, 1000}),
            "gateways": ([1, 2, 4], (10000, 20, 1), {1, 2}),
            "tiles": ([1, 4, 16, 64], (10000, 100, 1), set()),
        }
        quick = {
            "clients": ([1000, 2000, 4000], (20, 1, 1), {1000, 4000}),
            "draws_per_s": ([20, 100, 200], (4000, 1, 1), {20, 200}),
            "gateways": ([1, 2], (4000, 20, 1), {1, 2}),
            "tiles": ([1, 16], (4000, 100, 1), set()),
        }
        order = ("clients", "draws_per_s", "gateways", "tiles")
        plan, seconds = (quick if b.quick else full), 4
        points, goals = [], set()
        for name, (values, others, with_goal) in plan.items():
            for value in values:
                fixed = iter(others)
                point = tuple(value if key == name else next(fixed) for key in order)
                points.append((name, point))
                if value in with_goal:
                    goals.add(point)
        # Points that are the same on several curves are measured once.
        label = "{:,} clients, {} draws/s, {} gateways, {} tiles"
        what = {label.format(*point): lambda p=point: figures.growth(b, *p, seconds) for _, point in points}
        got = self.turns(what, set(what) - {label.format(*point) for point in goals})
        for name, point in points:
            runs = got[label.format(*point)]
            self.curves.setdefault(name, []).append({key: of(runs, key) for key in runs[0]})
        self.growth_rows()

    def growth_rows(self):
        clients, draws = self.curves["clients"], self.curves["draws_per_s"]
        few, many = clients[0], clients[-1]
        per_client = [point["cpu"] / point["clients"] * 1e6 for point in (few, many)]
        ratio = per_client[1] / per_client[0]
        name = f"gateway CPU per client and second, {many['clients']:,} clients; {few['clients']:,} clients"
        self.rows.append(Row(name, per_client[1], "µs", "<= 1.15 x", ratio <= 1.15, per_client[0], ratio))
        # From one draw per tick on every client gets a frame each tick, whatever the rate.
        first = next(point for point in draws if point["draws_per_s"] >= 2 * 1000 / figures.TICK_MS)
        last = draws[-1]
        ratio = last["us_per_frame"] / first["us_per_frame"]
        name = f"gateway CPU per client and tick, {last['draws_per_s']:,} draws/s; {first['draws_per_s']:,} draws/s"
        self.rows.append(Row(name, last["us_per_frame"], "µs", "<= 1.25 x", ratio <= 1.25, first["us_per_frame"], ratio))
        one, two = self.curves["gateways"][:2]
        ratio = 2 * one["us_per_frame"] / two["us_per_frame"]
        name = "what two gateways carry; one (by CPU per delivery)"
        self.rows.append(Row(name, two["us_per_frame"], "µs", ">= 1.80 x", ratio >= 1.8, one["us_per_frame"], ratio))


FIGURES = ("fanout", "fanout_apart", "fanout_tls", "memory", "idle", "draws", "busy", "storm", "crowd", "viewport", "growth")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller crowds, once each: a few minutes")
    parser.add_argument("--only", default=",".join(FIGURES), help="figures, with commas between (default: %(default)s)")
    parser.add_argument("--repeats", type=int, help="how often each is measured (default: 3, quick 1)")
    parser.add_argument("--var", type=Path, default=ROOT / "var", help="where bench.json and bench.svg go")
    args = parser.parse_args()
    wrong = set(args.only.split(",")) - set(FIGURES)
    if wrong:
        parser.error(f"no such figure: {', '.join(sorted(wrong))}")
    for program in ("tessera-gateway", "tessera-shard", "tessera-load", "floor-fanout", "floor-draws"):
        if not (build_dir() / program).exists():
            parser.error(f"{build_dir() / program} is not there: run `make bench`")
    return args


def write(args, run, about, failures):
    noise = sorted(run.bench.noise) or [0.0]
    about |= {"others_used_cores": {"median": noise[len(noise) // 2], "most": noise[-1]}, "quick": run.bench.quick}
    result = {"machine": about, "rows": [row.json() for row in run.rows], "failures": failures}
    result |= {"runs": run.raw, "curves": run.curves}
    (args.var / "bench.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if run.curves:
        (args.var / "bench.svg").write_text(plot.svg(run.curves, figures.TICK_MS))
    return about


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    args.var.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=args.var))
    bench = figures.Bench(path, args.quick)
    bench.repeats = args.repeats or bench.repeats
    run, about, failures = Run(bench), machine.describe(), []
    try:
        for figure in FIGURES:
            if figure not in args.only.split(","):
                continue
            log(f"---- {figure}")
            try:
                getattr(run, figure)()
            except (Failure, OSError, ValueError) as e:
                failures.append(f"{figure}: {e}")
                log(f"{figure} could not be measured: {e}")
    finally:
        shutil.rmtree(path, ignore_errors=True)
    about = write(args, run, about, failures)
    print(table(run.rows))
    others = about["others_used_cores"]
    print(f"\n{about['cores']} cores, {about['cpu']}; others used {others['median']:.2f} of a core (at most {others['most']:.2f})")
    if others["median"] > 0.1:
        print("The machine was busy with other things: only the ratios mean something.")
    for failure in failures:
        print(f"not measured: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
