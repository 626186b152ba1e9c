"""TLS in the gateway: exactly the profile, certificates and keys that change under load, tickets across gateways, redirects, and
clients that stall."""

import asyncio
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from raw import Closed, Raw, binary, proxy_v2
from tessera import protocol
from tessera.busy import Busy
from tessera.client import Client
from tessera.cluster import Cluster, metric
from tessera.procs import free_port, wait_until
from tls_fixture import anyone, certificate, subject, wrap

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # that they are refused is the point

HOST = "Host: localhost\r\n"
SESSION = f"POST /api/v1/session HTTP/1.1\r\n{HOST}\r\n"

# Mozilla, Server Side TLS, guideline 5.7, "intermediate".
SUITES_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
SUITES_1_2 = {
    "ecdsa": {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    "rsa": {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
            "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305"},
}  # fmt: skip
GROUPS = {"X25519", "P-256", "P-384"}


class World:
    """One shard, and gateways that differ in their options: ecdsa and twin (shared ticket keys), rsa, proxied."""

    def __init__(self, path):
        self.path = path
        self.cluster = Cluster(path / "cluster", shards=1, gateways=0, cooldown="0", width=256, height=256)
        self.cert, self.key = certificate(path)
        self.tickets = path / "tickets"
        self.tickets.write_text(secrets.token_hex(32) + "\n")
        tls = [f"--tls-cert={self.cert}", f"--tls-key={self.key}", f"--tls-ticket-keys-file={self.tickets}"]
        self.ecdsa = self.add(*tls, "--https-redirect", "--hsts=17520h", "--message-rate=0")
        self.twin = self.add(*tls)
        rsa_cert, rsa_key = certificate(path, "rsa", rsa=True)
        self.rsa = self.add(f"--tls-cert={rsa_cert}", f"--tls-key={rsa_key}", "--tls-before")
        self.proxied = self.add("--https-redirect", "--https-port=8443", "--hsts=1h",
                                f"--proxy-listen={(address := f'127.0.0.1:{free_port()}')}")  # fmt: skip
        self.proxy = address

    def add(self, *args):
        gateway = self.cluster.add_gateway()
        gateway.proc.argv += args
        return gateway

    def reload(self, *gateways, result="ok"):
        """SIGHUP, until all of them have done it."""
        name = f'tessera_gateway_reloads_total{{result="{result}"}}'
        for gateway in gateways:
            before = metric(gateway.metrics, name)
            gateway.proc.send(signal.SIGHUP)
            wait_until(lambda: metric(gateway.metrics, name) == before + 1, 20, "the reload is counted")


@pytest.fixture(scope="module")
def world(module_dir):
    world = World(module_dir)
    with world.cluster:
        yield world


def handshake(address, context, session=None):
    """The TLS socket after a handshake; None when it was refused."""
    host, port = address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=10)
    try:
        return context.wrap_socket(sock, server_hostname="localhost", session=session)
    except (ssl.SSLError, ConnectionError):
        sock.close()
        return None


# ---- The profile -----------------------------------------------------------------------------------------------------


def every_cipher():
    out = subprocess.run(["openssl", "ciphers", "ALL:eNULL:@SECLEVEL=0"], capture_output=True, text=True, check=True)
    return out.stdout.strip().split(":")


def offered(address, version, ciphers):
    """Those of `ciphers` that the server accepts, each offered alone."""
    accepted = set()
    for cipher in ciphers:
        context = anyone()
        try:
            context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        except ssl.SSLError:
            continue  # of 1.3, or one that this version of OpenSSL only lists
        context.minimum_version = context.maximum_version = version
        if sock := handshake(address, context):
            assert sock.cipher()[0] == cipher
            accepted.add(cipher)
            sock.close()
    return accepted


def s_client(address, *args):
    """The report of openssl s_client on one handshake."""
    argv = ["openssl", "s_client", "-connect", address, "-servername", "localhost", *args]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False).stdout


def test_no_cipher_but_the_profile(world):
    """Every cipher that OpenSSL knows, in every version, with certificates of both kinds."""
    ciphers = [cipher for cipher in every_cipher() if not cipher.startswith("TLS_")]
    assert len(ciphers) > 100 and set().union(*SUITES_1_2.values()) <= set(ciphers)
    for kind, gateway in ("ecdsa", world.ecdsa), ("rsa", world.rsa):
        assert offered(gateway.address, ssl.TLSVersion.TLSv1_2, ciphers) == SUITES_1_2[kind], kind
        suites = {"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256", *SUITES_1_3}
        got = {s for s in suites if f"New, TLSv1.3, Cipher is {s}" in s_client(gateway.address, "-tls1_3", "-ciphersuites", s)}
        assert got == SUITES_1_3
        for version in ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1:
            context = anyone()
            context.minimum_version = context.maximum_version = version
            assert handshake(gateway.address, context) is None, version


