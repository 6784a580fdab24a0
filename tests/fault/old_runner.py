#!/usr/bin/python3
"""A supervisor as the first version of SOMA had it: what server and runner said to each other then, and the files that it left.

Kept as it is, whatever soma-runner learns: a server that is upgraded finds runners like this one at work. It does what that
takes, `soma-runner --spawner FD`, and no more: no caps, no kill of orphans.
"""
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time


def put(key, value):
    data = str(value).encode()
    return f"{key} {len(data)}\n".encode() + data + b"\n"


def read_fields(path):
    with open(path, "rb") as file:
        data = file.read()
    fields = []
    while data:
        head, data = data.split(b"\n", 1)
        key, length = head.decode().split(" ")
        fields.append((key, data[:int(length)]))
        data = data[int(length) + 1:]
    return fields


class Runner:
    def __init__(self, directory, link):
        self.directory, self.links, self.cancelled = directory, [link], False
        self.started_ms = int(time.time() * 1000)

    def path(self, name):
        return f"{self.directory}/{name}"

    def claim(self):
        self.lock = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fields = read_fields(self.path("order"))
        self.order = {key: value.decode() for key, value in fields if key not in ("argv", "env")}
        self.argv = [value for key, value in fields if key == "argv"]
        self.environment = dict(value.split(b"=", 1) for key, value in fields if key == "env")

    def begin(self):
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.chdir(self.directory)
        self.control.bind("control")
        self.control.listen(8)
        os.mkdir("work", 0o700)
        ids = {}
        if "uid" in self.order:
            ids = {"user": int(self.order["uid"]), "group": int(self.order["gid"]), "extra_groups": []}
            os.chown("work", ids["user"], ids["group"])
        record = put("version", 1) + put("boot_id", open("/proc/sys/kernel/random/boot_id").read().strip()) \
            + put("pid", os.getpid()) + put("start_ticks", 0) + put("started_unix_ms", self.started_ms) + put("end", "")
        os.write(self.lock, record)
        os.fsync(self.lock)
        with open("stdout", "wb") as out, open("stderr", "wb") as err:
            self.program = subprocess.Popen(self.argv, cwd="work", env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, start_new_session=True, **ids)

    def sizes(self):
        return os.stat("stdout").st_size, os.stat("stderr").st_size

    def say(self, link, text):
        try:
            link.send(text.encode())
        except OSError:
            self.drop(link)

    def drop(self, link):
        if link in self.links:
            self.links.remove(link)
            link.close()

    def say_all(self, link):
        self.say(link, f"started {os.getpid()}")
        self.say(link, "output {} 0 {} 0".format(*self.sizes()))

    def hear(self, link):
        try:
            text = link.recv(4096)
        except OSError:
            text = b""
        if not text:
            self.drop(link)
        elif text.startswith(b"cancel "):
            self.cancelled = True
            os.killpg(self.program.pid, signal.SIGKILL)

    def supervise(self):
        self.say_all(self.links[0])
        told = self.sizes()
        while self.program.poll() is None:
            ready = select.select([self.control, *self.links], [], [], 0.02)[0]
            for one in ready:
                if one is self.control:
                    link = self.control.accept()[0]
                    self.links.append(link)
                    self.say_all(link)
                else:
                    self.hear(one)
            if told != self.sizes():
                told = self.sizes()
                for link in list(self.links):
                    self.say(link, "output {} 0 {} 0".format(*told))

    def conclude(self):
        code = self.program.returncode
        now_ms = int(time.time() * 1000)
        out, err = self.sizes()
        status = put("version", 1) + put("reason", "cancelled" if self.cancelled else "exited" if code >= 0 else "signaled")
        status += put("message", "")
        for key, value in (("exit_code", max(code, 0)), ("signal", max(-code, 0)), ("started_unix_ms", self.started_ms),
                           ("finished_unix_ms", now_ms), ("wall_ms", now_ms - self.started_ms), ("user_ms", 1), ("system_ms", 1),
                           ("peak_bytes", 1), ("stdout_kept", out), ("stdout_dropped", 0), ("stderr_kept", err),
                           ("stderr_dropped", 0), ("killed_count", 0)):
            status += put(key, value)
        with open("status.new", "wb") as file:
            file.write(status + put("end", ""))
            file.flush()
            os.fsync(file.fileno())
        os.rename("status.new", "status")


def run(directory, link):
    os.setsid()
    runner = Runner(directory, link)
    runner.claim()
    runner.begin()
    runner.supervise()
    runner.conclude()


def serve(server):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server.send(b"ready")
    while True:
        text, descriptors, _, _ = socket.recv_fds(server, 8192, 1)
        if not text:
            return
        _, tag, directory = text.decode().split(" ", 2)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            run(directory, socket.socket(fileno=descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])
        server.send(f"forked {tag} {pid}".encode())


if sys.argv[1] == "--spawner":
    serve(socket.socket(fileno=int(sys.argv[2])))
