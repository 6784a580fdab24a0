"""What workers of RQ and Celery run: one process for each job, then a byte into the file $BENCH_DONE or a stamp into $BENCH_FIFO."""
import os
import time

from celery import Celery

SOCKET = os.environ["BENCH_REDIS"]
app = Celery("peer_tasks", broker=f"redis+socket://{SOCKET}?virtual_host=1")
app.conf.task_ignore_result = True


def note_end():
    done = os.open(os.environ["BENCH_DONE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(done, b".")
    os.close(done)


def run(program, *arguments):
    pid = os.posix_spawn(program, [program, *arguments], os.environ)
    os.waitpid(pid, 0)


# RQ forks a process for each job by itself.
def rq_noop():
    note_end()


def rq_start(fifo):
    stamp = b"%016x\n" % time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    with open(fifo, "wb", buffering=0) as file:
        file.write(stamp)


# Celery's workers are forked beforehand.
@app.task
def celery_noop():
    run("/bin/true")
    note_end()


@app.task
def celery_start(stamp, fifo):
    run(stamp, fifo)
