#!/usr/bin/env python3
"""A large import stays within the server's memory budget: every row arrives, questions are answered meanwhile, the index is whole at the end.

    import_budget.py BUILD_DIR [--rows N] [--dim D] [--budget MB] [--minutes M] [--quick]

The rows are bytes by chance, as a .npy; the collection keeps its embeddings on disk. What is bounded is the memory that is the server's
own (RssAnon): mapped files are the kernel's to drop. Beside the budget, which is of the vectors, a server may take BESIDE_MB.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

BESIDE_MB = 64
SEED_BYTES = 1 << 20


def write_rows(path, rows, dim):
    """Rows that differ from one another: pieces of a megabyte by chance, each turned by its number."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, {dim}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    left = rows * dim
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        while left:
            piece = os.urandom(min(SEED_BYTES, left))
            file.write(piece)
            left -= len(piece)


class Server:
    def __init__(self, programs, scratch, budget_mb):
        self.programs = programs
        self.environment = dict(os.environ, SOMA_SERVER=f"ipc://{scratch}/somad.sock")
        self.log = open(scratch / "somad.log", "w", encoding="utf-8")
        self.process = subprocess.Popen([programs / "somad", "--data", scratch / "data", "--listen", self.environment["SOMA_SERVER"],
                                         "--memory-budget", f"{budget_mb}M"], stderr=self.log)
        self.peak_mb = 0
        self.is_watched = True
        self.watch = threading.Thread(target=self.look)
        self.watch.start()

    def look(self):
        while self.is_watched and self.process.poll() is None:
            self.peak_mb = max(self.peak_mb, self.own_mb())
            time.sleep(0.05)

    def own_mb(self):
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return 0
        return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("RssAnon:")), 0)

    def soma(self, *words, **options):
        return subprocess.run([self.programs / "soma", *words], env=self.environment, stdout=subprocess.PIPE, text=True, **options)

    def show(self):
        shown = json.loads(self.soma("-o", "json", "collection", "show", "big", check=True).stdout)
        return shown["record_count"], shown["index"]["rows_indexed"]

    def end(self):
        self.is_watched = False
        self.watch.join()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


def import_rows(server, path, dim):
    """Asks again and again while the rows go in; how often it was answered."""
    importing = subprocess.Popen([server.programs / "soma", "-q", "import", "big", path], env=server.environment)
    question = json.dumps([1] * dim)
    answered = 0
    while importing.poll() is None:
        server.soma("query", "big", "--vector", question, "-k", "1", check=True, timeout=120)
        answered += 1
        time.sleep(0.2)
    return importing.returncode, answered


def wait_for_index(server, rows, minutes):
    give_up = time.monotonic() + minutes * 60
    count, indexed = server.show()
    while indexed < rows and time.monotonic() < give_up:
        time.sleep(0.2)
        count, indexed = server.show()
    return count, indexed


def run(options, scratch):
    path = scratch / "rows.npy"
    write_rows(path, options.rows, options.dim)
    server = Server(options.build / "bin", scratch, options.budget)
    try:
        server.soma("--timeout", "30s", "ping", check=True)
        server.soma("-q", "collection", "create", "big", "--dim", str(options.dim), "--metric", "l2", "--rerank", "disk", *options.index, check=True)
        began = time.monotonic()
        status, answered = import_rows(server, path, options.dim)
        took = time.monotonic() - began
        count, indexed = wait_for_index(server, options.rows, options.minutes)
        is_whole = server.soma("collection", "check", "big").returncode == 0
    finally:
        ended = server.end()
    print(f"{count} of {options.rows} rows of {options.dim} in {took:.0f} s, {answered} questions answered meanwhile; {indexed} indexed; "
          f"{server.peak_mb} MB of memory at most, budget {options.budget} MB and {BESIDE_MB} beside")
    wrong = [what for what, is_wrong in [("the import failed", status), ("rows are missing", count != options.rows),
                                         ("the index is not whole in time", indexed != options.rows),
                                         ("the collection's check finds something", not is_whole), ("nothing was answered", not answered),
                                         ("more memory than the budget", server.peak_mb > options.budget + BESIDE_MB),
                                         ("the server did not end well", ended)] if is_wrong]
    for what in wrong:
        print(f"import_budget: {what}", file=sys.stderr)
    if wrong:
        print((scratch / "somad.log").read_text(encoding="utf-8")[-4000:], file=sys.stderr)
    return 1 if wrong else 0


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--rows", type=int, default=30000)
    options.add_argument("--dim", type=int, default=768)
    options.add_argument("--budget", type=int, default=64, help="MB")
    options.add_argument("--minutes", type=float, default=4, help="until the index is whole, after the import")
    options.add_argument("--quick", action="store_true", help="a coarse index, which takes a quarter of the time")
    options = options.parse_args()
    options.index = ("--m", "8", "--ef-construction", "40") if options.quick else ()
    options.build = options.build.resolve()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="soma-import.", dir="/tmp"))
    scratch.chmod(0o711)
    try:
        return run(options, scratch)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
