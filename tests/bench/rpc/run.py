#!/usr/bin/env python3
"""RPC figures: this server beside bare nng echoes, gRPC's C++ callback server and SQLite's own group commit.

"nng" is the distribution's as shipped, "our nng" the one that SOMA links: the same with the patches of common/nng/patches.

All contestants run in one session on one machine, in interleaved rounds; what counts are medians and ratios taken round by
round, for the machine's speed drifts. Processor time for a request, of the server and of the load, says the same with less noise,
where the machine is not ours alone. Writes the section "rpc" of docs/BENCHMARKS.md.

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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from report import machine, median, ratios, write_section  # noqa: E402

IN_FLIGHT = (1, 16, 64)
TRANSPORTS = ("unix socket", "tcp")

# (figure, contestant, peer, at how many in flight, goal or None)
GOALS = (
    ("Ping", "somad", "nng", (1, 16, 64), 0.9),
    ("Ping", "somad", "our nng", (1, 16, 64), None),
    ("Ping", "somad", "gRPC", (16, 64), 2.3),
    ("SubmitJob", "somad", "SQLite group commit", (64,), 0.5),
    ("SubmitJob", "somad", "SQLite one transaction each", (64,), 5.0),
)


class Servers:
    """The servers under test: started once, ended with this object."""

    def __init__(self, build, scratch):
        self.build, self.scratch, self.running = build, scratch, []
        self.by_address = {}

    def start(self, *command, ready="ready "):
        """Starts a server that prints a line with `ready` and an address, and gives the address."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        self.running.append(process)
        for line in process.stdout:
            if ready in line:
                addresses = line.split(ready, 1)[1].strip().split()
                self.by_address.update(dict.fromkeys(addresses, process.pid))
                return addresses
        sys.exit(f"{command[0]} did not start")

    def seconds(self, address):
        """Processor time of the server at an address: the first figure of each thread's schedstat, nanoseconds."""
        spent = 0
        for thread in pathlib.Path(f"/proc/{self.by_address[address]}/task").iterdir():
            try:
                spent += int((thread / "schedstat").read_text().split()[0])
            except OSError:
                continue  # it has ended
        return spent / 1e9

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()

    def addresses(self):
        """For each transport the address of each contestant."""
        bench = self.build / "tests" / "bench" / "rpc"
        data = f"{self.scratch}/data"
        soma = self.start(str(self.build / "bin" / "somad"), "--data", data, "--listen",
                          f"ipc://{self.scratch}/soma", "--listen", "tcp://127.0.0.1:0", "--insecure", "on", ready="listening on ")
        return {
            "unix socket": {
                "nng": self.start(str(bench / "nng_echo_shipped"), f"ipc://{self.scratch}/nng")[0],
                "our nng": self.start(str(bench / "nng_echo"), f"ipc://{self.scratch}/our-nng")[0],
                "gRPC": self.start(str(bench / "grpc_echo"), f"unix:{self.scratch}/grpc")[0],
                "somad": soma[0],
            },
            "tcp": {
                "nng": self.start(str(bench / "nng_echo_shipped"), free_tcp_url())[0],
                "our nng": self.start(str(bench / "nng_echo"), free_tcp_url())[0],
                "gRPC": self.start(str(bench / "grpc_echo"), "127.0.0.1:0")[0],
                "somad": soma[1],
            },
        }


