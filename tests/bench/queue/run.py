#!/usr/bin/env python3
"""Queue figures: a submit and a claim with a thousand jobs queued and with a million, and what the server's memory grows by.

Writes the section "queue" of docs/BENCHMARKS.md. Two things are measured: the writer's own operations on a database of their own, in
processor time, which a busy machine disturbs least; and a real server that takes durable submits from 64 requests in flight while it
holds few jobs and while it holds many.

    run.py BUILD_DIR [--many N] [--rounds N] [--seconds S]
"""
import argparse
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[3]
REPORT = SOURCE / "docs" / "BENCHMARKS.md"
FEW = 1000
QUEUES = 10
BYTES_MAX = 200
RATIO_MIN = 0.9


def measure(*command, timeout=1800):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr or done.stdout}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Server:
    """A real somad on a directory of its own that starts no job: the load's jobs are not before the year 2100."""

    def __init__(self, build, scratch, name):
        self.load = build / "tests" / "bench" / "queue" / "nng_load"
        self.address = f"ipc://{scratch}/{name}"
        self.process = subprocess.Popen([str(build / "bin" / "somad"), "--data", f"{scratch}/data-{name}", "--listen", self.address,
                                         "--max-unfinished", "100000000"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "SERVER-READY" in line:
                return
        sys.exit("somad did not start")

    def submit(self, seconds):
        """The load's figures, and the server's processor time for each submit."""
        before = self.processor_s()
        figures = measure(self.load, "submit", self.address, 64, seconds)
        return figures | {"processor_us": (self.processor_s() - before) * 1e6 / (figures["rate"] * seconds)}

    def processor_s(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def depth_figures(build, scratch, many):
    tool = build / "tests" / "bench" / "queue" / "queue_depth"
    figures = {}
    for count in (FEW, many):
        directory = pathlib.Path(scratch) / f"depth-{count}"
        directory.mkdir()
        figures[count] = measure(tool, directory, count, QUEUES, 200)
        print(f"writer: {count} jobs: {figures[count]}", file=sys.stderr)
    return figures


def server_figures(build, scratch, many, rounds, seconds):
    tool = build / "tests" / "bench" / "queue" / "queue_depth"
    servers = {}
    for count, name in ((FEW, "few"), (many, "many")):
        directory = pathlib.Path(scratch) / f"data-{name}"
        directory.mkdir(mode=0o700)
        measure(tool, directory, count, QUEUES, "fill")
        servers[count] = Server(build, scratch, name)
    try:
        # Both do the same before the look at their memory: caches and threads are there.
        for server in servers.values():
            server.submit(3)
        grown = (servers[many].resident_bytes() - servers[FEW].resident_bytes()) / (many - FEW)
        rounds_of = {count: [] for count in servers}
        for number in range(rounds):
            for count, server in servers.items():
                rounds_of[count].append(server.submit(seconds))
            print(f"server: round {number + 1} of {rounds}", file=sys.stderr)
    finally:
        for server in servers.values():
            server.stop()
    return grown, rounds_of


def machine():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}, Linux {platform.release()}"


def row(figure, few, many, goal, reached):
    return f"| {figure} | {few} | {many} | {goal} | {'yes' if reached else '**no**'} |"


def report(depth, server, many, rounds, seconds):
    grown, rounds_of = server
    processor = {count: statistics.median(each["processor_us"] for each in figures) for count, figures in rounds_of.items()}
    rates = {count: statistics.median(each["rate"] for each in figures) for count, figures in rounds_of.items()}
    ratios = [a["processor_us"] / b["processor_us"] for a, b in zip(rounds_of[FEW], rounds_of[many])]
    ratio = statistics.median(ratios)
    submit = depth[FEW]["submit_us"] / depth[many]["submit_us"]
    claim = depth[FEW]["claim_us"] / depth[many]["claim_us"]
    lines = [
        "## Queues: `./dev bench queue`", "",
        f"On {machine()}. The writer's operations in processor time: {QUEUES} queues, every second one paused and full of better priorities; "
        f"200 rounds of 64 submits in a transaction and 64 claims, 16 in each. The server, in processor time too: {rounds} interleaved rounds of {seconds} s with 64 "
        "submits in flight, on two servers that held so many jobs at their start.", "",
        f"| figure | {FEW:,} queued | {many:,} queued | goal | reached |",
        "| --- | ---: | ---: | --- | --- |",
        row("a submit in the writer, µs", f"{depth[FEW]['submit_us']:.1f}", f"{depth[many]['submit_us']:.1f}", f"ratio ≥ {RATIO_MIN}: {submit:.2f}", submit >= RATIO_MIN),
        row("a claim in the writer, µs", f"{depth[FEW]['claim_us']:.1f}", f"{depth[many]['claim_us']:.1f}", f"ratio ≥ {RATIO_MIN}: {claim:.2f}", claim >= RATIO_MIN),
        row("a durable submit in the whole server, µs", f"{processor[FEW]:.1f}", f"{processor[many]:.1f}",
            f"ratio ≥ {RATIO_MIN}: {ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})", ratio >= RATIO_MIN),
        f"| durable submits/s, on this machine as busy as it was | {rates[FEW]:,.0f} | {rates[many]:,.0f} | | |",
        row("memory of the server, bytes a job", "", f"{grown:.1f}", f"< {BYTES_MAX}", grown < BYTES_MAX),
    ]
    return "\n".join(lines)


def write_report(text):
    begin, end = "<!-- queue: begin -->", "<!-- queue: end -->"
    old = REPORT.read_text() if REPORT.exists() else "# Benchmarks\n"
    if begin not in old:
        old = f"{old.rstrip()}\n\n{begin}\n{end}\n"
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    REPORT.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--many", type=int, default=1000000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=float, default=1.0)
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="soma-bench-") as scratch:
        depth = depth_figures(options.build, scratch, options.many)
        server = server_figures(options.build, scratch, options.many, options.rounds, options.seconds)
    text = report(depth, server, options.many, options.rounds, options.seconds)
    print(text)
    write_report(text)


if __name__ == "__main__":
    main()
