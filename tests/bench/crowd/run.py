#!/usr/bin/env python3
"""What a client that behaves notices of bad company: 10,000 idle connections, peers that are silent, slow or deaf, 1,000 connections a second.

Writes the section "crowd" of docs/BENCHMARKS.md. A real server, one client over ipc with one ping in flight and one with 16; each round
measures it alone, beside each kind of peer, and beside the same peers at another server: what those cost is the processors that they take,
on a machine of few, and the rest is the server's doing. Ratios are taken within the round.

    run.py BUILD_DIR [--rounds N] [--seconds S]
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import report  # noqa: E402

GOAL = 3.0
IN_FLIGHT = (1, 16)
KINDS = {
    "idle": "10,000 connections that ask nothing",
    "silent": "1,000 connections that never introduce themselves, and come again when they are closed",
    "slow": "200 peers that send a request of 16 KB in 64 bytes at a time, 1,000 times a second in all",
    "deaf": "200 peers that send pings of 16 KB and never read a reply",
    "visits": "1,000 connections a second that say hello and go",
}


class Server:
    def __init__(self, build, scratch, name):
        self.path = f"{scratch}/{name}.sock"
        self.process = subprocess.Popen([build / "bin" / "somad", "--data", f"{scratch}/data-{name}", "--listen", f"ipc://{self.path}",
                                         "--listen", "tcp://127.0.0.1:0", "--sandbox", "off", "--insecure", "on"],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "SERVER-READY" in line:
                self.port = line.split("tcp://127.0.0.1:")[1].split()[0]
                return
        sys.exit("somad did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def client(programs, server, in_flight, seconds):
    done = subprocess.run([programs / "crowd_client", f"ipc://{server.path}", str(in_flight), str(seconds)], capture_output=True,
                          text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"crowd_client: {done.stderr}")
    return json.loads(done.stdout)


def beside(programs, server, kind, at, seconds):
    """The figures of the server's client beside peers of that kind at a server; alone where there are none."""
    peers = None
    if kind:
        peers = subprocess.Popen([programs / "crowd_peers", kind, at.path, at.port], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        if peers.stdout.readline() != "ready\n":
            sys.exit(f"crowd_peers {kind} did not get ready")
        time.sleep(1)
    figures = {in_flight: client(programs, server, in_flight, seconds) for in_flight in IN_FLIGHT}
    if peers:
        peers.communicate()
        if peers.returncode != 0:
            sys.exit(f"crowd_peers {kind} failed")
        time.sleep(1)
    return figures


def text(rounds, arguments, load):
    lines = ["## Crowds: `./dev bench crowd`", "",
             f"{arguments.rounds} interleaved rounds of {arguments.seconds} s on {report.machine()}, server, client and peers on the same "
             f"processors at nice {os.nice(0)}; load of the machine at the start {load:.1f}. Pings over ipc of one client that behaves. A ratio is "
             "one of p99 in the same round: median (lowest–highest). What the same peers cost when they are at another server is the processors "
             "that they take.", "",
             "| beside | in flight | p50, µs | p99, µs | p99, times that alone | p99 beside them at another server, times that alone | "
             "p99, times that beside them at another server | goal | reached |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    for in_flight in IN_FLIGHT:
        alone, mine, others = ({kind: [round_[kind][place][in_flight] for round_ in rounds] for kind in KINDS} for place in range(3))
        first = next(iter(KINDS))
        lines.append(f"| nobody | {in_flight} | {report.median(alone[first], 'p50_us'):.0f} | {report.median(alone[first], 'p99_us'):.0f} | | | | | |")
        for kind, words in KINDS.items():
            ratios = [report.ratios(a, b, "p99_us") for a, b in ((mine[kind], alone[kind]), (others[kind], alone[kind]), (mine[kind], others[kind]))]
            cells = " | ".join(f"{middle:.2f} ({low:.2f}–{high:.2f})" for middle, low, high in ratios)
            lines.append(f"| {words} | {in_flight} | {report.median(mine[kind], 'p50_us'):.0f} | {report.median(mine[kind], 'p99_us'):.0f} | {cells} | "
                         f"≤ {GOAL:.0f} alone | {'yes' if ratios[0][0] <= GOAL else '**no**'} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    programs = arguments.build / "tests" / "bench" / "crowd"
    rounds = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="soma-crowd-") as scratch:
        servers = [Server(arguments.build, scratch, name) for name in ("one", "other")]
        try:
            for number in range(arguments.rounds):
                alone = beside(programs, servers[0], None, None, arguments.seconds)
                rounds.append({kind: (alone, *(beside(programs, servers[0], kind, at, arguments.seconds) for at in servers)) for kind in KINDS})
                print(f"crowd: round {number + 1} of {arguments.rounds}", file=sys.stderr)
        finally:
            for server in servers:
                server.stop()
    section = text(rounds, arguments, load)
    print(section)
    report.write_section("crowd", section)


if __name__ == "__main__":
    main()
