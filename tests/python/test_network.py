"""A server over TLS, which asks for a token."""

import os
import pathlib
import subprocess
import tempfile

import pytest
import soma
from conftest import BUILD


@pytest.fixture
def tls_server():
    # Not below pytest's own directory, which jobs of another user do not get through.
    with tempfile.TemporaryDirectory(prefix="soma-python.") as scratch:
        os.chmod(scratch, 0o711)
        yield from serve(pathlib.Path(scratch))


def serve(scratch):
    certificate, key = scratch / "server.pem", scratch / "server.key"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    local = f"ipc://{scratch}/s"
    listen = ["--listen", local, "--listen", "tls+tcp://127.0.0.1:0", "--sandbox", "best_effort"]
    files = ["--tls-certificate", certificate, "--tls-key", key]
    process = subprocess.Popen([BUILD / "bin/somad", "--data", scratch / "data", *listen, *files], stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    if "without TLS" in first:
        process.wait()
        pytest.skip("built without TLS")
    with open(os.devnull, "w") as nowhere:
        reader = subprocess.Popen(["cat"], stdin=process.stderr, stdout=nowhere)
    yield local, str(certificate)
    process.terminate()
    assert process.wait(20) == 0
    reader.wait(20)


def test_a_server_over_tls_is_known_by_its_certificate_and_asks_for_a_token(tls_server):
    local, certificate = tls_server
    with soma.connect(local, connect_timeout=20) as s:
        secret = s.create_token("remote", ["read", "submit"])
        port = [listener for listener in s.info()["listeners"] if listener.startswith("tls")][0].rsplit(":", 1)[1]
    address = f"tls+tcp://localhost:{port}"
    with soma.connect(address, secret, ca_file=certificate) as s:
        assert s.run("print('over TLS')") == "over TLS\n"
    with soma.connect(address, ca_file=certificate) as s, pytest.raises(soma.Unauthenticated):
        s.heartbeat()
    with soma.connect(address, secret, connect_timeout=1) as s, pytest.raises(soma.Error):
        s.heartbeat()


def test_a_token_feeds_no_job_that_holds_more_than_itself(tls_server):
    local, certificate = tls_server
    code = "import sys; print(sys.stdin.read(), end='')"
    with soma.connect(local, connect_timeout=20) as owner:
        port = [listener for listener in owner.info()["listeners"] if listener.startswith("tls")][0].rsplit(":", 1)[1]
        address = f"tls+tcp://localhost:{port}"
        secrets = [owner.create_token(name, ["read", "submit", *more]) for name, more in [("less", []), ("more", ["write-vectors"])]]
        job = owner.submit(code, interactive=True)
        with soma.connect(address, secrets[0], ca_file=certificate) as s:
            with pytest.raises(soma.PermissionDenied):
                s.job(job.id).send("evil", end=True)
            own = s.submit(code, interactive=True)
            own.send("mine", end=True)
            assert own.result() == "mine"
        with soma.connect(address, secrets[1], ca_file=certificate) as s:
            s.job(job.id).send("good", end=True)
        assert job.result() == "good"
