"""Certificates for tests, and TLS clients that trust them."""

import ssl
import subprocess


def certificate(path, name="cert", rsa=False, days=2):
    """Makes <name>.pem and <name>-key.pem in `path`, for localhost; one that was there is replaced. Returns both paths."""
    key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    cert_path, key_path = path / f"{name}.pem", path / f"{name}-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", str(days), "-subj", f"/CN={name}"]
        + ["-addext", "subjectAltName=DNS:localhost", "-keyout", key_path, "-out", cert_path],
        check=True,
        capture_output=True,
    )
    return cert_path, key_path


def anyone():
    """A context that trusts everybody and refuses nothing by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    return context


def wrap(context):
    return lambda sock: context.wrap_socket(sock, server_hostname="localhost")


def subject(sock):
    """The common name of the certificate that a TLS socket was shown."""
    text = ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True))
    out = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=text, capture_output=True, text=True, check=True)
    return out.stdout.strip().rsplit("= ", 1)[-1].removeprefix("subject=CN=")
