"""Jobs as objects, and what is known of them."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Iterator, NamedTuple

from . import _abi
from ._library import Connection, library, milliseconds, name_of
from ._values import address_of, bytes_of, decoded, encoded, text_of, time_of
from .errors import JobFailed, NotFound

POLL_SECONDS = 30.0
# A poll that comes back this soon without news is not asked again at once.
_PROMPT_SECONDS = 0.1
_PAUSE_SECONDS = 0.25
_NO_TIMEOUT = 10.0 * 365 * 86400
_PIECE_BYTES = 1 << 20
_INPUT_BYTES = 1 << 18
_STREAMS = {1: "stdout", 2: "stderr"}


@dataclass(frozen=True)
class JobInfo:
    """A job as it was when the server was asked. Durations in seconds, sizes in bytes, times in UTC."""

    id: str
    parent_id: str | None  # the job that submitted it
    name: str
    queue: str
    priority: int
    labels: dict[str, str]
    status: str  # "queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost"
    is_final: bool
    reason: str  # of its end: "exited", "signaled", "wall_timeout", "memory_limit", …
    exit_code: int | None  # of the program; None: it has not ended by itself
    signal: int | None
    exit_status: int | None  # as a shell would see it; None: not final
    message: str
    attempt: int
    progress: float | None  # 0 to 100, as the program reports it
    progress_message: str
    wait: str  # why it is queued: "place", "time", "backoff", "after", …
    next_attempt: datetime | None
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    cancel_requested: datetime | None
    wall_time: float
    cpu_time: float
    memory: int
    peak_memory: int
    disk: int
    stdout_bytes: int
    stdout_dropped: int
    stderr_bytes: int
    stderr_dropped: int
    artifact_count: int
    revision: int


class Output(NamedTuple):
    stream: str  # "stdout" or "stderr"
    data: bytes
    attempt: int
    time: datetime | None


class Artifact(NamedTuple):
    path: str
    size: int
    executable: bool


def info_of(job: Any) -> JobInfo:
    is_final = library.soma_job_state_is_final(job.state)
    spec = job.spec
    return JobInfo(
        id=text_of(job.id),
        parent_id=decoded(job.parent_id) or None,
        name=text_of(spec.name),
        queue=text_of(spec.queue),
        priority=spec.priority,
        labels={text_of(spec.labels[i].key): text_of(spec.labels[i].value) for i in range(spec.label_count)},
        status=name_of("job_state", job.state),
        is_final=is_final,
        reason=name_of("job_reason", job.reason),
        exit_code=job.exit_code if job.exit_code >= 0 else None,
        signal=job.signal_number or None,
        exit_status=library.soma_job_exit_status(ctypes.byref(job)) if is_final else None,
        message=text_of(job.message),
        attempt=job.attempt,
        progress=job.progress.percent if job.progress.percent >= 0 else None,
        progress_message=text_of(job.progress.message),
        wait=name_of("job_wait", job.wait),
        next_attempt=time_of(job.next_attempt_ms),
        created=time_of(job.created_ms),
        started=time_of(job.started_ms),
        finished=time_of(job.finished_ms),
        cancel_requested=time_of(job.cancel_requested_ms),
        wall_time=job.wall_used_ms / 1000,
        cpu_time=(job.user_used_ms + job.system_used_ms) / 1000,
        memory=job.memory_bytes,
        peak_memory=job.peak_memory_bytes,
        disk=job.disk_bytes,
        stdout_bytes=job.stdout_size.kept_bytes,
        stdout_dropped=job.stdout_size.dropped_bytes,
        stderr_bytes=job.stderr_size.kept_bytes,
        stderr_dropped=job.stderr_size.dropped_bytes,
        artifact_count=job.artifact_count,
        revision=job.revision,
    )


class Deadline:
    """A time limit that a caller gave; None: none."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float:
        return _NO_TIMEOUT if self._end is None else max(self._end - time.monotonic(), 0.0)

    def is_over(self) -> bool:
        return self.left() <= 0


def pause_after(began: float, deadline: Deadline) -> None:
    """After a poll without news: a server that stops answers at once."""
    if time.monotonic() - began < _PROMPT_SECONDS:
        time.sleep(min(_PAUSE_SECONDS, deadline.left()))


