"""The servers of `./dev bench jobs`: somad and Debian's job queues, each on a socket in a scratch directory or on the loopback."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# Not what else may be called python3: the peers are Debian's packages.
PYTHON = "/usr/bin/python3"
WORKERS = os.cpu_count()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def until(condition, what):
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not start")
        time.sleep(0.01)


def can_connect(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


class Processes:
    """What was started, ended by pid with this object."""

    def __init__(self, scratch):
        self.scratch, self.running = pathlib.Path(scratch), []

    def start(self, *command, environment=None):
        with open(self.scratch / "log", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       cwd=self.scratch, env=environment, start_new_session=True)
        self.running.append(process)
        return process

    def stop(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []


class Somad:
    def __init__(self, build, scratch, name, *options):
        self.processes = Processes(scratch)
        address = f"ipc://{scratch}/{name}.sock"
        process = self.processes.start(build / "bin" / "somad", "--data", f"{scratch}/{name}", "--listen", address,
                                       "--log-level", "warning", *options)
        self.address, self.pid = address, process.pid
        until(lambda: os.path.exists(f"{scratch}/{name}.sock"), name)

    def stop(self):
        self.processes.stop()


class Peers:
    """beanstalkd, gearmand, Redis with RQ's and Celery's workers, task-spooler. Workers run only where they are asked for."""

    def __init__(self, build, scratch):
        self.scratch = pathlib.Path(scratch)
        self.bench = build / "tests" / "bench" / "jobs"
        self.servers, self.workers = Processes(scratch), Processes(scratch)
        self.done, self.fifo = self.scratch / "done", self.scratch / "fifo"
        self.redis_socket = self.scratch / "redis.sock"
        os.mkfifo(self.fifo)
        self.environment = dict(os.environ, BENCH_REDIS=str(self.redis_socket), BENCH_DONE=str(self.done),
                                PYTHONPATH=str(HERE), TS_SOCKET=str(self.scratch / "tsp.sock"),
                                TS_SLOTS=str(WORKERS), TS_MAXFINISHED="10", TMPDIR=str(self.scratch))
        self.start_servers()

    def start_servers(self):
        (self.scratch / "beanstalkd").mkdir()
        self.beanstalk, self.gearman = free_port(), free_port()
        self.servers.start("/usr/bin/beanstalkd", "-b", "beanstalkd", "-f0", "-l", "127.0.0.1", "-p", self.beanstalk)
        self.servers.start("/usr/sbin/gearmand", "--listen=127.0.0.1", f"--port={self.gearman}",
                           "--queue-type=libsqlite3", "--libsqlite3-db=gearmand.db", "--log-file=gearmand.log")
        self.servers.start("/usr/bin/redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--appendonly", "yes",
                           "--appendfsync", "always", "--save", "", "--dir", self.scratch)
        until(lambda: can_connect(self.beanstalk), "beanstalkd")
        until(lambda: can_connect(self.gearman), "gearmand")
        until(self.redis_socket.exists, "redis-server")

    def where(self, peer):
        return {"beanstalk": self.beanstalk, "gearman": self.gearman, "redis": self.redis_socket}[peer]

    def forget_jobs(self):
        """Jobs that were only submitted must not be in the way of those that are run."""
        self.servers.stop()
        for name in ("beanstalkd", "gearmand.db", "appendonlydir"):
            subprocess.run(["rm", "-rf", self.scratch / name], check=True)
        self.redis_socket.unlink(missing_ok=True)
        self.start_servers()

    def work(self, peer, program):
        """Workers of one peer; program and arguments matter to those that get them from their worker."""
        if peer in ("beanstalk", "gearman"):
            for _ in range(WORKERS):
                self.workers.start(self.bench / "peer_load", "work", peer, self.where(peer), self.done, *program)
        elif peer == "rq":
            for _ in range(WORKERS):
                self.workers.start(PYTHON, "-m", "rq.cli", "worker", "--url", f"unix://{self.redis_socket}", "--quiet",
                                   environment=self.environment)
        elif peer == "celery":
            self.workers.start(PYTHON, "-m", "celery", "-A", "peer_tasks", "worker", "-c", WORKERS, "--loglevel", "ERROR",
                               "--without-gossip", "--without-mingle", environment=self.environment)

    def rest(self):
        self.workers.stop()

    def stop(self):
        self.workers.stop()
        self.servers.stop()
        subprocess.run(["tsp", "-K"], env=self.environment, stdout=subprocess.DEVNULL, check=False)
