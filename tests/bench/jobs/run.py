#!/usr/bin/env python3
"""Job figures: this server beside the machine's bare limits and Debian's job queues.

All contestants run in one session on one disk, in interleaved rounds; what counts are medians and ratios taken round by round.
Writes the section "jobs" of docs/BENCHMARKS.md.

    run.py BUILD_DIR [--rounds N] [--seconds S] [--minutes M] [--scratch DIR] [--quick] [--dry]

--minutes: no round is begun that would not end by then. --quick: one short round, printed only. --dry: print, write nothing.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from peers import PYTHON, WORKERS, HERE, Peers, Somad
from report import machine, median, ratios, write_section

OUTPUT_BYTES, OUTPUT_BYTES_QUICK = 1 << 30, 1 << 28
MANY_JOBS, MANY_BYTES = 200, 1 << 20
# A job holds its place until its end is synced: with the default of four, places wait for the disk more than for processors.
NOOPS_AT_ONCE = "16"
# No-op jobs a second that a contestant is given work for; what it does in fact only stretches or shortens its turn.
EXPECTED = {"somad, sandbox off": 500, "somad, sandbox on": 60, "beanstalk": 500, "gearman": 250, "rq": 10, "celery": 100}
PARKED = 10000
# That answer when the job is on disk, as configured here.
SYNCED = ("beanstalkd -f0", "gearmand, SQLite", "RQ", "Celery")
NAMES = {"beanstalk": "beanstalkd -f0", "gearman": "gearmand, SQLite", "rq": "RQ", "celery": "Celery"}
# As somad's own arguments for it: no network, no other process, no file of the system writable.
BUBBLEWRAP = ("/usr/bin/bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
              "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
              "--tmpfs", "/tmp")


def measure(*command, environment=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, env=environment,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return json.loads((done.stdout.strip() or done.stderr.strip()).splitlines()[-1])


class Session:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.load_average = os.getloadavg()[0]
        self.bench = options.build / "tests" / "bench" / "jobs"
        self.load = self.bench / "jobs_load"
        self.peers = Peers(options.build, scratch)
        self.figures, self.rounds = {}, 0
        self.output_bytes = OUTPUT_BYTES_QUICK if options.quick else OUTPUT_BYTES
        self.modes = {"sandbox off": ("--sandbox", "off")}
        # A sandbox shows a job of the server's files only what it is told to.
        if subprocess.run((*BUBBLEWRAP, "/bin/true"), capture_output=True, check=False).returncode == 0:
            self.modes["sandbox on"] = ("--sandbox", "required", "--read-path", self.bench / "stamp")

    def note(self, figure, who, result):
        self.figures.setdefault(figure, {}).setdefault(who, []).append(result)

    def count(self, who):
        """Jobs that take about as long as the seconds that were asked for."""
        return max(10, int(EXPECTED[who] * self.options.seconds))

    # --- one round of each figure

    def submits(self):
        seconds = self.options.seconds
        server = Somad(self.options.build, self.scratch, f"submit{time.monotonic_ns()}")
        self.note("submit", "somad", measure(self.load, "submit", server.address, seconds))
        server.stop()
        for peer in ("beanstalk", "gearman", "redis"):
            self.note("submit", NAMES.get(peer, "bare LPUSH on Redis"),
                      measure(self.bench / "peer_load", "submit", peer, self.peers.where(peer), seconds))
        for peer in ("rq", "celery"):
            self.note("submit", NAMES[peer], measure(PYTHON, HERE / "peer_python.py", "submit", peer, seconds,
                                                     environment=self.peers.environment))
        self.peers.forget_jobs()

    def with_somad(self, mode, figure, command, *more):
        server = Somad(self.options.build, self.scratch, f"{figure}{time.monotonic_ns()}", *self.modes[mode], *more)
        self.note(figure, f"somad, {mode}", measure(self.load, command[0], server.address, *command[1:]))
        server.stop()

    def noops(self):
        bare, seconds = self.bench / "bare_spawn", self.options.seconds
        self.note("noop", "posix_spawn", measure(bare, "rate", WORKERS, seconds, "/bin/true"))
        self.note("noop", "bubblewrap", measure(bare, "rate", WORKERS, seconds, *BUBBLEWRAP, "/bin/true"))
        for mode in self.modes:
            self.with_somad(mode, "noop", ("noop", self.count(f"somad, {mode}"), "/bin/true"), "--max-running", NOOPS_AT_ONCE)
        for peer in ("beanstalk", "gearman"):
            self.peers.work(peer, ("/bin/true",))
            self.note("noop", NAMES[peer], measure(self.bench / "peer_load", "count", peer, self.peers.where(peer),
                                                   self.count(peer), self.peers.done))
            self.peers.rest()
        for peer in ("rq", "celery"):
            self.peers.work(peer, ())
            self.note("noop", NAMES[peer], measure(PYTHON, HERE / "peer_python.py", "count", peer, self.count(peer),
                                                   self.peers.done, environment=self.peers.environment))
            self.peers.rest()
        self.note("noop", "task-spooler", self.spool())

    def spool(self):
        begun = time.monotonic()
        submitted = measure(self.bench / "bare_spawn", "rate", WORKERS, self.options.seconds, "/usr/bin/tsp", "-n", "/bin/true",
                            environment=self.peers.environment)
        count = submitted["rate"] * (time.monotonic() - begun)
        subprocess.run(["tsp", "-w"], env=self.peers.environment, stdout=subprocess.DEVNULL, check=True)
        return {"rate": count / (time.monotonic() - begun)}

    def starts(self):
        bare, stamp, fifo, seconds = self.bench / "bare_spawn", self.bench / "stamp", self.peers.fifo, self.options.seconds
        self.note("start", "posix_spawn", measure(bare, "start", fifo, seconds, stamp, fifo))
        for mode in self.modes:
            self.with_somad(mode, "start", ("start", seconds, stamp))
        for peer in ("beanstalk", "gearman"):
            self.peers.work(peer, (stamp, fifo))
            self.note("start", NAMES[peer], measure(self.bench / "peer_load", "start", peer, self.peers.where(peer), seconds, fifo))
            self.peers.rest()
        for peer in ("rq", "celery"):
            self.peers.work(peer, ())
            self.note("start", NAMES[peer], measure(PYTHON, HERE / "peer_python.py", "start", peer, seconds, fifo, stamp,
                                                    environment=self.peers.environment))
            self.peers.rest()
        self.note("start", "task-spooler", measure(bare, "start", fifo, seconds, "/usr/bin/tsp", "-n", stamp, fifo,
                                                   environment=self.peers.environment))

    def outputs(self):
        flood, file = self.bench / "flood", self.scratch / "file"
        took = measure(flood, self.output_bytes, 1, file)
        file.unlink()
        self.note("output", "a file, not synced", {"gb_per_s": self.output_bytes / 1e9 / took["seconds"]})
        self.note("output", "a file, synced", {"gb_per_s": self.output_bytes / 1e9 / took["synced"]})
        self.with_somad("sandbox off", "output", ("output", self.output_bytes, flood))
        self.with_somad("sandbox off", "many", ("many", MANY_JOBS, MANY_BYTES, flood), "--max-running", str(MANY_JOBS))

    def parked(self):
        server = Somad(self.options.build, self.scratch, f"parked{time.monotonic_ns()}")
        self.note("parked", "somad", measure(self.load, "parked", server.address, PARKED, max(2, self.options.seconds), server.pid))
        server.stop()

    def run(self):
        steps = (self.submits, self.noops, self.starts, self.outputs, self.parked)
        begun, longest = time.monotonic(), 0.0
        for number in range(self.options.rounds):
            round_begun = time.monotonic()
            if number > 0 and round_begun - begun + longest > self.options.minutes * 60:
                print(f"{self.options.minutes:g} minutes would not be enough for another round", file=sys.stderr)
                return
            for step in steps:
                step()
                print(f"round {number + 1} of {self.options.rounds}: {step.__name__}, {time.monotonic() - begun:.0f} s",
                      file=sys.stderr)
            self.rounds += 1
            longest = max(longest, time.monotonic() - round_begun)


# --- the report

def goal_rows(figures):
    """(what, goal, found, reached)"""
    best = max(SYNCED, key=lambda who: median(figures["submit"][who], "rate"))
    rows = []

    def ratio(what, figure, ours, theirs, key, goal, less=False):
        if ours not in figures[figure]:
            rows.append((what, f"≥ {goal}", "not measured: this machine lets nobody make namespaces", False))
            return
        middle, low, high = ratios(figures[figure][ours], figures[figure][theirs], key)
        rows.append((what, f"{'≤' if less else '≥'} {goal}", f"{middle:.2f} ({low:.2f}–{high:.2f})",
                     middle <= goal if less else middle >= goal))

    ratio(f"durable submits, 64 in flight, against {best}", "submit", "somad", best, "rate", 3)
    ratio("no-op jobs, sandbox off, against posix_spawn", "noop", "somad, sandbox off", "posix_spawn", "rate", 0.5)
    ratio("no-op jobs, sandbox on, against bubblewrap", "noop", "somad, sandbox on", "bubblewrap", "rate", 0.5)
    ratio("no-op jobs, sandbox off, against RQ", "noop", "somad, sandbox off", "RQ", "rate", 3)
    ratio("submit to start, p50, sandbox off, against posix_spawn", "start", "somad, sandbox off", "posix_spawn", "p50_us", 3,
          less=True)
    disk = min(1.0, median(figures["output"]["a file, synced"], "gb_per_s"))
    speed = median(figures["output"]["somad, sandbox off"], "gb_per_s")
    rows.append(("output of one job, GB/s: 1, or the disk's synced speed", f"≥ {disk:.2f}", f"{speed:.2f}", speed >= disk))
    verified = min(round_["verified_bytes"] for round_ in figures["many"]["somad, sandbox off"])
    rows.append((f"{MANY_JOBS} jobs writing at once, bytes compared", f"{MANY_JOBS * MANY_BYTES:,}", f"{verified:,}",
                 verified == MANY_JOBS * MANY_BYTES))
    share = median(figures["parked"]["somad"], "cpu_percent")
    rows.append((f"{PARKED:,} parked waits, % of a core", "< 1", f"{share:.2f}", share < 1))
    return rows


def goal_table(figures):
    lines = ["| figure | goal | found (median; lowest–highest round) | reached |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {what} | {goal} | {found} | {'yes' if reached else '**no**'} |" for what, goal, found, reached in goal_rows(figures)]
    return lines + [""]


def table(title, results, columns):
    lines = [f"**{title}**", "", f"| who | {' | '.join(name for name, _, _ in columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for who, rounds in results.items():
        cells = [format(median(rounds, key), form) if key in rounds[0] else "" for _, key, form in columns]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    return lines + [""]


def report(options, session):
    figures = session.figures
    rate = (("per second", "rate", ",.0f"),)
    times = (("p50 µs", "p50_us", ",.0f"), ("p99 µs", "p99_us", ",.0f"))
    speed = (("GB/s", "gb_per_s", ".2f"),)
    note = (f"{session.rounds} interleaved rounds of about {options.seconds} s each on {machine()}, clients, servers and jobs on the "
            f"same cores, {WORKERS} workers of each peer, all files on one disk; medians of the rounds. Load average of the machine "
            f"before the run: {session.load_average:.1f}.")
    return "\n".join([
        "## Jobs: `./dev bench jobs`", "", note, "", *goal_table(figures),
        *table("Submits, 64 in flight", figures["submit"], rate + times),
        *table(f"No-op jobs from the first submit to the last end, one process each; somad with --max-running {NOOPS_AT_ONCE}",
               figures["noop"], rate),
        *table("Submit to start, one job after the other", figures["start"], times),
        *table(f"Output of one job, {session.output_bytes >> 20} MiB", figures["output"], speed),
        *table(f"Output of {MANY_JOBS} jobs at once, {MANY_BYTES >> 20} MiB each, every byte compared", figures["many"], speed),
    ])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--minutes", type=float, default=11.0)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--scratch", type=pathlib.Path, default=None)
    options.add_argument("--dry", action="store_true")
    options = options.parse_args()
    options.build = options.build.resolve()
    if options.quick:
        options.rounds, options.seconds, options.dry = 1, 0.5, True
    with tempfile.TemporaryDirectory(prefix="soma-bench-", dir=options.scratch) as scratch:
        # Jobs run as another user where this is root.
        os.chmod(scratch, 0o711)
        session = Session(options, pathlib.Path(scratch))
        try:
            session.run()
        finally:
            session.peers.stop()
    text = report(options, session)
    print(text)
    if not options.dry:
        write_section("jobs", text)


if __name__ == "__main__":
    main()
