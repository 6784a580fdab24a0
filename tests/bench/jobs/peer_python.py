"""Load on RQ and Celery, with their own client libraries.

    peer_python.py submit rq|celery SECONDS          64 submits in flight: 2 processes with 32 threads each
    peer_python.py count rq|celery COUNT DONE_FILE   COUNT jobs, until the workers have noted so many ends
    peer_python.py start rq|celery SECONDS FIFO STAMP
"""
import json
import multiprocessing
import os
import sys
import threading
import time

PROCESSES, THREADS = 2, 32


def submitter(peer, task="noop"):
    """A function that submits one job, with a connection of its own for each thread."""
    import peer_tasks
    if peer == "rq":
        import redis
        import rq
        queue = rq.Queue(connection=redis.Redis(unix_socket_path=peer_tasks.SOCKET))
        function = getattr(peer_tasks, f"rq_{task}")
        return lambda *arguments: queue.enqueue(function, *arguments, result_ttl=0)
    function = getattr(peer_tasks, f"celery_{task}")
    return lambda *arguments: function.delay(*arguments)


def submit_until(peer, deadline, counts, place):
    submit = submitter(peer)
    while time.monotonic() < deadline:
        submit()
        counts[place] += 1


def submit_process(peer, seconds, results):
    counts = [0] * THREADS
    submitter(peer)()  # what is loaded once is loaded before
    begun = time.monotonic()
    threads = [threading.Thread(target=submit_until, args=(peer, begun + seconds, counts, place))
               for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(counts) / (time.monotonic() - begun))


def measure_submit(peer, seconds):
    results = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=submit_process, args=(peer, float(seconds), results))
                 for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    rate = sum(results.get() for _ in processes)
    for process in processes:
        process.join()
    return {"rate": rate}


def size_of(path):
    return os.stat(path).st_size if os.path.exists(path) else 0


def submit_and_wait(submit, count, done):
    before = size_of(done)
    for _ in range(count):
        submit()
    while size_of(done) < before + count:
        time.sleep(0.001)


def measure_count(peer, count, done):
    submit = submitter(peer)
    submit_and_wait(submit, 1, done)  # workers are there when their first job has ended
    begun = time.monotonic()
    submit_and_wait(submit, int(count), done)
    return {"rate": int(count) / (time.monotonic() - begun)}


def measure_start(peer, seconds, fifo, stamp):
    submit, latencies = submitter(peer, "start"), []
    file = os.open(fifo, os.O_RDWR)
    words = (fifo,) if peer == "rq" else (stamp, fifo)
    submit(*words)
    os.read(file, 17)  # workers are there when their first job has begun
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        submit(*words)
        latencies.append(int(os.read(file, 17), 16) - asked)
        time.sleep(0.01)
    latencies.sort()
    return {"rate": len(latencies) / float(seconds), "p50_us": latencies[len(latencies) // 2] / 1e3,
            "p99_us": latencies[len(latencies) * 99 // 100] / 1e3}


measures = {"submit": measure_submit, "count": measure_count, "start": measure_start}
print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
