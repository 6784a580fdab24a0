"""From the rounds' figures to the section "vectors" of docs/BENCHMARKS.md."""
import math
import statistics

import report
from contestants import BASE, CONTESTANTS, FILTERED, OURS, RPC, SERVER

RECALLS = (0.95, 0.99)
SEARCH_GOALS = {"mnist": 4.0}  # images; text and all others:
SEARCH_GOAL = 3.0
PROCESSOR, WALL = 1, 2  # which speed of an answer (recall, speed, speed)
OF_LIBRARIES = "processor time"
OF_SERVERS = "clock"


def speed_at(curve, recall, which=PROCESSOR):
    """Queries a second at a recall: the fastest width that reaches it, interpolated to the one before. None: it is not reached."""
    points = [curve[width] for width in sorted(curve)]
    for before, after in zip([None] + points, points):
        if after[0] < recall:
            continue
        if before is None or after[0] == before[0]:
            return after[which]
        share = (recall - before[0]) / (after[0] - before[0])
        return math.exp(math.log(before[which]) * (1 - share) + math.log(after[which]) * share)
    return None


def ratios(ours, theirs, recall, which, their_which=None):
    """Round by round; empty where one of the two does not reach the recall."""
    pairs = [(speed_at(a, recall, which), speed_at(b, recall, their_which or which)) for a, b in zip(ours, theirs)]
    return [a / b for a, b in pairs if a and b]


class Goals:
    """The lines of the table of goals of one set."""

    def __init__(self, data_set, figures):
        self.data_set, self.figures, self.lines = data_set, figures, []

    def has(self, *names):
        return all(name in self.figures for name in names)

    def add(self, figure, against, goal, values, measured):
        if not values:
            self.lines.append(f"| {figure} | {self.data_set} | {against} | {goal} | recall not reached | | {measured} |")
            return
        middle = statistics.median(values)
        spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
        self.lines.append(f"| {figure} | {self.data_set} | {against} | {goal} | {middle:.2f}{spread} | "
                          f"{'yes' if middle >= goal else '**no**'} | {measured} |")

    def in_process(self):
        ours, theirs = self.figures[OURS], self.figures[BASE]
        for recall in RECALLS:
            self.add(f"queries/s at recall@10 ≥ {recall}", BASE, SEARCH_GOALS.get(self.data_set, SEARCH_GOAL),
                     ratios(ours["curves"], theirs["curves"], recall, PROCESSOR), OF_LIBRARIES)
        self.add("rows indexed/s", BASE, 1.5, [ours["build"] / theirs["build"]], OF_LIBRARIES)
        self.add("rows updated/s", BASE, 5.0, [ours["update"] / theirs["update"]], OF_LIBRARIES)
        self.add("opening to the first answer, times as fast", BASE, 5.0, [theirs["open"] / ours["open"]], OF_SERVERS)
        bound = beyond(theirs)
        self.lines.append(f"| bytes of memory a vector beyond codes and float32 | {self.data_set} | {BASE} | ≤ {bound:.0f} | {beyond(ours):.0f} "
                          f"| {'yes' if beyond(ours) <= bound else '**no**'} | resident |")

    def filters(self):
        for modulus, goal in ((100, 20.0), (10, 5.0)):
            for name, against, its_goal, which in ((OURS, FILTERED, goal, PROCESSOR), (RPC, FILTERED, goal, WALL), (RPC, SERVER, 100.0, WALL)):
                if self.has(name, against):
                    ours = [round_[modulus] for round_ in self.figures[name]["only"]]
                    theirs = [round_[modulus] for round_ in self.figures[against]["only"]]
                    self.add(f"{name}: filter keeps {100 // modulus} %, recall ≥ 0.99", against, its_goal,
                             ratios(ours, theirs, 0.99, which), OF_SERVERS if which == WALL else OF_LIBRARIES)

    def over_the_wire(self):
        ours = self.figures[RPC]
        for key, what, goal in (("batches", "batches of 64", 0.8), ("single", "one query a call, 16 in flight", 0.5)):
            for recall in RECALLS:
                if self.has(OURS):
                    self.add(f"RPC, {what}, recall ≥ {recall}", "in the process", goal,
                             ratios(ours[key], self.figures[OURS][key], recall, WALL), OF_SERVERS)
        if not self.has(SERVER):
            return
        theirs = self.figures[SERVER]
        for key, their_key, what in (("batches", "batches", "batches of 64"), ("batches", "single", "batches of 64, against one query a call"),
                                     ("single", "single", "one query a call, 16 in flight")):
            recall = min(min(point[0] for curve in theirs[their_key] for point in curve.values()),
                         min(max(point[0] for point in curve.values()) for curve in ours[key]))
            self.add(f"RPC, {what}, at recall {recall:.3f}", SERVER, 50.0, ratios(ours[key], theirs[their_key], recall, WALL), OF_SERVERS)

    def ingest(self):
        ours = self.figures[RPC]
        if self.has(SERVER):
            self.add("durable ingest until searchable at full speed", SERVER, 5.0, [ours["build_wall"] / self.figures[SERVER]["build_wall"]],
                     OF_SERVERS)
        if self.has(OURS):
            self.add("durable ingest until searchable at full speed", "our bare build", 0.8,
                     [ours["build_wall"] / self.figures[OURS]["build_wall"]], OF_SERVERS)

    def all(self):
        if self.has(OURS, BASE):
            self.in_process()
        if self.has(RPC):
            self.over_the_wire()
        self.filters()
        if self.has(RPC):
            self.ingest()
        return self.lines


