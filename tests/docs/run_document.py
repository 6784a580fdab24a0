#!/usr/bin/env python3
"""Runs what a document shows, line by line, against the real programs, and compares what comes out.

    SOMA_BUILD=build/dev run_document.py docs/TUTORIAL.md

    ```console        lines that begin with "$ " are typed into one bash, "> " continues one; what follows has to come out.
                      "…" stands for anything within a line; a line of "…" alone for any lines; an id of a job for any id;
                      any number of spaces for any other.
    ```python         run in one interpreter for the whole document; "# value" behind a print says what it prints.
    ```python chroma  somebody else's program (chroma, celery, …): run too, with stand-ins for what it imports that take any call.
    <!-- file NAME -->    the next block becomes this file in the folder where all of it happens.
    <!-- from PATH -->    the next block is a piece of this file of the repository.

A document without a server of its own (it has no "somad" in a console) finds one running. All happens in a home that is
made for it: the defaults of somad and soma lead there.
"""

import ast
import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest.mock

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["SOMA_BUILD"]).resolve()
END = "-- end of the command --"


class Block:
    def __init__(self, line, info, directive, lines):
        self.line = line
        self.info = info.split()
        self.directive = directive
        self.lines = lines


def blocks_of(text):
    blocks = []
    directive = ""
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if match := re.fullmatch(r"<!-- (.*) -->", line):
            directive = match[1]
        elif match := re.fullmatch(r"```(.*)", line):
            inside = []
            for _, line in lines:
                if line == "```":
                    break
                inside.append(line)
            blocks.append(Block(number, match[1], directive, inside))
            directive = ""
        elif line.strip():
            directive = ""
    return blocks


def fail(document, block, text):
    sys.exit(f"{document}:{block.line}: {text}")


# --- pieces of files


def check_quote(document, block):
    path = SOURCE / block.directive.split()[1]
    shown = textwrap.dedent("\n".join(block.lines)).strip("\n").split("\n")
    there = path.read_text().split("\n")
    for at in range(len(there) - len(shown) + 1):
        if textwrap.dedent("\n".join(there[at : at + len(shown)])).strip("\n").split("\n") == shown:
            return
    fail(document, block, f"this is no piece of {path.relative_to(SOURCE)}")


# --- a terminal


class Shell:
    def __init__(self, home):
        self.bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home
        )
        self.bash.stdin.write("set +m; exec 2>&1; shopt -s expand_aliases\n")

    def run(self, command):
        self.bash.stdin.write(f"{command}\necho; echo '{END}'\n")
        self.bash.stdin.flush()
        out = []
        for line in self.bash.stdout:
            if line.rstrip("\n") == END:
                break
            out.append(line.rstrip("\n"))
        if out and out[-1] == "":
            out.pop()
        return out

    def close(self):
        self.bash.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        self.bash.stdin.close()
        self.bash.wait(30)


def commands_of(block):
    """(command, lines that have to come out)."""
    found = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1].append(line)
    return found


def is_like(wanted, line):
    wanted, line = (re.sub(" +", " ", text).rstrip() for text in (wanted, line))
    pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
    pattern = re.sub(r"\b01[0-9a-hjkmnp-tv-z]{18}\b", "01[0-9a-hjkmnp-tv-z]{18}", pattern)
    return re.fullmatch(pattern, line) is not None


def agrees(wanted, lines):
    if not wanted:
        return not lines
    if wanted[0].strip() == "…":
        return any(agrees(wanted[1:], lines[at:]) for at in range(len(lines) + 1))
    return bool(lines) and is_like(wanted[0], lines[0]) and agrees(wanted[1:], lines[1:])


def run_console(document, block, shell):
    for command, wanted in commands_of(block):
        out = shell.run(command)
        if not agrees(wanted, out):
            fail(document, block, "\n".join([f"$ {command}", "gives", *out, "and not", *wanted]))


# --- Python


def run_python(document, block, names):
    out = io.StringIO()
    code = "\n".join(block.lines)
    prints = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"]
    wanted = [block.lines[call.end_lineno - 1].partition(")  # ")[2] for call in prints]
    if not all(wanted):
        fail(document, block, "a print does not say what it prints")
    with contextlib.redirect_stdout(out):
        exec(compile(code, f"{document}:{block.line}", "exec"), names)
    if not agrees(wanted, out.getvalue().rstrip("\n").split("\n") if out.getvalue() else []):
        fail(document, block, f"prints\n{out.getvalue()}and not\n" + "\n".join(wanted))


def run_peer(document, block, names):
    """What is not written in Python, or names what it has not made, is found; what the peer would say to it is not."""
    tree = ast.parse("\n".join(block.lines))
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in [node.module] if isinstance(node, ast.ImportFrom) else modules:
            if module.partition(".")[0] not in sys.stdlib_module_names:
                sys.modules[module] = unittest.mock.MagicMock()
    try:
        exec(compile(tree, f"{document}:{block.line}", "exec"), names)
    except NameError as error:
        fail(document, block, error)


def run_block(document, block, shell, names, home):
    kind, *rest = [*block.info, "", ""]
    if block.directive.startswith("from "):
        check_quote(document, block)
    elif block.directive.startswith("file "):
        path = home / block.directive.split()[1]
        path.write_text("\n".join(block.lines) + "\n")
    elif kind == "console":
        run_console(document, block, shell)
    elif kind == "python" and not rest[0]:
        run_python(document, block, names)
    elif kind == "python":
        run_peer(document, block, names.setdefault(rest[0], {"__name__": "__main__"}))


@contextlib.contextmanager
def server():
    with subprocess.Popen(["somad"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while subprocess.run(["soma", "--timeout", "1s", "ping"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            assert process.poll() is None, "the server ended"
            time.sleep(0.05)
        try:
            yield
        finally:
            process.terminate()


def set_environment(home):
    for name in list(os.environ):
        if name.startswith("SOMA_"):
            del os.environ[name]
    os.environ.update(
        HOME=str(home),
        PATH=f"{BUILD}/bin:/usr/local/bin:/usr/bin:/bin",
        PYTHONPATH=str(SOURCE / "client/python"),
        SOMA_LIBRARY=str(BUILD / "client/lib/libsoma.so.1"),
        SOMA_DATA=str(home / "soma-data"),
        SOMA_SERVER=f"ipc://{home}/somad.sock",
        SOMA_LISTEN=f"ipc://{home}/somad.sock",
        LC_ALL="C.UTF-8",
        NO_COLOR="1",
    )
    # Where there are no namespaces a sandbox leaves jobs no way to the server.
    if subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        os.environ["SOMA_SANDBOX"] = "off"
    sys.path.insert(0, str(SOURCE / "client/python"))
    os.chdir(home)


def main(document):
    path = pathlib.Path(document).resolve()
    blocks = blocks_of(path.read_text())
    with tempfile.TemporaryDirectory(prefix="soma-docs.") as folder:
        home = pathlib.Path(folder)
        home.chmod(0o711)
        set_environment(home)
        starts_one = any("console" in block.info and any("somad" in line for line in block.lines) for block in blocks)
        runs = any(block.info[:1] in (["console"], ["python"]) for block in blocks)
        names = {"__name__": "__main__"}
        shell = Shell(home)
        with server() if runs and not starts_one else contextlib.nullcontext(), contextlib.closing(shell):
            for block in blocks:
                run_block(path.name, block, shell, names, home)
    print(f"{path.name}: {len(blocks)} blocks hold")


if __name__ == "__main__":
    main(sys.argv[1])
