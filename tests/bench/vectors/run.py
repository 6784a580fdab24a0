#!/usr/bin/env python3
"""Vector figures: this project's index and server beside other libraries and servers, on real data.

Every contestant is a program that builds its index once and then takes orders, so that rounds interleave: each width of the search is
asked of all contestants in turn, round after round. Figures of libraries are per second of processor time, those of servers per second
of the clock. What counts are ratios at equal recall, interpolated on each contestant's own curve, and their medians over the rounds.
Writes a section of docs/BENCHMARKS.md, "vectors" where no other is named.

    run.py BUILD_DIR --data DIR [--rounds N] [--seconds S] [--rows N] [--sets NAME[:METRIC] …] [--only NAME …] [--section NAME] [--out FILE]

DIR holds for each set NAME.base.npy and NAME.query.npy, or .fvecs, and where there is one NAME.truth.npy, the ten nearest of each query.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import report  # noqa: E402
import tables  # noqa: E402
from contestants import BASE, CONTESTANTS, FILTERED, OURS, RPC, SERVER, Contestant, is_there  # noqa: E402

METRICS = {"mnist": "l2", "docs": "cosine"}
WIDTHS = (10, 14, 20, 28, 40, 64, 96, 160, 256, 400)
SLOW_WIDTHS = (10, 20, 40, 64, 128, 256)  # of who is not in the goals
FILTER_WIDTHS = (10, 20, 40, 80, 160)
RPC_WIDTHS = (10, 14, 20, 28, 40, 64, 96, 160)
M, EF_CONSTRUCTION = 16, 200
CALLS = {"batches": (64, 1), "single": (1, 16)}  # queries in a call, calls in flight
BUILT_ALONE = (OURS, BASE, RPC, SERVER)
IN_GOALS = (*BUILT_ALONE, FILTERED)  # in every round; the others in the first


def prepare(options, data_set, metric, scratch):
    """The set as contestants read it; the directory it is in."""
    def find(part):
        for ending in ("npy", "fvecs"):
            path = pathlib.Path(options.data) / f"{data_set}.{part}.{ending}"
            if path.exists():
                return path
        return "-" if part == "truth" else sys.exit(f"{options.data} has no {data_set}.{part}.npy")
    out = scratch / data_set
    out.mkdir()
    subprocess.run([str(word) for word in (options.build / "tests/bench/vectors/prepare", find("base"), find("query"), find("truth"),
                                           metric, options.rows, out)], check=True)
    return out


def build_all(contestants, figures, say):
    """Those whose speed is in the goals one after the other; the others beside one another, as many as there are processors."""
    def take(one):
        processor, wall, resident, codes = one.answer()
        figures[one.name].update(build=processor, build_wall=wall, resident=resident / one.rows, codes=codes, rows=one.rows, dim=one.dim)
        say(f"{one.name} built, {processor:.0f} rows a processor second, {wall:.0f} rows/s")
    others = [one for one in contestants if one.name not in BUILT_ALONE]
    for one in contestants:
        if one.name in BUILT_ALONE:
            one.tell("build", M, EF_CONSTRUCTION)
            take(one)
    for at in range(0, len(others), os.cpu_count()):
        some = others[at:at + os.cpu_count()]
        for one in some:
            one.tell("build", M, EF_CONSTRUCTION)
        for one in some:
            take(one)


def widths_of(one, widths):
    return widths if one.has_widths else (64,)


def run_rounds(options, everyone, figures, say):
    for number in range(options.rounds):
        contestants = [one for one in everyone if not number or one.name in IN_GOALS]
        for one in contestants:
            for key in ("curves", "only", *CALLS):
                figures[one.name].setdefault(key, []).append({})
        for width in WIDTHS:
            for one in contestants:
                if width in widths_of(one, WIDTHS if one.name in IN_GOALS else SLOW_WIDTHS) and one.name not in (RPC, SERVER):
                    figures[one.name]["curves"][-1][width] = one.order("search", width, options.seconds)
        for key, calls in CALLS.items():
            over_a_wire = [one for one in contestants if one.name in (RPC, SERVER)]
            for one in over_a_wire:
                one.order("calls", *calls)
            for width in RPC_WIDTHS:
                for one in over_a_wire:
                    if width in widths_of(one, RPC_WIDTHS):
                        figures[one.name][key][-1][width] = one.order("search", width, options.seconds)
                ours = next((one for one in contestants if one.name == OURS), None)
                if ours and over_a_wire:  # in the process, at the same time
                    figures[OURS][key][-1][width] = ours.order("search", width, options.seconds)
        for modulus in (100, 10):
            for one in contestants:
                curve = figures[one.name]["only"][-1].setdefault(modulus, {})
                for width in widths_of(one, FILTER_WIDTHS):
                    curve[width] = one.order("only", modulus, width, options.seconds)
                    if curve[width][0] >= 0.995 or not curve[width][1]:
                        break
        say(f"round {number + 1} of {options.rounds}")


def finish(options, contestants, figures, scratch):
    """What changes the index, last."""
    for one in contestants:
        its = figures[one.name]
        path = scratch / f"index.{CONTESTANTS[one.name][0]}"
        if one.order("save", path)[0]:
            its["open"] = statistics.median(one.order("load", path)[0] for _ in range(options.rounds))
        if one.has_updates:
            count = min(2000, one.rows) if one.has_widths else 20
            its["update"] = one.order("update", count)[0]
            its["after"] = one.order("search", 64, options.seconds)
        one.end()


def run_set(options, data_set, metric, scratch):
    def say(text):
        print(f"{data_set}: {text}", file=sys.stderr, flush=True)
    data = prepare(options, data_set, metric, scratch)
    contestants = [Contestant(name, options.build, options.npm, scratch, data) for name in options.only]
    figures = {name: {"metric": metric} for name in options.only}
    build_all(contestants, figures, say)
    run_rounds(options, contestants, figures, say)
    finish(options, contestants, figures, scratch)
    shutil.rmtree(data)
    return figures


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--data", type=pathlib.Path, required=True)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=0.4)
    options.add_argument("--rows", type=int, default=0, help="of each set, the first so many")
    options.add_argument("--sets", nargs="+", default=list(METRICS))
    options.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS), metavar="CONTESTANT")
    options.add_argument("--section", default="vectors")
    options.add_argument("--out", type=pathlib.Path, help="instead of docs/BENCHMARKS.md")
    options = options.parse_args()
    options.build = options.build.resolve()
    options.npm = report.REPORT.parents[1] / "build" / "npm" / "vectors" / "node_modules"
    left_out = [name for name in options.only if not is_there(name, options.build, options.npm)]
    options.only = [name for name in options.only if name not in left_out]
    load = os.getloadavg()[0]
    results = {}
    # On the disk of the build, for what is durable shall be so.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.build) as scratch:
        for words in options.sets:
            data_set, _, metric = words.partition(":")
            results[data_set] = run_set(options, data_set, metric or METRICS.get(data_set, "l2"), pathlib.Path(scratch))
    text = tables.text_of(options, results, left_out, load)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    else:
        report.write_section(options.section, text)


if __name__ == "__main__":
    main()
