"""The page, through the balancer, over TLS, in Chromium."""

import subprocess

from compose import ADDRESS, ROOT


def test_two_browsers_see_each_other_draw(compose):
    done = subprocess.run(["node", "tests/docker/page.mjs", f"https://{ADDRESS}/"], cwd=ROOT, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
