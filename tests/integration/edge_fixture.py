"""The gateways that the tests of the edge (test_edge_*.py) look at from outside."""

import ssl

import pytest

from raw import Raw
from tessera.cluster import Cluster
from tessera.procs import free_port
from tls_fixture import certificate, wrap

HOST = "Host: localhost\r\n"
SESSION = "POST /api/v1/session HTTP/1.1\r\n" + HOST


class Edge:
    """One cluster for all tests of a file. The gateways differ in their options:

    gateway: no limits, PROXY listener for loopback; tight: small limits; far: believes nobody's PROXY header; tls.
    """

    def __init__(self, path):
        self._any_token = None
        self.cluster = Cluster(path / "cluster", shards=1, gateways=0, cooldown="10m", width=300, height=200)
        self.proxy, self.far_proxy, self.tls_proxy = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.gateway = self.add(f"--proxy-listen={self.proxy}", "--allowed-origins=https://friend.example")
        self.tight = self.add(
            f"--proxy-listen={(tight_proxy := f'127.0.0.1:{free_port()}')}",
            "--connections-per-address=3",
            "--sessions-per-minute=4",
            "--message-rate=20",
            "--max-connections=5",
        )
        self.tight_proxy = tight_proxy
        self.far = self.add(f"--proxy-listen={self.far_proxy}", "--proxy-networks=10.0.0.0/8")
        self.cert, self.key = certificate(path)
        self.tls = self.add(f"--tls-cert={self.cert}", f"--tls-key={self.key}", f"--proxy-listen={self.tls_proxy}")

    def add(self, *args):
        gateway = self.cluster.add_gateway()
        gateway.proc.argv += args
        return gateway

    def token(self):
        return self.gateway.session().token

    def any_token(self):
        """One session for the tests that do not care whose it is."""
        self._any_token = self._any_token or self.token()
        return self._any_token

    def raw(self, **options):
        return Raw(self.gateway.address, **options)

    def tls_context(self, version=None):
        context = ssl.create_default_context(cafile=self.cert)
        if version:
            context.minimum_version = context.maximum_version = version
        return wrap(context)


@pytest.fixture(scope="module")
def edge(module_dir):
    edge = Edge(module_dir)
    with edge.cluster:
        yield edge


@pytest.fixture(autouse=True)
def nobody_died(edge):
    yield
    for gateway in edge.cluster.gateways:
        assert gateway.proc.running, f"{gateway.proc.name}\n{gateway.proc.log_text()[-4000:]}"
    assert edge.gateway.get("/livez").status == 200
