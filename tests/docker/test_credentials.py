"""Certificate and keys are changed under load, as the README says: nobody is dropped, and everybody has the new ones."""

import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from compose import ADDRESS, PORT, run
from tessera.procs import wait_until


def make_certificate(path, name):
    """PEM of a certificate and its key."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
        f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", path / "key.pem", "-out", path / "cert.pem")
    return (path / "cert.pem").read_text() + (path / "key.pem").read_text()


def certificates(count=8):
    """Those that so many new connections were shown, over all gateways."""
    return {ssl.get_server_certificate(("127.0.0.1", PORT)) for _ in range(count)}


def session(token=None):
    """A session, or the renewal of one: (user, token)."""
    import json
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://{ADDRESS}/api/v1/session", method="POST", headers=headers)
    with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=30) as reply:
        answer = json.load(reply)
    return answer["user"], answer["token"]


def kid(token):
    return token.split(".")[1]


def test_the_certificate_that_is_made_names_what_was_asked_for(compose):
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=certificates(1).pop(), text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    assert "DNS:localhost, IP Address:127.0.0.1" in text and "prime256v1" in text and "CA:FALSE" in text


def test_it_is_made_anew_for_other_names(compose):
    """Who looks at it first and puts names into .env later must not be left with the one for localhost."""
    made = compose.secret("gateway", "tls_cert.pem").read_text()
    compose.secrets()
    assert compose.secret("gateway", "tls_cert.pem").read_text() == made
    compose("run", "--rm", "-T", "-e", "TLS_NAMES=place.example.org,::1", "secrets")
    text = run("openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", compose.secret("gateway", "tls_cert.pem"))
    assert "DNS:place.example.org, IP Address:0:0:0:0:0:0:0:1" in text
    compose.hang_up()


def test_a_certificate_is_replaced_while_people_draw(compose, players, tmp_path):
    wait_until(lambda: len(certificates()) == 1, 30, "all gateways have read what was made last")
    pem = make_certificate(tmp_path, "tessera.example")
    compose.secrets("certificate", input=pem)
    compose.hang_up()
    new = (tmp_path / "cert.pem").read_text()
    compose.secrets()  # as each `up` does: what was given stays
    wait_until(lambda: certificates() == {new}, 30, "all gateways show the new certificate")
    # Now it can be verified, too, as a browser would.
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with urllib.request.urlopen(f"https://localhost:{PORT}/api/v1/canvas", context=context, timeout=30) as reply:
        assert reply.status == 200
    players.progress("the certificate was replaced")
    assert players.stop()["reconnects"] == 0


def test_what_is_no_certificate_is_refused(compose, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = make_certificate(tmp_path / "a", "a.example"), make_certificate(tmp_path / "b", "b.example")
    before = compose.secret("gateway", "tls_cert.pem").read_text(), compose.secret("gateway", "tls_key.pem").read_text()
    for bad in ("", "hello", one[: one.index("-----BEGIN PRIVATE")], one[: one.index("-----BEGIN PRIVATE")] + two[two.index("-----BEGIN PRIVATE"):]):
        with pytest.raises(AssertionError, match="tessera-secrets: "):
            compose.secrets("certificate", input=bad)
    after = compose.secret("gateway", "tls_cert.pem").read_text(), compose.secret("gateway", "tls_key.pem").read_text()
    assert after == before
    assert not list(compose.secret("gateway", ".").glob("*.new"))


def test_keys_are_rotated_while_people_draw(compose, players, tmp_path):
    user, old = session()
    compose.secrets("ticket-key")
    for step in ("add", "use"):
        compose.secrets("token-key", step)
        compose.hang_up()
        players.progress(f"token-key {step}")
        assert session(old)[0] == user
    # Not too often: there are 60 sessions a minute for an address.
    wait_until(lambda: {kid(session()[1]) for _ in range(6)} != {kid(old)}, 30, "new sessions are signed with the new key", every=2)
    renewed = session(old)[1]
    compose.secrets("token-key", "drop")
    compose.hang_up()
    wait_until(lambda: session(old)[0] != user, 30, "sessions of the dropped key have ended", every=1)
    if kid(renewed) != kid(old):
        assert session(renewed)[0] == user
    assert len(compose.secret("gateway", "tls_ticket_keys").read_text().split()) == 2
    # What another machine is given, so that people stay who they are, is all of it.
    files = "docker-compose run --rm -T --entrypoint tar secrets -cC /secrets gateway"
    there = "docker-compose run --rm -T --entrypoint tar secrets -xC /secrets"
    run("sh", "-c", f"{files} >{tmp_path}/keys.tar && {there} <{tmp_path}/keys.tar")
    assert {"gateway/token_keys", "gateway/tls_cert.pem", "gateway/tls_key.pem"} <= set(run("tar", "tf", tmp_path / "keys.tar").split())
    players.progress("the old key was dropped")
    assert players.stop()["reconnects"] == 0
