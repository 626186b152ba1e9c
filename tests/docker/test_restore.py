"""A backup is made and put back, in the end: the record of a user whom the backup caught in the middle of a placement is then of
the one before it (proto/ADMIN.md), which what the other tests say of records does not know."""

from tessera.procs import wait_until


def test_what_was_drawn_after_a_backup_is_gone_after_its_restore(compose, players):
    """Both while people draw. The players cannot know of a restore, so they have ended before it."""
    compose("run", "--rm", "-T", "ctl", "backup", "night")
    players.progress("a backup was made")
    assert players.stop()["reconnects"] == 0
    compose("run", "--rm", "-T", "ctl", "verify", "night")
    before = len(compose.canvas().all_placements())
    compose("run", "--rm", "-T", "ctl", "restore", "night")
    restored = compose.canvas()
    assert 0 < len(restored.all_placements()) < before
    wait_until(lambda: compose.get("/api/v1/tiles/0/0") == restored.colors[0, 0], 20, "gateways have what was restored")
