// Contestants that npm brings, each a program that takes peer_main.c's orders: node peers.mjs NAME DIRECTORY. The npm packages
// are in SOMA_BENCH_NPM, scratch files go to SOMA_BENCH_SCRATCH.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.SOMA_BENCH_NPM}/`);
const [name, directory] = process.argv.slice(2);
const K = 10;
const scratch = `${process.env.SOMA_BENCH_SCRATCH}/${name}.${process.pid}`;

const floats = (file) => {
  const bytes = readFileSync(`${directory}/${file}`);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};
const numbers = (file) => {
  const bytes = readFileSync(`${directory}/${file}`);
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};
const [count, queryCount, dim, metric] = readFileSync(`${directory}/shape`, "utf8").split(/\s+/).map((word) => Number(word) || word);
const base = floats("base");
const queries = floats("queries");
const row = (matrix, at) => matrix.subarray(at * dim, (at + 1) * dim);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A real Chroma server on the loopback, asked by its own client. It does not end at SIGTERM.
class Chroma {
  calls = { queries: 1, inFlight: 1 };

  async start() {
    const { ChromaClient } = require("chromadb");
    const port = 18000 + (process.pid % 10000);
    const program = `require("chromadb-js-bindings-linux-x64-gnu").cli(["chroma", "run", "--path", process.argv[1], "--host", "127.0.0.1", "--port", "${port}"])`;
    this.server = spawn(process.execPath, ["-e", program, scratch], { cwd: process.env.SOMA_BENCH_NPM, stdio: "ignore" });
    process.on("exit", () => this.server.kill("SIGKILL"));
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
    this.client = new ChromaClient({ host: "127.0.0.1", port });
    for (let i = 0; i < 3000; i++) {
      try {
        await this.client.heartbeat();
        return;
      } catch {
        await sleep(10);
      }
    }
    throw new Error("chroma does not listen");
  }

  async build(m, ef) {
    if (!this.server) await this.start();
    this.collection = await this.client.createCollection({
      name: "bench",
      embeddingFunction: null,
      configuration: { hnsw: { space: metric === "cosine" ? "cosine" : "l2", ef_construction: ef, max_neighbors: m } },
    });
    const atOnce = 1000;
    for (let at = 0; at < count; at += atOnce) {
      const some = Array.from({ length: Math.min(atOnce, count - at) }, (_, i) => at + i);
      await this.collection.add({
        ids: some.map(String),
        embeddings: some.map((i) => Array.from(row(base, i))),
        metadatas: some.map((i) => ({ label: i % 100, tens: i % 10 })),
      });
    }
  }

  async search(from, some, _, modulus) {
    const where = modulus && (modulus === 100 ? { label: 3 } : { tens: 3 });
    const queryEmbeddings = Array.from({ length: some }, (_, i) => Array.from(row(queries, from + i)));
    const found = await this.collection.query({ queryEmbeddings, nResults: K, where, include: [] });
    return found.ids.map((ids) => ids.map(Number));
  }

  async load() {
    this.server.kill("SIGKILL");
    await new Promise((resolve) => this.server.once("exit", resolve));
    await this.start();
    this.collection = await this.client.getCollection({ name: "bench", embeddingFunction: null });
  }

  pid() {
    return this.server?.pid;
  }
}

// LanceDB in this process: inverted lists, each with a graph over codes of 8 bits, compared exactly.
class Lance {
  async build(m, ef) {
    const lancedb = require("@lancedb/lancedb");
    const arrow = require("apache-arrow");
    const database = await lancedb.connect(scratch);
    const atOnce = 10000;
    for (let at = 0; at < count; at += atOnce) {
      const some = Math.min(atOnce, count - at);
      const list = new arrow.FixedSizeList(dim, new arrow.Field("item", new arrow.Float32(), true));
      const values = arrow.makeData({ type: new arrow.Float32(), data: base.slice(at * dim, (at + some) * dim) });
      const vectors = arrow.makeVector(arrow.makeData({ type: list, length: some, nullCount: 0, child: values }));
      const label = arrow.vectorFromArray(Array.from({ length: some }, (_, i) => at + i), new arrow.Int32());
      const modulo = (n) => arrow.vectorFromArray(Array.from({ length: some }, (_, i) => (at + i) % n), new arrow.Int32());
      const rows = new arrow.Table({ id: label, label: modulo(100), tens: modulo(10), vector: vectors });
      if (at) await this.table.add(rows);
      else this.table = await database.createTable("bench", rows);
    }
    const config = lancedb.Index.hnswSq({
      distanceType: metric === "cosine" ? "cosine" : "l2", numPartitions: 1, m, efConstruction: ef });
    await this.table.createIndex("vector", { config });
    await this.table.waitForIndex(["vector_idx"], 1200);
  }

