import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "integration"))

from compose import Compose, Players  # noqa: E402


@pytest.fixture(scope="session")
def compose():
    """The cluster, up and watched, with two gateways and two shards. What its containers said is shown when it does not come up."""
    cluster = Compose()
    try:
        cluster.up()
        yield cluster
    except BaseException:
        print(cluster("logs", "--no-color", "--tail=40", check=False))
        raise
    finally:
        cluster.down()


@pytest.fixture
def players(compose, tmp_path):
    compose.settle()
    crowd = Players(compose, tmp_path)
    yield crowd
    crowd.kill()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Below a failure: what the containers said last."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "compose" in item.funcargs:
        cluster = item.funcargs["compose"]
        report.sections.append(("containers", cluster("ps", check=False)))
        report.sections.append(("logs", cluster("logs", "--no-color", "--tail=60", check=False)))
