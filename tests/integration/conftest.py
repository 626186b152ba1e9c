"""Fixtures. Every test has its own directory, its own Redis and its own processes on free ports, so that several can run at once.

    TESSERA_BUILD=build/address-undefined pytest-3 tests/integration      another build
    TESSERA_SEED=17 pytest-3 tests/integration/test_crash.py              the random choices of an earlier run
"""

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# What helpers assert is told with its values, as what tests assert.
pytest.register_assert_rewrite("edge_fixture", "links", "redis_fixture", "scripts_fixture", "shard_fixture", "shard_gateway", "tessera")

from tessera.cluster import Cluster  # noqa: E402
from tessera.procs import build_dir  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: its times are promised, or it is long: not run with sanitizers")


# With several files at once the time is that of the longest of them, unless it begins first.
LONGEST = ("test_real_input.py", "test_crash.py", "test_chaos.py", "test_monitoring.py", "test_shard_redis.py", "test_fanout.py")


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


def pytest_report_header(config):
    return f"programs from {build_dir()}"


@pytest.fixture(scope="session", autouse=True)
def programs():
    for name in ("tessera-gateway", "tessera-shard"):
        assert (build_dir() / name).exists(), f"{build_dir() / name} is not there: run make first"


@pytest.fixture
def rng():
    """Random choices of a test. The seed is printed, so a failing run can be had again."""
    seed = int(os.environ.get("TESSERA_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"TESSERA_SEED={seed}")
    return random.Random(seed)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def workdir(request):
    """A directory that is kept when the test failed."""
    path = Path(tempfile.mkdtemp(prefix="tessera-test-"))
    yield path
    report = getattr(request.node, "report_call", None)
    if report is not None and report.passed:
        shutil.rmtree(path, ignore_errors=True)
    else:
        print(f"kept for looking at: {path}")


@pytest.fixture(scope="module")
def module_dir():
    """A directory for what the tests of a file share."""
    path = Path(tempfile.mkdtemp(prefix="tessera-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_cluster(workdir, request):
    """make_cluster(shards=2, gateways=2, cooldown="5s", …) → a cluster that is up (see tessera.cluster.Cluster)."""
    made = []

    def make(**options):
        cluster = Cluster(workdir / f"cluster-{len(made)}", **options)
        made.append(cluster)
        return cluster.__enter__()

    yield make
    report = getattr(request.node, "report_call", None)
    error = None if report is not None and report.passed else AssertionError("the test failed")
    for cluster in made:
        cluster.__exit__(type(error) if error else None, error, None)