  async search(from, some, ef, modulus) {
    const answers = [];
    for (let i = from; i < from + some; i++) {
      let query = this.table.vectorSearch(row(queries, i)).limit(K).select(["id", "_distance"]).nprobes(1).ef(Math.max(ef, 3 * K)).refineFactor(3);
      query = query.distanceType(metric === "cosine" ? "cosine" : "l2");
      if (modulus) query = query.where(modulus === 100 ? "label = 3" : "tens = 3");
      answers.push((await query.toArray()).map((found) => found.id));
    }
    return answers;
  }

  pid() {
    return 0;
  }
}

const peer = new { chroma: Chroma, lancedb: Lance }[name]();

function serverSeconds() {
  if (!peer.pid()) return 0;
  const words = readFileSync(`/proc/${peer.pid()}/stat`, "utf8").split(") ").pop().split(" ");
  return (Number(words[11]) + Number(words[12])) / 100;
}

function now() {
  const used = process.cpuUsage();
  return { processor: (used.user + used.system) / 1e6 + serverSeconds(), wall: performance.now() / 1000 };
}

function speed(done, began) {
  const ended = now();
  return `${(done / (ended.processor - began.processor)).toFixed(1)} ${(done / (ended.wall - began.wall)).toFixed(1)}`;
}

function resident() {
  const status = readFileSync(`/proc/${peer.pid() || process.pid}/status`, "utf8");
  return Number(/RssAnon:\s+(\d+)/.exec(status)[1]) * 1024;
}

// These are not asked all queries there are, for they are slow.
async function search(ef, seconds, modulus) {
  const truth = numbers(modulus ? `truth.${modulus}` : "truth");
  const checked = Math.min(truth.length / K, 100);
  const { queries: some, inFlight } = peer.calls ?? { queries: 1, inFlight: 1 };
  const began = now();
  let next = 0, done = 0, found = 0;
  const ask = async () => {
    while (next < checked || now().wall - began.wall < seconds) {
      const at = next % checked, size = Math.min(some, checked - at), first = next;
      next += size;
      const answers = await peer.search(at, size, ef, modulus);
      done += size;
      answers.forEach((labels, i) => {
        if (first + i >= checked) return;
        const wanted = truth.subarray((at + i) * K, (at + i + 1) * K);
        found += labels.filter((label) => wanted.includes(label)).length;
      });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, ask));
  return `${(found / (checked * K)).toFixed(4)} ${speed(done, began)}`;
}

async function obey(words) {
  const began = now();
  const [order, a, b, c] = words.map((word, i) => (i ? Number(word) : word));
  if (order === "build") {
    await peer.build(a, b);
    return `${speed(count, began)} ${resident()} 0`;
  }
  if (order === "calls") {
    peer.calls = { queries: a, inFlight: b };
    return "1";
  }
  if (order === "search") return search(a, b);
  if (order === "only") return search(b, c, a);
  if (order === "save") return peer.load ? "1" : "0";
  if (order === "load") {
    const opening = performance.now();
    await peer.load();
    await peer.search(0, 1, 64);
    return ((performance.now() - opening) / 1000).toFixed(4);
  }
  throw new Error(`${order} is no order`);
}

console.log(`${name} ${count} ${dim}`);
for await (const line of createInterface({ input: process.stdin })) console.log(await obey(line.trim().split(/\s+/)));
process.exit(0);
