#!/usr/bin/python3
"""Chaos for as long as is wanted. The last line is `kills N acked N lost N doubled N divergent N`.

    python3 soak.py --minutes 30 [--seed N] [--mode pipelined|cooldown] [--verbose]

Episodes of a minute, each with a cluster of its own; every sixth is four minutes long, in which what is kept for duplicates
is exchanged. The exit status says whether all is well; the files of an episode that went wrong are kept.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.episode import MODES, Episode, Result  # noqa: E402


def episode(number, seed, mode, seconds, verbose):
    rng, began = random.Random(f"{seed}/{number}"), time.monotonic()
    path = Path(tempfile.mkdtemp(prefix="tessera-soak-"))

    def say(text):
        if verbose:
            print(f"{time.monotonic() - began:8.2f} {text}", flush=True)

    one = Episode(path, mode, rng, say, shards=rng.randint(2, 4), gateways=rng.randint(2, 3))
    try:
        one.run(seconds)
    except Exception as e:  # whatever it is: it is told, counted, and the soak goes on
        if not one.result.problems:
            one.result.problems.append(repr(e))
    if one.result.well:
        shutil.rmtree(path, ignore_errors=True)
    else:
        print(f"kept for looking at: {path}")
    return one.result


def describe(number, mode, result):
    print(f"episode {number} ({mode}): {result.last_line()}; answered {result.answered_s:.2f} s, equal {result.equal_s:.2f} s")
    for name in ("faults", "verdicts", "metrics"):
        print(f"    {name}: " + ", ".join(f"{key} {count}" for key, count in sorted(getattr(result, name).items())))
    for text in result.slow:
        print(f"    slow: {text}")
    for text in result.problems:
        print(f"    WRONG: {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--episode", type=float, default=60, help="seconds")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--first", type=int, default=0, help="number of the first episode")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    print(f"seed {args.seed}")
    total, end, number = Result(), time.monotonic() + 60 * args.minutes, args.first
    while time.monotonic() < end:
        mode = args.mode or list(MODES)[number % len(MODES)]
        seconds = args.episode * (4 if number % 6 == 5 else 1)
        result = episode(number, args.seed, mode, min(seconds, max(5, end - time.monotonic())), args.verbose)
        describe(number, mode, result)
        total.add(result)
        number += 1
    print(f"stale owners' writes refused: {total.metrics['fenced']} by the fence, {total.metrics['rewound']} rewound")
    print(f"slowest: last answer {total.answered_s:.2f} s, all equal {total.equal_s:.2f} s more")
    print(total.last_line())
    return 0 if total.well else 1


if __name__ == "__main__":
    sys.exit(main())
