"""A real server on a scratch directory for all tests; $SOMA_BUILD names the build."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

BUILD = pathlib.Path(os.environ["SOMA_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
os.environ["SOMA_LIBRARY"] = str(BUILD / "client/lib/libsoma.so.1")
os.environ.pop("SOMA_TOKEN", None)
sys.path.insert(0, str(SOURCE / "client/python"))
sys.path.insert(0, str(SOURCE / "client/package"))

import soma  # noqa: E402


class Server:
    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.address = f"ipc://{scratch}/somad.sock"
        self.process = None

    def start(self):
        arguments = [BUILD / "bin/somad", "--data", self.scratch / "data", "--listen", self.address]
        with open(self.scratch / "log", "ab") as log:
            self.process = subprocess.Popen(arguments, stderr=log, stdout=log)
        with soma.connect(self.address, connect_timeout=20) as s:
            s.heartbeat()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(20)


@pytest.fixture(scope="session")
def server():
    with tempfile.TemporaryDirectory(prefix="soma-python.") as scratch:
        os.chmod(scratch, 0o711)
        made = Server(scratch)
        made.start()
        yield made
        with soma.connect(made.address) as s:
            for job in s.jobs(status=["queued", "running"]):
                job.cancel(force=True)
        made.stop()


@pytest.fixture
def s(server):
    with soma.connect(server.address) as client:
        yield client


@pytest.fixture
def until():
    def wait(is_true, seconds=20.0):
        end = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    return wait
