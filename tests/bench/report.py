"""What the benchmarks share: the machine's name, medians and ratios over rounds, and a section of docs/BENCHMARKS.md."""
import os
import pathlib
import platform
import statistics

REPORT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "BENCHMARKS.md"


def machine():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}, Linux {platform.release()}"


def median(rounds, figure):
    return statistics.median(round_[figure] for round_ in rounds)


def ratios(ours, theirs, figure):
    """Median, lowest and highest of the ratios round by round, for the machine's speed drifts."""
    each = [a[figure] / b[figure] for a, b in zip(ours, theirs)]
    return statistics.median(each), min(each), max(each)


def write_section(name, text):
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = REPORT.read_text() if REPORT.exists() else "# Benchmarks\n"
    if begin not in old:
        old += f"\n{begin}\n{end}\n"
    head, rest = old.split(begin, 1)
    REPORT.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
