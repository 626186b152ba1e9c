"""docker-compose.yml, as far as it can be judged without an engine; tests/docker has one."""

import pytest
import yaml
from tessera.procs import ROOT

# What both docker-compose 1.29 and the specification of today know, of what is useful here. Of the keys that only one of them takes,
# or that mean something else in the other, none may come in.
KEYS = {"build", "cap_drop", "command", "depends_on", "deploy", "entrypoint", "environment", "healthcheck", "image", "init", "logging",
        "mem_limit", "network_mode", "networks", "pids_limit", "ports", "profiles", "pull_policy", "read_only", "restart", "security_opt",
        "stop_grace_period", "stop_signal", "tmpfs", "ulimits", "user", "volumes", "working_dir"}  # fmt: skip


@pytest.fixture(scope="module")
def services():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert {key for key in compose if not key.startswith("x-")} == {"services", "networks", "volumes"}
    return compose["services"]


def profiles(service):
    return set(service.get("profiles", ()))


def test_no_key_is_known_to_one_compose_only(services):
    for name, service in services.items():
        assert set(service) <= KEYS, name
        assert set(service.get("deploy", {})) <= {"replicas"}, name
        assert set(service.get("healthcheck", {})) <= {"test", "interval", "timeout", "retries", "start_period"}, name


def test_each_image_is_built_by_one_service_that_all_its_users_wait_for(services):
    """Two that build one name at the same time get into each other's way (BuildKit: "already exists")."""
    builders = {}
    for name, service in services.items():
        if "build" in service:
            assert service["image"] not in builders, name
            builders[service["image"]] = name

    def waits_for(name):
        for other in services[name].get("depends_on", {}):
            yield other
            yield from waits_for(other)

    assert len(builders) == 4
    for name, service in services.items():
        if service["image"] in builders:
            assert service["pull_policy"] == "never", name
            # tessera-ctl is only ever run beside a cluster.
            assert builders[service["image"]] in {name, *waits_for(name)} or name == "ctl", name


def test_what_has_to_be_pulled_has_a_profile_of_its_own(services):
    """Compose starts nothing at all when it cannot pull one image of those that are asked for."""
    pulled = {name: profiles(service) for name, service in services.items() if "pull_policy" not in service}
    assert pulled == {"grafana": {"dashboard"}}
    assert profiles(services["prometheus"]) == {"monitoring", "dashboard"}


def test_all_come_back_by_themselves(services):
    """`docker compose kill -s HUP` is a stop to an engine, after which unless-stopped keeps a container down."""
    for name, service in services.items():
        if name in ("secrets", "ctl"):
            assert service["restart"] == "no", name
        else:
            assert (service["restart"], service["stop_signal"]) == ("always", "SIGTERM"), name
            assert service["logging"]["options"]["max-size"], name