def free_tcp_url():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def measure(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure_ping(servers, program, *arguments):
    """What the load reports, and the processor time for a request, microseconds."""
    address = arguments[-3]
    server, load = servers.seconds(address), os.times()
    result = measure(str(program), *arguments)
    ended = os.times()
    requests = max(result["rate"] * float(arguments[-1]), 1)
    result["server_us"] = (servers.seconds(address) - server) / requests * 1e6
    spent = ended.children_user + ended.children_system - load.children_user - load.children_system
    result["load_us"] = spent / requests * 1e6
    return result


def ping_rounds(servers, bench, addresses, rounds, seconds):
    """{(transport, in flight, contestant): [round, …]}"""
    results = {}
    for number in range(rounds):
        for transport in TRANSPORTS:
            address = addresses[transport]
            for count in IN_FLIGHT:
                load = (str(count), str(seconds))
                commands = {
                    "nng": (bench / "nng_load_shipped", "raw", address["nng"], *load),
                    "our nng": (bench / "nng_load", "raw", address["our nng"], *load),
                    "somad": (bench / "nng_load", "ping", address["somad"], *load),
                    "somad, libsoma": (bench / "soma_load", address["somad"], *load),
                    "gRPC": (bench / "grpc_load", address["gRPC"], *load),
                }
                for who, command in commands.items():
                    results.setdefault((transport, count, who), []).append(measure_ping(servers, *command))
        print(f"ping: round {number + 1} of {rounds}", file=sys.stderr)
    return results


def submit_rounds(bench, addresses, scratch, rounds, seconds):
    results = {}
    address = addresses["unix socket"]["somad"]
    model = f"{scratch}/data/soma.db"
    for number in range(rounds):
        commands = {
            "somad": (bench / "nng_load", "submit", address, "64", str(seconds)),
            "SQLite group commit": (bench / "sqlite_commit", "group", model, scratch, "64", str(seconds)),
            "SQLite one transaction each": (bench / "sqlite_commit", "single", model, scratch, "64", str(seconds)),
        }
        for who, command in commands.items():
            results.setdefault(("unix socket", 64, who), []).append(measure(*map(str, command)))
        print(f"submit: round {number + 1} of {rounds}", file=sys.stderr)
    return results


def table(title, results):
    processors = all("server_us" in round_ for rounds in results.values() for round_ in rounds)
    more = " server's processor µs | load's |" if processors else ""
    lines = [f"**{title}**", "", f"| transport | in flight | who | requests/s | p50 µs | p99 µs |{more}",
             "| --- | ---: | --- | ---: | ---: | ---: |" + more.count("|") * " ---: |"]
    for transport, count, who in results:
        key = (transport, count, who)
        line = (f"| {transport} | {count} | {who} | {median(results[key], 'rate'):,.0f} "
                f"| {median(results[key], 'p50_us'):,.0f} | {median(results[key], 'p99_us'):,.0f} |")
        if processors:
            line += f" {median(results[key], 'server_us'):.1f} | {median(results[key], 'load_us'):.1f} |"
        lines.append(line)
    return lines + [""]


def goal_table(figures):
    lines = ["| figure | transport | in flight | against | goal | median ratio (lowest–highest round) | reached |",
             "| --- | --- | ---: | --- | ---: | ---: | --- |"]
    for figure, who, peer, counts, goal in GOALS:
        results = figures[figure]
        for transport in TRANSPORTS:
            for count in counts:
                if (transport, count, who) not in results:
                    continue
                middle, low, high = ratios(results[(transport, count, who)], results[(transport, count, peer)], "rate")
                reached = "" if goal is None else "yes" if middle >= goal else "**no**"
                lines.append(f"| {figure} | {transport} | {count} | {peer} | {goal or ''} "
                             f"| {middle:.2f} ({low:.2f}–{high:.2f}) | {reached} |")
    return lines + [""]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=float, default=1.0)
    options = options.parse_args()
    bench = options.build / "tests" / "bench" / "rpc"
    with tempfile.TemporaryDirectory(prefix="soma-bench-") as scratch:
        servers = Servers(options.build, scratch)
        try:
            addresses = servers.addresses()
            figures = {
                "Ping": ping_rounds(servers, bench, addresses, options.rounds, options.seconds),
                "SubmitJob": submit_rounds(bench, addresses, scratch, options.rounds, options.seconds),
            }
        finally:
            servers.stop()
    note = (f"{options.rounds} interleaved rounds of {options.seconds} s each on {machine()}, client and server on the same cores; "
            "medians of the rounds. The payload of a Ping is 64 bytes.")
    text = "\n".join(["## RPC: `./dev bench rpc`", "", note, "", *goal_table(figures), *table("Ping", figures["Ping"]),
                      *table("SubmitJob, durable", figures["SubmitJob"])])
    print(text)
    write_section("rpc", text)


if __name__ == "__main__":
    main()
