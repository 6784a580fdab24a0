#!/usr/bin/env python3
"""A picture of a terminal session with the real programs, as SVG: the one in the README.

    SOMA_BUILD=build/dev tests/demo/picture.py docs/session.svg     or ./dev picture

tmux is the terminal. Each command is typed when the one before has ended; what stands on the screen at last becomes the picture.
"""

import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

COLUMNS, ROWS = 84, 27
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.4, 19, 16
COLOURS = ["#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#f5c2e7", "#94e2d5", "#cdd6f4"]
TEXT, FAINT, BACKGROUND = "#cdd6f4", "#7f849c", "#1e1e2e"

TRAIN = """import os, time
for n in range(1, 5):
    print("epoch", n, flush=True)
    with open(os.environ["SOMA_PROGRESS"], "w") as progress:
        progress.write(f"{n * 25} epoch {n} of 4\\\\n")
    time.sleep(1)
"""
COMMANDS = [
    "soma submit train.py                        # a job belongs to the server,",
    "pkill -9 somad; somad 2>>log &              # which may be killed under it",
    "soma ps",
    "soma logs -f $(soma ps -q | head -n 1)      # not a byte is missing",
    "soma run -q -- sh -c 'sleep 99 & exit 3'; echo $?   # nothing is left behind",
    "soma collection create docs --dim 2 --metric l2",
    "soma upsert docs docs.jsonl; soma upsert docs docs.jsonl",
    """soma query docs --vector '[1, 1]' --where '{"year": {"$gte": 2020}}' -k 2""",
]
RECORDS = """{"id": "a", "embedding": [1, 2], "document": "durable jobs", "metadata": {"year": 2024}}
{"id": "b", "embedding": [5, 1], "document": "vectors", "metadata": {"year": 2025}}
{"id": "c", "embedding": [1, 1], "document": "an older one", "metadata": {"year": 2011}}
"""


# Only this server is killed; no job control, so that bash says nothing of it.
RC = """PS1='$ ' HISTFILE=
set +m
cd %s
pkill() { kill -9 $!; wait $! 2>>log; }
somad 2>>log &
soma ping >>log
"""


class Terminal:
    def __init__(self, home, environment):
        self.socket = home / "tmux"
        self.typed = 0
        shell = f"bash --noprofile --rcfile {home}/rc"
        self("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), shell, env=environment)

    def __call__(self, *arguments, env=None):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=env).stdout

    def prompts(self):
        return len(re.findall(r"^\$", self("capture-pane", "-p", "-S", "-"), re.M))

    def until(self, is_true):
        end = time.monotonic() + 30
        while not is_true():
            if time.monotonic() > end:
                sys.exit("picture: waited in vain; the screen is\n" + self("capture-pane", "-p"))
            time.sleep(0.05)

    def type(self, line):
        count = self.prompts()
        self("send-keys", "-l", line)
        self("send-keys", "Enter")
        # The prompt that comes next is one more, and the line before it is whole.
        self.until(lambda: self.prompts() > count and self("capture-pane", "-p").rstrip().endswith("$"))


def runs_of(line):
    """(text, style) of a line with escape sequences."""
    style = {"fill": TEXT, "bold": False}
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b"):
            if part:
                yield part, dict(style)
            continue
        for number in (int(n or 0) for n in part[2:-1].split(";")):
            if number == 0:
                style = {"fill": TEXT, "bold": False}
            elif number == 1:
                style["bold"] = True
            elif number == 2:
                style["fill"] = FAINT
            elif 30 <= number <= 37 or 90 <= number <= 97:
                style["fill"] = COLOURS[number % 10]
            elif number == 39:
                style["fill"] = TEXT


def svg(lines):
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        '<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        column = 0
        for text, style in runs_of(line):
            x, y = MARGIN + column * CELL_WIDTH, MARGIN + (row + 0.75) * LINE_HEIGHT
            weight = ' font-weight="bold"' if style["bold"] or text.startswith("$ ") else ""
            length = f' textLength="{len(text) * CELL_WIDTH:.1f}" lengthAdjust="spacing"'
            if text.strip():
                out.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{style["fill"]}"{weight}{length}>{html.escape(text)}</text>')
            column += len(text)
    return "\n".join([*out, "</g>", "</svg>", ""])


def main(target):
    build = pathlib.Path(os.environ["SOMA_BUILD"]).resolve()
    target = pathlib.Path(target).resolve()
    with tempfile.TemporaryDirectory(prefix="soma-picture.") as folder:
        home = pathlib.Path(folder)
        home.chmod(0o711)
        (home / "train.py").write_text(TRAIN.replace("\\\\n", "\\n"))
        (home / "docs.jsonl").write_text(RECORDS)
        (home / "rc").write_text(RC % home)
        address = f"ipc://{home}/somad.sock"
        environment = {"PATH": f"{build}/bin:/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8", "TERM": "screen-256color"}
        environment.update(SOMA_DATA=f"{folder}/data", SOMA_LISTEN=address, SOMA_SERVER=address)
        terminal = Terminal(home, environment)
        terminal.until(lambda: terminal.prompts() == 1)
        try:
            for line in COMMANDS:
                terminal.type(line)
            screen = terminal("capture-pane", "-e", "-p").rstrip().split("\n")
            terminal.type("kill $!; wait $!")
        finally:
            terminal("kill-server")
    lines = [line for line in screen[:-1] if not re.match(r"\[\d\]", line)]
    target.write_text(svg(lines))


if __name__ == "__main__":
    main(sys.argv[1])
