"""The short forms of `make soak` and `make power-cuts`."""

import os

import pytest

from .episode import Episode
from .power import PowerCuts

# Sanitizers make every process two to three times as slow.
SECONDS = float(os.environ.get("TESSERA_CHAOS_SECONDS", 40))


def describe(result):
    print(result.last_line())
    print(dict(result.faults))
    print(dict(result.verdicts))
    print(dict(result.metrics))
    print(f"last answer {result.answered_s:.2f} s after all were ready, all equal {result.equal_s:.2f} s after it", result.slow)


@pytest.mark.parametrize("mode", ["pipelined", "cooldown"])
def test_everything_at_random(workdir, rng, mode):
    episode = Episode(workdir / mode, mode, rng, print)
    try:
        result = episode.run(SECONDS)
    finally:
        describe(episode.result)
    assert result.kills >= SECONDS / 4 and result.acknowledged >= 500
    assert not result.slow, result.slow


@pytest.mark.parametrize("mode", ["pipelined", "cooldown"])
def test_power_losses(workdir, rng, mode):
    cuts = PowerCuts(workdir / mode, mode, rng, print, "always")
    try:
        result = cuts.run_cuts(20)
    finally:
        describe(cuts.result)
    assert cuts.cuts == 20 and cuts.disk.cut_bytes > 0 and result.acknowledged >= 500


def test_the_cuts_are_real(workdir, rng):
    """Without `appendfsync always` the same losses of power do lose what was acknowledged."""
    cuts = PowerCuts(workdir / "everysec", "pipelined", rng, print, "everysec")
    with pytest.raises(AssertionError, match="lost"):
        cuts.run_cuts(10)
    assert cuts.result.lost > 0
