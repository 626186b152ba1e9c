"""The short forms of `make soak` and `make power-cuts`."""

import os

import pytest

from tessera.procs import build_dir

from .episode import Episode
from .power import PowerCuts

SANITIZED = "address" in build_dir().name  # everything is two to three times as slow
SECONDS = float(os.environ.get("TESSERA_CHAOS_SECONDS", 30))


def describe(result):
    print(result.last_line())
    print(dict(result.faults))
    print(dict(result.verdicts))
    print(dict(result.metrics))
    print(f"last answer {result.answered_s:.2f} s after all were ready, all equal {result.equal_s:.2f} s after it", result.slow)


@pytest.mark.parametrize("mode", ["pipelined", "cooldown"])
def test_everything_at_random(workdir, rng, mode):
    episode = Episode(workdir / mode, mode, rng, print)
    episode.kills_wanted, episode.acknowledged_wanted = SECONDS / 4, 500
    try:
        result = episode.run(SECONDS)
    finally:
        describe(episode.result)
    assert result.kills >= SECONDS / 4 and result.acknowledged >= 500
    assert SANITIZED or not result.slow, result.slow


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pipelined", "cooldown"])
def test_power_losses(workdir, rng, mode):
    cuts = PowerCuts(workdir / mode, mode, rng, print, "always")
    cuts.acknowledged_wanted = 500
    try:
        result = cuts.run_cuts(10)
    finally:
        describe(cuts.result)
    assert cuts.cuts == 10 and cuts.disk.cut_bytes > 0 and result.acknowledged >= 500


@pytest.mark.slow
@pytest.mark.mutant
def test_mutant_everysec_on_a_slow_disk(workdir, rng):
    """Without `appendfsync always` the same losses of power do lose what was acknowledged: the cuts are real."""
    cuts = PowerCuts(workdir / "everysec", "pipelined", rng, print, "everysec")
    with pytest.raises(AssertionError, match="lost"):
        cuts.run_cuts(10)
    assert cuts.result.lost > 0
    print(f"mutant everysec-on-a-slow-disk: caught, {cuts.result.lost} of {cuts.result.acknowledged} lost, on real processes")
