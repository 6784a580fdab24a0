"""Compares what the machine had acknowledged with what it has after the cut: compare.py ACKNOWLEDGED FOUND. Exit status 1: something is wrong."""
import re
import sys


def lines(path):
    with open(path, encoding="latin-1") as file:
        return file.read().replace("\r", "")


acknowledged, found = map(lines, sys.argv[1:3])
jobs = {m[0]: m[1:] for m in re.findall(r"HAVE job (\S+) (\S+) (\S+) (\d+) (\S*)\n", found)}
batches = dict(re.findall(r"HAVE batch (\d+) (\d+)\n", found))
status = dict(re.findall(r"STATUS (\S+) (\d+)\n", found))
wrong = []

submitted = re.findall(r"ACK job (\S+) (\S+)\n", acknowledged)
ended = re.findall(r"ACK end (\S+) (\S+)\n", acknowledged)
late = re.findall(r"ACK late (\S+)\n", acknowledged)
written = re.findall(r"ACK batch (\d+)\n", acknowledged)
for job, name in submitted:
    if job not in jobs:
        wrong.append(f"job {job} is gone")
for job, name in ended:
    if jobs.get(job) != (name, "succeeded", "1", f"line_of_{name}_"):
        wrong.append(f"job {job} had ended and is {jobs.get(job)}")
for job in late:
    if job not in jobs or jobs[job][1:] != ("succeeded", "1", "late_"):
        wrong.append(f"job {job} had ended without a server and is {jobs.get(job)}")
for job, (name, state, attempt, _) in jobs.items():
    if state not in ("succeeded", "lost") or attempt != "1":
        wrong.append(f"job {job} is {state} in attempt {attempt}")
for batch in written:
    if batches.get(batch) != "20":
        wrong.append(f"batch {batch} has {batches.get(batch)} rows")
for batch, count in batches.items():
    if count != "20":
        wrong.append(f"batch {batch} is there in part")
for what in ("check-before", "check-online", "check-collection"):
    if status.get(what) != "0":
        wrong.append(f"{what} ended with {status.get(what)}")
if not (submitted and ended and late and written):
    wrong.append("the machine acknowledged too little to compare")

print(f"{len(submitted)} jobs, {len(ended)} ends, {len(written)} batches acknowledged; {len(wrong)} wrong")
print("\n".join(wrong[:20]), end="\n" if wrong else "")
sys.exit(bool(wrong))
