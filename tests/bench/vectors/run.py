#!/usr/bin/env python3
"""Vector figures: this project's index beside other libraries', in the process, on one core, on real data.

Every contestant is a program that builds its index once and then takes orders (peer_main.c says which), so that rounds interleave: each
width of the search is asked of all contestants in turn, round after round. Speeds are per second of the thread's processor time.
What counts are ratios at equal recall, interpolated on each contestant's own curve, and their medians over the rounds. Writes the
section "vectors" of docs/BENCHMARKS.md.

    run.py BUILD_DIR --data DIR [--rounds N] [--seconds S] [--rows N] [--sets mnist docs] [--peers soma hnswlib …]

DIR holds for each set NAME.base.npy, NAME.query.npy and NAME.truth.npy (the ten nearest of each query).
"""
import argparse
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[3]
REPORT = SOURCE / "docs" / "BENCHMARKS.md"
OURS = "soma"
# A further contestant is a program that understands the orders, and a word about it here.
PEERS = {
    "soma": "this project: HNSW on int8 codes, compared in float32",
    "hnswlib": "hnswlib of Debian, compiled for this machine: HNSW on float32; simple, and what most others are measured by",
}
METRICS = {"mnist": "l2", "docs": "cosine"}
WIDTHS = (10, 14, 20, 28, 40, 64, 96, 160, 256, 400)
M, EF_CONSTRUCTION = 16, 200
RECALLS = (0.95, 0.99)
# (figure, set, goal as a multiple of hnswlib's)
SEARCH_GOALS = {"mnist": 4.0, "docs": 3.0}
GOALS = {"build": 1.5, "update": 5.0, "open": 5.0}


