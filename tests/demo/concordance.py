"""Works through a text on stdin: for each line the words that are new, at the end the words that are most frequent.

Usage: concordance.py SECONDS    (how long the reading is to take; the output does not depend on it)
"""
import collections
import os
import re
import sys
import time


def report(percent, message):
    """Says how far the program is: one line to where $SOMA_PROGRESS points."""
    where = os.environ.get("SOMA_PROGRESS")
    if where:
        with open(where, "w", encoding="utf-8") as progress:
            progress.write(f"{percent:.1f} {message}\n")


def main():
    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    lines = sys.stdin.read().splitlines()
    step = max(1, len(lines) // 100)
    counts = collections.Counter()
    for number, line in enumerate(lines, 1):
        words = re.findall(r"[a-z]{4,}", line.lower())
        new = sorted({word for word in words if word not in counts})
        counts.update(words)
        print(f"{number:5d} {len(words):3d} words, new: {' '.join(new)}", flush=True)
        if number % step == 0 or number == len(lines):
            report(100 * number / len(lines), f"line {number}/{len(lines)}, {len(counts)} words")
            time.sleep(pause * step / len(lines))
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]:
        print(f"{count:5d} x {word}")


main()