class Job:
    """A job of the server. It is the server's: it runs on whatever becomes of this object and this program."""

    def __init__(self, connection: Connection, job_id: str, info: JobInfo | None = None) -> None:
        self._connection = connection
        self.id = job_id
        self._last = info
        self._input_offset: int | None = None

    def __repr__(self) -> str:
        return f"<soma.Job {self.id}{' ' + self._last.status if self._last else ''}>"

    def _request(self, kind: Any, **values: Any) -> Any:
        return kind(job_id=encoded(self.id), **values)

    def _ask(self, method: str, request: Any, timeout: float | None = None) -> JobInfo:
        with self._connection.call(method, request, timeout) as job:
            self._last = info_of(job)
        return self._last

    def info(self) -> JobInfo:
        """All that is known of it, as it is now."""
        return self._ask("job_get", self._request(_abi.soma_job_request))

    @property
    def status(self) -> str:
        """ "queued", "running", "succeeded", "failed", "cancelled", "timed_out" or "lost", as it is now."""
        return self._last.status if self._last and self._last.is_final else self.info().status

    @property
    def progress(self) -> float | None:
        """0 to 100 as the program last reported it; None: it has not."""
        return self.info().progress

    def wait(self, timeout: float | None = None) -> JobInfo:
        """Until it is final. Raises TimeoutError after timeout seconds; the job is left as it is."""
        deadline = Deadline(timeout)
        info = self._poll(0, deadline)
        while not info.is_final:
            if deadline.is_over():
                raise TimeoutError(f"job {self.id} is {info.status} after {timeout:g} s")
            info = self._poll(0, deadline)
        return info

    def _poll(self, after_revision: int, deadline: Deadline) -> JobInfo:
        """One long poll: until the job is final or, where a revision is given, newer."""
        began = time.monotonic()
        wait = min(POLL_SECONDS, deadline.left())
        request = self._request(_abi.soma_job_wait_request, after_revision=after_revision, wait_ms=milliseconds(wait))
        # The call's own time has room for a server that is being restarted.
        info = self._ask("job_wait", request, max(deadline.left(), 5.0))
        if not info.is_final and info.revision <= max(after_revision, 0):
            pause_after(began, deadline)
        return info

    def result(self, timeout: float | None = None) -> str:
        """Waits; then what the program wrote to stdout. Raises JobFailed where it did not succeed."""
        info = self.wait(timeout)
        if info.status != "succeeded":
            detail = f"exit code {info.exit_code}" if info.exit_code else info.message
            stderr = self.output("stderr")[-2000:]
            last = stderr.strip().rpartition("\n")[2]
            raise JobFailed(self, f"job {self.id} {info.status}: {detail}{': ' if last else ''}{last}", stderr)
        return self.output()

    def output(self, stream: str = "stdout", attempt: int = 0) -> str:
        """What there is by now of "stdout" or "stderr", as text. attempt 0: the latest."""
        return self.output_bytes(stream, attempt).decode("utf-8", "replace")

    def output_bytes(self, stream: str = "stdout", attempt: int = 0) -> bytes:
        pieces = []
        offset = 0
        while True:
            request = self._request(_abi.soma_job_read_request, attempt=attempt, max_bytes=_PIECE_BYTES)
            request.stdout_offset = offset if stream == "stdout" else -1
            request.stderr_offset = offset if stream == "stderr" else -1
            with self._connection.call("job_read", request) as output:
                chunk = output.stdout_chunk if stream == "stdout" else output.stderr_chunk
                attempt = output.attempt
                pieces.append(ctypes.string_at(chunk.data, chunk.length))
                offset += chunk.length
                is_all = chunk.end or chunk.length == 0
            if is_all:
                return b"".join(pieces)

    def follow(self, timeout: float | None = None) -> Iterator[Output]:
        """Output of both streams in the order in which it came, from the beginning, until the job is final.

        Goes on over restarts of the server, and with the next attempt where the job is retried.
        """
        deadline = Deadline(timeout)
        request = self._request(_abi.soma_job_log_request, max_bytes=_PIECE_BYTES)
        while True:
            request.wait_ms = milliseconds(min(POLL_SECONDS, deadline.left()))
            began = time.monotonic()
            try:
                pieces, is_end = self._read_log(request, max(deadline.left(), 5.0))
            except NotFound as error:
                if error.reason != "ATTEMPT_NOT_FOUND" or request.attempt == 0:
                    raise
                # The server took the attempt back before its program began: it never was, and comes again.
                request.attempt -= 1
                pieces, is_end = [], True
            yield from pieces
            if is_end:
                if self._next_attempt(request.attempt, deadline) <= request.attempt:
                    return
                request.attempt += 1
                request.position = None
            elif not pieces:
                if deadline.is_over():
                    raise TimeoutError(f"job {self.id} is not final after {timeout:g} s")
                pause_after(began, deadline)

    def _read_log(self, request: Any, timeout: float) -> tuple[list[Output], bool]:
        """One long poll: what came, and whether the attempt gives nothing more. Moves the request on."""
        with self._connection.call("job_log", request, timeout) as log:
            pieces = [_output(log.pieces[i], log.attempt) for i in range(log.piece_count)]
            request.attempt = log.attempt
            position = _abi.soma_job_log_position.from_buffer_copy(log.position)
            request.position = ctypes.pointer(position) if log.attempt else None
            return pieces, bool(log.end)

    def _next_attempt(self, attempt: int, deadline: Deadline) -> int:
        """Waits until the job is final or in a later attempt; which attempt it is in then."""
        info = self.info()
        while not info.is_final and info.attempt <= attempt:
            if deadline.is_over():
                raise TimeoutError(f"job {self.id} is {info.status}")
            info = self._poll(info.revision, deadline)
        return info.attempt

    def cancel(self, note: str | None = None, force: bool = False) -> JobInfo:
        """Asks for its end, TERM and after the grace KILL; force: KILL at once. wait() tells when it has ended."""
        return self._ask("job_cancel", self._request(_abi.soma_job_cancel_request, note=encoded(note), force=force))

    def retry(self) -> JobInfo:
        """Queues it again; it must be final."""
        return self._ask("job_retry", self._request(_abi.soma_job_request))

    def delete(self) -> None:
        """Removes it with its output; it must be final."""
        with self._connection.call("job_delete", self._request(_abi.soma_job_request)):
            pass

    def report(self, percent: float, message: str | None = None) -> bool:
        """Sets its progress; whether somebody has asked for its end. In a job soma.progress() is simpler."""
        request = self._request(_abi.soma_job_report_request, percent=percent, message=encoded(message))
        with self._connection.call("job_report", request) as reported:
            return bool(reported.cancel_requested)

    def send(self, data: str | bytes = b"", end: bool = False) -> None:
        """Appends to the standard input of an interactive job; end: and closes it."""
        raw = bytes_of(data)
        if self._input_offset is None:
            self._input_offset, _ = self._send(b"", 0, False)
        target = self._input_offset + len(raw)
        while True:
            rest = raw[len(raw) - (target - self._input_offset) :][:_INPUT_BYTES]
            is_last = self._input_offset + len(rest) == target
            self._input_offset, is_started = self._send(rest, self._input_offset, end and is_last)
            # While no attempt runs nothing is taken, though an end alone has no byte that would tell so.
            if self._input_offset >= target and (is_started or not end):
                return

    def _send(self, raw: bytes, offset: int, end: bool) -> tuple[int, bool]:
        """The input's size now, and whether an attempt runs that took it."""
        began = time.monotonic()
        request = self._request(_abi.soma_job_input_request, offset=offset, length=len(raw), end=end)
        request.data = address_of(raw)
        request.wait_ms = milliseconds(POLL_SECONDS)
        with self._connection.call("job_input", request) as taken:
            if taken.closed and raw:
                raise BrokenPipeError(f"job {self.id} takes no more input")
            size, is_started = int(taken.size_bytes), taken.attempt > 0
        if not is_started:
            pause_after(began, Deadline(None))
        return size, is_started

    def artifacts(self, attempt: int = 0) -> list[Artifact]:
        """The files that it left, as the patterns of its submit chose them."""
        request = self._request(_abi.soma_job_artifacts_request, attempt=attempt)
        with self._connection.call("job_artifacts", request) as found:
            rows = found.artifacts[: found.artifact_count]
            return [Artifact(text_of(row.path), row.size_bytes, row.executable) for row in rows]

    def read_artifact(self, path: str, attempt: int = 0) -> bytes:
        return b"".join(self._artifact_pieces(path, attempt))

    def save_artifact(self, path: str, to: str | os.PathLike[str], attempt: int = 0) -> None:
        with open(to, "wb") as file:
            for piece in self._artifact_pieces(path, attempt):
                file.write(piece)

    def _artifact_pieces(self, path: str, attempt: int) -> Iterator[bytes]:
        request = self._request(_abi.soma_job_artifact_read_request, path=encoded(path), attempt=attempt, max_bytes=_PIECE_BYTES)
        while True:
            with self._connection.call("job_artifact_read", request) as piece:
                data = ctypes.string_at(piece.data, piece.length)
                size = piece.size_bytes
            request.offset += len(data)
            yield data
            if request.offset >= size or not data:
                return


def _output(piece: Any, attempt: int) -> Output:
    return Output(_STREAMS[piece.stream], ctypes.string_at(piece.data, piece.length), attempt, time_of(piece.time_ms))


def job_of(connection: Connection, job: Any) -> Job:
    info = info_of(job)
    return Job(connection, info.id, info)


def progress(percent: float, message: str = "") -> None:
    """In a job: reports 0 to 100 and a line of text. Elsewhere it does nothing."""
    where = os.environ.get("SOMA_PROGRESS")  # a file, or the number of a descriptor
    if not where:
        return
    file = os.dup(int(where)) if where.isdigit() else os.open(where, os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND)
    try:
        os.write(file, f"{percent:g} {' '.join(message.split())}"[:500].encode() + b"\n")
    finally:
        os.close(file)