def beyond(its):
    """Bytes of memory for each vector that are neither its float32 nor its code."""
    return its["resident"] - its["dim"] * 4 - its["codes"]


def curve_table(data_set, figures):
    any_of = next(iter(figures.values()))
    names = [name for name in figures if any(len(curve) > 1 for curve in figures[name]["curves"])]
    widths = sorted({width for name in names for width in figures[name]["curves"][0]})
    lines = [f"**{data_set}**: {any_of['rows']:,} × {any_of['dim']}, {any_of['metric']}: recall@10, queries per second of processor time", "",
             "| width | " + " | ".join(names) + " |", "| ---: |" + " ---: |" * len(names)]
    for width in widths:
        cells = []
        for name in names:
            points = [curve[width] for curve in figures[name]["curves"] if width in curve]
            cells.append(f"{points[0][0]:.4f}, {statistics.median(point[PROCESSOR] for point in points):,.0f}" if points else "")
        lines.append(f"| {width} | " + " | ".join(cells) + " |")
    return lines + [""]


def wire_table(data_set, figures):
    names = [name for name in (OURS, RPC, SERVER) if name in figures and figures[name]["batches"][0]]
    if RPC not in names:
        return []
    heads = [f"{name}, {what}" for name in names for what in ("batches", "single")]
    lines = [f"**{data_set}**, batches of 64 queries, one at a time, and one query a call, 16 at a time: recall@10, queries per second of the clock",
             "", "| width | " + " | ".join(heads) + " |", "| ---: |" + " ---: |" * len(heads)]
    for width in sorted(figures[RPC]["batches"][0]):
        cells = []
        for name in names:
            for key in ("batches", "single"):
                points = [curve[width] for curve in figures[name][key] if width in curve]
                cells.append(f"{points[0][0]:.4f}, {statistics.median(point[WALL] for point in points):,.0f}" if points else "")
        lines.append(f"| {width} | " + " | ".join(cells) + " |")
    return lines + [""]


def fixed_speed(its):
    """(recall, queries a second of processor time, of the clock) of who has one width."""
    points = [point for curve in (its["curves"] + its["single"]) for point in curve.values()]
    return f"{points[0][0]:.4f}, {statistics.median(point[PROCESSOR] for point in points):,.0f}" if points else "see above"


def only_cell(its, modulus):
    speed = [speed_at(round_[modulus], 0.99) for round_ in its["only"]]
    reached = [one for one in speed if one]
    if reached:
        return f"{statistics.median(reached):,.0f}"
    best = max(point[0] for round_ in its["only"] for point in round_[modulus].values())
    return f"recall {best:.3f}" if best else "none"


def other_table(figures):
    lines = ["| | rows indexed/s: processor, clock | rows updated/s | recall before → after updates, ef 64 | bytes a vector | opening, ms "
             "| one width: recall, queries/s | filter 1 %, recall ≥ 0.99 | filter 10 % |", "| --- |" + " ---: |" * 8]
    for name, its in figures.items():
        opening = f"{its['open'] * 1000:.1f}" if its.get("open", -1) > 0 else "—"
        update, after = "—", "—"
        if "update" in its:
            before = its["curves"][0][64][0]
            update, after = f"{its['update']:,.0f}", f"{before:.4f} → {its['after'][0]:.4f}"
        one_width = fixed_speed(its) if all(len(curve) < 2 for curve in its["curves"]) and name != RPC else ""
        lines.append(f"| {name} | {its['build']:,.0f}, {its['build_wall']:,.0f} | {update} | {after} | {its['resident']:,.0f} | {opening} "
                     f"| {one_width} | {only_cell(its, 100)} | {only_cell(its, 10)} |")
    return lines + [""]


def instructions():
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    return next((name for name in ("avx512_vnni", "avx512f", "avx2") if name in flags), "no vectors")


def text_of(options, results, left_out, load):
    cut = f" The first {options.rows:,} rows of each set." if options.rows else ""
    note = (f"{options.rounds} interleaved rounds of {options.seconds} s for each width on {report.machine()} ({instructions()}); load of the machine at "
            f"the start {load:.1f}. m 16, ef_construction 200 where there is a graph. Libraries run in one thread and are counted by processor time, servers "
            f"by the clock, with client and server on the same processors; of Chroma and LanceDB processor time is that of all their threads. A speed "
            f"at a recall is interpolated on each one's own curve; ratios are medians of the rounds (lowest–highest).{cut}")
    who = [f"- {name}: {CONTESTANTS[name][3]}" for name in options.only]
    who += [f"- {name} was not there to measure" for name in left_out]
    lines = ["## Vectors: `./dev bench vectors --data DIR`", "", note, "", *who, "",
             "| figure | set | against | goal | ratio | reached | by |", "| --- | --- | --- | ---: | ---: | --- | --- |"]
    for data_set, figures in results.items():
        lines += Goals(data_set, figures).all()
    lines.append("")
    for data_set, figures in results.items():
        lines += curve_table(data_set, figures) + wire_table(data_set, figures) + other_table(figures)
    return "\n".join(lines)
