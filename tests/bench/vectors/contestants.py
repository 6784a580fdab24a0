"""Who takes part in `./dev bench vectors`: programs that take orders (peer_main.c says which), and a word about each."""
import os
import subprocess
import sys

# name: (program, whether a search has a width, whether rows can be updated one by one in the process, about it)
CONTESTANTS = {
    "soma": ("peer_soma", True, True, "this project's engine in the process: HNSW on int8 codes, compared in float32"),
    "hnswlib": ("peer_hnswlib", True, True,
                "hnswlib of Debian (0.6.2), compiled for this machine: HNSW on float32; simple, and what most others are measured by"),
    "hnswlib, filters": ("peer_hnswlib_filter", True, False, "hnswlib 0.8, from npm's hnswlib-node: the first with filters in the search"),
    "faiss HNSW": ("peer_faiss_hnsw", True, False,
                   "faiss of Debian (1.7.3, compiled for any x86-64): the toolbox with the most kinds of indexes; fast where it is built for the machine"),
    "faiss IVF, SQ8": ("peer_faiss_ivf", True, False, "the same, inverted lists of codes of 8 bits: the smallest memory, quick to build"),
    "sqlite-vec": ("peer_sqlite_vec", False, True, "sqlite-vec 0.1.9: every row is looked at, in SQL, next to one's other tables; nothing to tune, always exact"),
    "soma, RPC": ("peer_rpc", True, False, "this project's server through libsoma over a unix socket, durable"),
    "Chroma": ("chroma", False, False, "a Chroma server (1.0) on the loopback, through its own client: the least to learn, and embeddings made for you"),
    "LanceDB": ("lancedb", True, False,
                "LanceDB 0.37 in node: files of columns, larger than memory, versioned; one partition of HNSW over codes of 8 bits, refined"),
}
OURS, BASE, FILTERED, RPC, SERVER = "soma", "hnswlib", "hnswlib, filters", "soma, RPC", "Chroma"


class Contestant:
    """A contestant with its data in memory; ended with this object."""

    def __init__(self, name, build, npm, scratch, data):
        program, self.has_widths, self.has_updates, _ = CONTESTANTS[name]
        self.name = name
        bench = build / "tests" / "bench" / "vectors"
        command = [bench / program, data]
        if not program.startswith("peer_"):
            command = ["node", "--max-old-space-size=8192", os.path.join(os.path.dirname(__file__), "peers.mjs"), program, data]
        environment = dict(os.environ, SOMA_BENCH_SCRATCH=str(scratch), SOMA_BENCH_SOMAD=str(build / "bin" / "somad"),
                           SOMA_BENCH_NPM=str(npm), OPENBLAS_NUM_THREADS="1", RUST_LOG="error")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        words = self.read().split()
        self.rows, self.dim = int(words[-2]), int(words[-1])

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()}")
        return line

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return [float(word) for word in self.read().split()]

    def order(self, *words):
        self.tell(*words)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def is_there(name, build, npm):
    program = CONTESTANTS[name][0]
    if program.startswith("peer_"):
        return (build / "tests" / "bench" / "vectors" / program).exists() and (
            program != "peer_sqlite_vec" or (npm / "sqlite-vec-linux-x64").exists())
    return (npm / {"chroma": "chromadb", "lancedb": "@lancedb"}[program]).exists()