def test_groups_and_preference(world):
    known = ["X25519", "P-256", "P-384", "P-521", "X448", "ffdhe2048", "ffdhe3072", "brainpoolP256r1"]
    for version in "-tls1_2", "-tls1_3":
        got = set()
        for group in known:
            # In 1.2, P-256 has to be there for the certificate itself: then the group counts that was used.
            groups = group if version == "-tls1_3" or group == "P-256" else f"{group}:P-256"
            report = s_client(world.ecdsa.address, version, "-groups", groups)
            fell_back = group != "P-256" and "Server Temp Key: ECDH, prime256v1" in report
            if "Cipher is (NONE)" not in report and not fell_back:
                got.add(group)
        assert got == GROUPS, version
    dhe = s_client(world.rsa.address, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    assert "Server Temp Key: DH, 2048 bits" in dhe
    for first, second in ("256", "128"), ("128", "256"):  # the client's order counts
        order = f"ECDHE-ECDSA-AES{first}-GCM-SHA{384 if first == '256' else 256}:ECDHE-ECDSA-AES{second}-GCM-SHA{384 if second == '256' else 256}"
        assert f"Cipher is ECDHE-ECDSA-AES{first}-" in s_client(world.ecdsa.address, "-tls1_2", "-cipher", order)
    assert "ALPN protocol: http/1.1" in s_client(world.ecdsa.address, "-alpn", "h2,http/1.1")
    assert "Cipher is (NONE)" in s_client(world.ecdsa.address, "-alpn", "h2")
    assert "Secure Renegotiation IS supported" in s_client(world.ecdsa.address, "-tls1_2")
    assert "Compression: NONE" in s_client(world.ecdsa.address, "-tls1_2")


# ---- Resumption ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_goes_on_at_another_gateway(world, version):
    context = anyone()
    context.set_ciphers("ECDHE+AESGCM")
    context.minimum_version = context.maximum_version = version

    def visit(gateway, session=None):
        """Whether it was resumed, and the session to go on with (a ticket of 1.3 comes with the first answer)."""
        sock = handshake(gateway.address, context, session)
        sock.sendall(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        reused, session = sock.session_reused, sock.session
        sock.close()
        return reused, session

    world.reload(world.ecdsa, world.twin)  # whatever a test before has left in the file
    reused, session = visit(world.ecdsa)
    assert not reused
    before = metric(world.twin.metrics, 'tessera_gateway_tls_handshakes_total{kind="resumed"}')
    reused, session = visit(world.twin, session)
    assert reused
    assert metric(world.twin.metrics, 'tessera_gateway_tls_handshakes_total{kind="resumed"}') == before + 1
    # A newer key comes to one gateway and then to the other; sessions of the older one go on at both all the while.
    world.tickets.write_text(secrets.token_hex(32) + "\n" + world.tickets.read_text().splitlines()[0] + "\n")
    world.reload(world.ecdsa)
    old = session
    reused, session = visit(world.ecdsa, session)
    assert reused
    assert not visit(world.twin, session)[0]  # does not know it yet: a full handshake, no error
    world.reload(world.twin)
    if version is ssl.TLSVersion.TLSv1_2:
        assert visit(world.twin, old)[0]
    reused, session = visit(world.ecdsa)
    assert visit(world.twin, session)[0]
    # The older key is gone: its sessions begin anew.
    world.tickets.write_text(world.tickets.read_text().splitlines()[0] + "\n")
    world.reload(world.ecdsa, world.twin)
    if version is ssl.TLSVersion.TLSv1_2:
        assert not visit(world.twin, old)[0]
    reused, session = visit(world.ecdsa)
    assert visit(world.twin, session)[0]


# ---- Reload under load -----------------------------------------------------------------------------------------------


async def draw_all_the_while(gateway, context, token, row, stop, counts):
    async with Client(f"wss://localhost:{gateway.port}/ws", token, [(0, 0)], tls=context) as client:
        while not stop.is_set():
            answer = await client.draw(counts[row] % 256, row, 1 + counts[row] % 31)
            assert answer.code is protocol.Verdict.PLACED, answer
            counts[row] += 1


def test_nobody_is_dropped_when_certificate_and_keys_change(world):
    """Certificates, ticket keys and token keys, good ones and bad ones, twenty times while eight clients draw and newcomers come."""
    gateway = world.ecdsa
    token_file = world.cluster.path / "token_keys"
    first_key = token_file.read_text().strip()
    with Raw(gateway.address, wrap=wrap(anyone())) as raw:
        reply = json.loads(raw.send(SESSION).response()[2])
        token, user = reply["token"], reply["user"]
    stop, counts, problems, names = threading.Event(), [0] * 8, [], set()
    newcomers = 0

    async def clients():
        await asyncio.gather(*(draw_all_the_while(gateway, anyone(), token, row, stop, counts) for row in range(8)))

    def come_and_go():
        nonlocal newcomers
        while not stop.is_set():
            with Raw(gateway.address, wrap=wrap(anyone())) as raw:
                assert raw.send(f"GET /livez HTTP/1.1\r\n{HOST}\r\n").response()[0] == 200
                names.add(subject(raw.socket))
                newcomers += 1

    def guarded(run):
        def body():
            try:
                run()
            except BaseException as e:
                problems.append(repr(e))
                stop.set()

        return body

    threads = [threading.Thread(target=guarded(run)) for run in (lambda: asyncio.run(clients()), come_and_go)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: min(counts) > 0 and newcomers > 0 or problems, 20, "all draw")
        failures = metric(gateway.metrics, 'tessera_gateway_reloads_total{result="failed"}')
        for n in range(20):
            kind = n % 5
            good = world.cert.read_bytes(), world.key.read_bytes()
            if kind == 0:
                made = certificate(world.path, f"next{n}")
                shutil.copy(made[0], world.cert)
                shutil.copy(made[1], world.key)
                world.reload(gateway)
                wait_until(lambda: f"next{n}" in names, 20, "newcomers see the new certificate")
            elif kind == 1:  # a file that is half written, or of another key
                world.cert.write_bytes(good[0][: len(good[0]) // 2] if n % 2 else certificate(world.path, "other")[0].read_bytes())
                world.reload(gateway, result="failed")
                assert metric(gateway.metrics, "tessera_gateway_reload_ok") == 0
                world.cert.write_bytes(good[0])
            elif kind == 2:
                for text in "no hex\n", "# it is just being written\n":
                    world.tickets.write_text(text)
                    world.reload(gateway, result="failed")
                world.tickets.write_text(secrets.token_hex(32) + "\n")
                world.reload(gateway)
            elif kind == 3:  # a second key to verify with, then it signs, then the first goes
                second = f"k{n} {secrets.token_hex(32)}"
                for text in f"{first_key}\n{second}\n", f"{second}\n{first_key}\n":
                    token_file.write_text(text)
                    world.reload(gateway)
                    with Raw(gateway.address, wrap=wrap(anyone())) as raw:
                        reply = json.loads(raw.send(SESSION.replace("\r\n\r\n", f"\r\nCookie: tessera_session={token}\r\n\r\n")).response()[2])
                    assert reply["token"].startswith(f"t1.{text.split()[0]}.") and reply["user"] == user
                for text in "nonsense\n", "# it is just being written\n":
                    token_file.write_text(text)
                    world.reload(gateway, result="failed")
                token_file.write_text(first_key + "\n")
                world.reload(gateway)
            else:
                world.reload(gateway)
            assert not problems, problems
        assert metric(gateway.metrics, 'tessera_gateway_reloads_total{result="failed"}') == failures + 20
        assert metric(gateway.metrics, "tessera_gateway_reload_ok") == 1
        assert abs(metric(gateway.metrics, "tessera_gateway_reload_time_seconds") - time.time()) < 20
        expiry = metric(gateway.metrics, "tessera_gateway_tls_certificate_expiry_time_seconds") - time.time()
        assert 86400 < expiry < 3 * 86400
        wait_until(lambda: min(counts) > 20 and newcomers >= 10 or problems, 60, "all have drawn all the while")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not problems, problems
    assert "other" not in names and len(names) == 5  # the first and four new ones
    assert min(counts) > 20 and newcomers >= 10
    assert "PRIVATE" not in gateway.proc.log_text() and first_key.split()[1] not in gateway.proc.log_text()


# ---- Redirect, HSTS, Secure ------------------------------------------------------------------------------------------


def test_redirect_and_hsts(world):
    with Raw(world.ecdsa.address) as raw:  # plain HTTP on the port for TLS
        status, headers, body = raw.send(f"GET /some?x=1 HTTP/1.1\r\nHost: place.example\r\n\r\n").response()
        assert (status, headers["location"], body) == (308, "https://place.example/some?x=1", b"")
        assert "strict-transport-security" not in headers and raw.until_closed() == b""
    with Raw(world.ecdsa.address) as raw:
        assert raw.send(f"POST /api/v1/session HTTP/1.1\r\n{HOST}\r\n").response()[0] == 308
    with Raw(world.ecdsa.address, wrap=wrap(anyone())) as raw:
        status, headers, _ = raw.send(f"GET / HTTP/1.1\r\n{HOST}\r\n").response()
        assert status == 200 and headers["strict-transport-security"] == "max-age=63072000"
    with Raw(world.twin.address) as raw:  # not asked for: whatever is no TLS is closed
        assert raw.send(f"GET / HTTP/1.1\r\n{HOST}\r\n").until_closed() == b""
    with Raw(world.twin.address, wrap=wrap(anyone())) as raw:
        assert "strict-transport-security" not in raw.send(f"GET / HTTP/1.1\r\n{HOST}\r\n").response()[1]


def test_tls_that_ended_before(world):
    """By the PROXY header's word, or by the option: Secure, HSTS and the origin are those of https."""
    over_tls, plain = b"\x20\x00\x05\x01" + bytes(4), b"\x20\x00\x05\x00" + bytes(4)

    def ask(address, header, request):
        with Raw(address) as raw:
            return raw.send(header).send(request).response()

    status, headers, _ = ask(world.proxy, proxy_v2("2001:db8::1", tlvs=over_tls), SESSION)
    assert status == 200 and headers["set-cookie"].endswith("; Secure") and headers["strict-transport-security"] == "max-age=3600"
    for header in proxy_v2("2001:db8::1", tlvs=plain), proxy_v2("2001:db8::1"), b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n":
        status, headers, _ = ask(world.proxy, header, SESSION)
        assert (status, headers["location"]) == (308, "https://localhost:8443/api/v1/session")
    page = f"Origin: http://localhost\r\n{HOST}"
    status, _, _ = ask(world.proxy, proxy_v2("2001:db8::1", tlvs=over_tls), SESSION.replace(HOST, page))
    assert status == 403
    # tls-before together with TLS of its own: a balancer may speak plain HTTP to it.
    status, headers, _ = ask(world.rsa.address, b"", SESSION)
    assert status == 200 and headers["set-cookie"].endswith("; Secure")


# ---- Stalling --------------------------------------------------------------------------------------------------------


def test_stalled_handshakes_are_cut(world):
    """Nothing, a byte, half a first message, and one that comes byte by byte: none is there after 6 s."""
    half = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
    begin, busy = time.monotonic(), Busy(world.ecdsa)
    raws = [Raw(world.ecdsa.address).send(sent) for sent in (b"", half[:1], half)]
    with Raw(world.ecdsa.address) as dripping, pytest.raises((Closed, OSError)):
        dripping.send(half)
        dripping.socket.settimeout(0.2)
        while time.monotonic() - begin < 20:
            dripping.send(b"\x00")
            try:
                dripping.more()
            except TimeoutError:
                pass
    assert 4 < time.monotonic() - begin <= 6 + busy.seconds
    for raw in raws:
        raw.until_closed()
        raw.socket.close()
    assert time.monotonic() - begin <= 6 + busy.seconds


@pytest.mark.slow
def test_ten_thousand_stalled_clients_keep_nobody_out(world):
    """From forty addresses, each with half of a first message; a player from another one comes, draws and is answered."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gateway = world.ecdsa
    memory = metric(gateway.metrics, "process_resident_memory_bytes")
    half, stalled, worst, most = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200), [], 0, 0

    def visit():
        begin, busy = time.monotonic(), Busy(gateway, *world.cluster.shards, world.cluster.redis)
        with Raw(gateway.address, wrap=wrap(anyone())) as raw:
            token = json.loads(raw.send(SESSION).response()[2])["token"]
        with Raw(gateway.address, wrap=wrap(anyone())) as raw:
            raw.open(token).send(binary(protocol.hello(7, {})))
            welcome = raw.message()
            raw.send(binary(protocol.draw(3, 200, 5, welcome.next_nonce)))
            while not isinstance(answer := raw.message(), protocol.Answer):
                pass
            assert answer.code is protocol.Verdict.PLACED
        return time.monotonic() - begin - busy.seconds

    try:
        for n in range(10000):
            sock = socket.socket()
            sock.bind((f"127.0.{1 + n % 40}.1", 0))
            sock.connect(("127.0.0.1", gateway.port))
            sock.sendall(half)
            stalled.append(sock)
            if n % 1000 == 999:
                worst = max(worst, visit())
                most = max(most, metric(gateway.metrics, "process_resident_memory_bytes") - memory)
        assert metric(gateway.metrics, "tessera_gateway_handshakes_pending") <= 2048
        print(f"10000 stalled: slowest visit {worst * 1000:.0f} ms, memory {most / 1e6:.0f} MB more")
        assert worst < 2 and most < 200e6
    finally:
        for sock in stalled:
            sock.close()
    wait_until(lambda: metric(gateway.metrics, "tessera_gateway_handshakes_pending") == 0, 20, "all are gone")
