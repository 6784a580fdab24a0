#!/usr/bin/env python3
"""Every command of soma, option and log line that a document names is there; every file that it links to as well.

    commands.py BUILD DOCUMENT…
"""

import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def help_of(soma, words, known={}):
    key = tuple(words)
    if key not in known:
        run = subprocess.run([soma, "help", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        known[key] = run.stdout if run.returncode == 0 else ""
    return known[key]


def commands_in(text):
    """What stands in code: `…`, lines of indented and of fenced blocks."""
    for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(?:    |\$ )(.*)$", text, re.M):
        code = re.sub(r"\s#\s.*", "", code)
        for command in re.findall(r"(?:^|[|;&(]\s*|\$\()((?:\./)?soma(?: [^|;&)]*)?)", code):
            yield command.removeprefix("./")


def wrong_with(soma, command):
    rest = re.sub(r"'[^']*'|\"[^\"]*\"", "X", command).split()[1:]
    rest = [word for word in rest if word != "…"]
    while rest and rest[0].startswith("-"):  # options of every command
        rest = rest[2:] if rest[0] in ("--server", "--namespace", "-o", "--timeout", "--context") else rest[1:]
    if not rest or not re.fullmatch(r"[a-z]+", rest[0]):
        return None
    two = len(rest) > 1 and help_of(soma, rest[:2])
    text = two or help_of(soma, rest[:1])
    if not text:
        return f"there is no soma {rest[0]}"
    everywhere = help_of(soma, [])
    before = rest[: rest.index("--")] if "--" in rest else rest
    for option in (word.partition("=")[0] for word in before if re.match(r"--[a-z]", word)):
        if option not in text and option not in everywhere:
            return f"soma {rest[0]} has no {option}"
    return None


def main(build, documents):
    soma = f"{build}/bin/soma"
    log_names = "\n".join(path.read_text() for folder in ("server", "common") for path in (SOURCE / folder).rglob("*.c"))
    wrong = []
    for document in documents:
        path = pathlib.Path(document).resolve()
        text = path.read_text()
        for command in commands_in(text):
            if problem := wrong_with(soma, command):
                wrong.append(f"{path.name}: {problem}: {command}")
        for name in re.findall(r"`([A-Z]+(?:-[A-Z]+)+)`", text):
            if f'"{name}"' not in log_names:
                wrong.append(f"{path.name}: no line of the log is called {name}")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (path.parent / target).exists():
                wrong.append(f"{path.name}: no file {target}")
    print("\n".join(wrong) or f"{len(documents)} documents hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