class Contestant:
    """A peer with its data in memory; ended with this object."""

    def __init__(self, build, name, options, data_set):
        self.name = name
        command = [build / "tests" / "bench" / "vectors" / f"peer_{name}", options.data, data_set, METRICS.get(data_set, "l2")]
        if options.rows:
            command.append(options.rows)
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _, self.rows, self.dim = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()}")
        words = line.split()
        return [words[0]] + [int(word) for word in words[1:]] if words[0].isalpha() else [float(word) for word in words]

    def order(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def speed_at(curve, recall):
    """Queries a second at a recall: the fastest width that reaches it, interpolated to the one before. None: it is not reached."""
    points = [curve[width] for width in sorted(curve)]
    for before, after in zip([None] + points, points):
        if after[0] < recall:
            continue
        if before is None or after[0] == before[0]:
            return after[1]
        share = (recall - before[0]) / (after[0] - before[0])
        return math.exp(math.log(before[1]) * (1 - share) + math.log(after[1]) * share)
    return None


def run_set(options, data_set, scratch):
    contestants = [Contestant(options.build, name, options, data_set) for name in options.peers]
    figures = {name: {"curves": []} for name in options.peers}
    for one in contestants:
        rate, resident, codes = one.order("build", M, EF_CONSTRUCTION)
        figures[one.name].update(build=rate, resident=resident / one.rows, codes=codes, dim=one.dim, rows=one.rows)
        print(f"{data_set}: {one.name} built, {rate:.0f} rows/s", file=sys.stderr)
    for number in range(options.rounds):
        for one in contestants:
            figures[one.name]["curves"].append({})
        for width in WIDTHS:
            for one in contestants:
                figures[one.name]["curves"][-1][width] = one.order("search", width, options.seconds)
        print(f"{data_set}: round {number + 1} of {options.rounds}", file=sys.stderr)
    for one in contestants:
        figures[one.name]["only"] = {modulus: one.order("only", modulus, 64, options.seconds) for modulus in (100, 10)}
        path = f"{scratch}/{one.name}"
        if one.order("save", path)[0]:
            figures[one.name]["open"] = statistics.median(one.order("load", path)[0] for _ in range(options.rounds))
        figures[one.name]["update"] = one.order("update", min(2000, int(one.rows)))[0]
        figures[one.name]["after"] = one.order("search", 64, options.seconds)
        one.end()
    return figures


def ratios(figures, peer, recall):
    pairs = [(speed_at(ours, recall), speed_at(theirs, recall))
             for ours, theirs in zip(figures[OURS]["curves"], figures[peer]["curves"])]
    return [ours / theirs for ours, theirs in pairs if ours and theirs]


def goal_line(figure, data_set, peer, goal, values):
    if not values:
        return f"| {figure} | {data_set} | {peer} | {goal} | not reached by both | |"
    middle = statistics.median(values)
    spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"| {figure} | {data_set} | {peer} | {goal} | {middle:.2f}{spread} | {'yes' if middle >= goal else '**no**'} |"


def beyond(figures):
    """Bytes of memory for each vector that are neither its float32 nor its code."""
    return figures["resident"] - figures["dim"] * 4 - figures["codes"]


def goal_table(results):
    lines = ["| figure | set | against | goal | median ratio (lowest–highest round) | reached |",
             "| --- | --- | --- | ---: | ---: | --- |"]
    for data_set, figures in results.items():
        for peer in figures:
            if peer == OURS:
                continue
            ours, theirs = figures[OURS], figures[peer]
            for recall in RECALLS:
                lines.append(goal_line(f"queries/s at recall@10 ≥ {recall}", data_set, peer, SEARCH_GOALS.get(data_set, 3.0),
                                       ratios(figures, peer, recall)))
            lines.append(goal_line("rows indexed a second", data_set, peer, GOALS["build"], [ours["build"] / theirs["build"]]))
            if theirs["update"] > 0:
                lines.append(goal_line("rows updated a second", data_set, peer, GOALS["update"], [ours["update"] / theirs["update"]]))
            if "open" in ours and "open" in theirs:
                lines.append(goal_line("opening, times as fast", data_set, peer, GOALS["open"], [theirs["open"] / ours["open"]]))
            fits = beyond(ours) <= beyond(theirs)
            lines.append(f"| bytes a vector beyond code and float32 | {data_set} | {peer} | ≤ {beyond(theirs):.0f} | {beyond(ours):.0f} "
                         f"| {'yes' if fits else '**no**'} |")
    return lines + [""]


def curve_table(data_set, figures):
    lines = [f"**{data_set}**: {figures[OURS]['rows']:.0f} × {figures[OURS]['dim']}, {METRICS.get(data_set, 'l2')}; medians", "",
             "| ef | " + " | ".join(f"{name} recall@10 | {name} queries/s" for name in figures) + " |",
             "| ---: |" + " ---: |" * (2 * len(figures))]
    for width in WIDTHS:
        cells = []
        for name in figures:
            curves = figures[name]["curves"]
            cells.append(f"{curves[0][width][0]:.4f} | {statistics.median(curve[width][1] for curve in curves):,.0f}")
        lines.append(f"| {width} | " + " | ".join(cells) + " |")
    lines += ["", "| | rows indexed/s | rows updated/s | recall before → after updates, ef 64 | bytes a vector | opening, ms "
              "| 1 % filter: recall, queries/s | 10 % filter |", "| --- |" + " ---: |" * 7]
    for name, its in figures.items():
        opening = f"{its['open'] * 1000:.1f}" if "open" in its else "—"
        only = [f"{its['only'][modulus][0]:.3f}, {its['only'][modulus][1]:,.0f}" if its["only"][modulus][1] else "none here"
                for modulus in (100, 10)]
        lines.append(f"| {name} | {its['build']:,.0f} | {its['update']:,.0f} | {its['curves'][0][64][0]:.4f} → {its['after'][0]:.4f} "
                     f"| {its['resident']:,.0f} | {opening} | {only[0]} | {only[1]} |")
    return lines + [""]


def machine():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    best = next((name for name in ("avx512_vnni", "avx512f", "avx2") if name in flags), platform.machine())
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()} ({best}), Linux {platform.release()}"


def write_report(text):
    begin, end = "<!-- vectors: begin -->", "<!-- vectors: end -->"
    old = REPORT.read_text() if REPORT.exists() else "# Benchmarks\n"
    if begin not in old:
        old = f"{old.rstrip()}\n\n{begin}\n{end}\n"
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    REPORT.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--data", type=pathlib.Path, required=True)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=0.5)
    options.add_argument("--rows", type=int, default=0)
    options.add_argument("--sets", nargs="+", default=list(METRICS))
    options.add_argument("--peers", nargs="+", default=["soma", "hnswlib"], choices=list(PEERS))
    options = options.parse_args()
    load = os.getloadavg()[0]
    results = {}
    with tempfile.TemporaryDirectory(prefix="soma-bench-") as scratch:
        for data_set in options.sets:
            results[data_set] = run_set(options, data_set, scratch)
    note = (f"In the process, one thread, seconds of its processor time; {options.rounds} interleaved rounds of {options.seconds} s for each width on "
            f"{machine()}; load of the machine at the start {load:.1f}. m {M}, ef_construction {EF_CONSTRUCTION} for all.")
    who = [f"- {name}: {PEERS[name]}" for name in options.peers]
    text = "\n".join(["## Vectors: `./dev bench vectors --data DIR`", "", note, "", *who, "", *goal_table(results),
                      *(line for data_set, figures in results.items() for line in curve_table(data_set, figures))])
    print(text)
    write_report(text)


if __name__ == "__main__":
    main()
