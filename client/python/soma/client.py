"""A server, as programs see it."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

from . import _abi, snapshots
from ._library import Connection, library, milliseconds, name_of, number_of
from ._spec import FileContent, Program, make_spec
from ._values import Metadata, encoded, invalid, metadata_fields, pairs, put, text_of, time_of
from .collection import Collection, EmbeddingFunction
from .errors import NotFound
from .jobs import POLL_SECONDS, Deadline, Job, JobInfo, info_of, job_of, pause_after

_SCOPES = {"read": 1, "submit": 2, "write-vectors": 3, "admin": 4}
# What Chroma calls them.
_SPACES = {"l2": "l2", "cosine": "cosine", "ip": "dot"}


@dataclass(frozen=True)
class Queue:
    """A queue; bounds of 0 are none."""

    name: str
    is_paused: bool
    max_running: int
    keep: float
    keep_jobs: int
    keep_bytes: int
    queued_jobs: int
    running_jobs: int
    finished_jobs: int
    output_bytes: int


@dataclass(frozen=True)
class Token:
    name: str
    scopes: list[str]
    created: datetime | None
    expires: datetime | None
    last_used: datetime | None
    namespace: str  # where its holder works


class JobChange(NamedTuple):
    job_id: str
    info: JobInfo | None  # None: it was removed


class Client:
    """A connection to a server; any number of threads may use it. soma.connect() makes one."""

    def __init__(self, options: _abi.soma_client_options) -> None:
        self._connection = Connection(options)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<soma.Client {self.server}>"

    def close(self) -> None:
        """Calls in flight end with Cancelled. Jobs run on."""
        self._connection.close()

    @property
    def server(self) -> str:
        """The address in use."""
        return self._connection.server()

    # --- jobs

    def submit(
        self,
        program: Program,
        args: Sequence[str] = (),
        *,
        language: str | None = None,
        stdin: str | bytes | None = None,
        files: Mapping[str, FileContent] | None = None,
        retries: int = 0,
        **options: Any,
    ) -> Job:
        """Makes a job; it is on the server's disk when this returns.

        program: the text of a program, for the interpreter that language names (default python); or a command, as a list; or
        a pathlib.Path to a file, whose ending says the language. files: name in the job's work directory: text, bytes, or
        the Path of a file. Options, durations in seconds and sizes in bytes: name, queue, priority, labels, env, not_before,
        delay, start_deadline, start_within, time_limit, kill_grace, keep, output_limit, output_tail, end_at_output_limit,
        idempotent, interactive, detached, artifacts, artifact_limit, backoff, backoff_factor, backoff_max, retry_on, dedupe,
        after (jobs or their ids), after_policy, cpu_time, memory, processes, disk, file_size, open_files, tmp_size, network,
        sandbox ("required", "best-effort"). `soma help submit` explains them.
        """
        spec = make_spec(self._connection, program, language, args, stdin, files or {}, retries, options)
        with self._connection.call("job_submit", spec) as job:
            return Job(self._connection, text_of(job.id))

    def run(self, program: Program, args: Sequence[str] = (), **options: Any) -> str:
        """Submits and waits; what it wrote to stdout. Raises JobFailed where it does not succeed."""
        return self.submit(program, args, **options).result()

    def job(self, job_id: str) -> Job:
        """The job of this id. Raises NotFound."""
        job = Job(self._connection, job_id)
        job.info()
        return job

    def jobs(
        self,
        status: str | Sequence[str] = (),
        queue: str | None = None,
        labels: Mapping[str, str] | None = None,
        parent: str | Job | None = None,
    ) -> Iterator[Job]:
        """The jobs that match all that is given, the newest first."""
        request = _abi.soma_job_list_request()
        _set_filter(request.filter, status, queue, labels, parent)
        yield from self._pages("job_list", request, "jobs", lambda job: job_of(self._connection, job))

    def watch(
        self,
        status: str | Sequence[str] = (),
        queue: str | None = None,
        labels: Mapping[str, str] | None = None,
        parent: str | Job | None = None,
        timeout: float | None = None,
    ) -> Iterator[JobChange]:
        """First the jobs that match as they are, then each of their changes as it comes, over restarts of the server. Ends after
        timeout seconds; None: never. Of changes that follow each other closely the last is told."""
        request = _abi.soma_job_watch_request()
        _set_filter(request.filter, status, queue, labels, parent)
        yield from self._changes(request, Deadline(timeout))

    def _changes(self, request: Any, deadline: Deadline) -> Iterator[JobChange]:
        while not deadline.is_over():
            request.wait_ms = milliseconds(min(POLL_SECONDS, deadline.left()))
            began = time.monotonic()
            with self._connection.call("job_watch", request, max(deadline.left(), 5.0)) as found:
                infos = [info_of(job) for job in found.jobs[: found.job_count]]
                made = [JobChange(info.id, info) for info in infos]
                made += [JobChange(text_of(raw), None) for raw in found.removed_ids[: found.removed_count]]
                request.since_revision = 0 if found.history_lost else found.revision
            yield from made
            if not made:
                pause_after(began, deadline)

    def prune(
        self,
        older_than: float = 0.0,
        status: str | Sequence[str] = (),
        queue: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> int:
        """Removes final jobs that ended so many seconds ago, with their output; how many."""
        request = _abi.soma_job_prune_request(older_than_ms=milliseconds(older_than), max_jobs=1000)
        _set_filter(request.filter, status, queue, labels, None)
        removed = 0
        more = True
        while more:
            with self._connection.call("job_prune", request) as result:
                removed += result.removed_count
                more = result.more and result.removed_count > 0
        return removed

    # --- queues

    def queues(self) -> Iterator[Queue]:
        yield from self._pages("queue_list", _abi.soma_queue_list_request(), "queues", _queue)

    def queue(self, name: str) -> Queue:
        with self._connection.call("queue_get", _abi.soma_queue_request(queue=encoded(name))) as queue:
            return _queue(queue)

    def update_queue(
        self,
        name: str,
        *,
        paused: bool | None = None,
        max_running: int | None = None,
        keep: float | None = None,
        keep_jobs: int | None = None,
        keep_bytes: int | None = None,
    ) -> Queue:
        """Changes what is given; bounds of 0 are none."""
        request = _abi.soma_queue_update_request(queue=encoded(name))
        values: list[tuple[str, Any, Any]] = [
            ("is_paused", ctypes.c_bool, paused),
            ("max_running", ctypes.c_uint32, max_running),
            ("keep_ms", ctypes.c_int64, None if keep is None else milliseconds(keep)),
            ("keep_jobs", ctypes.c_int64, keep_jobs),
            ("keep_bytes", ctypes.c_int64, keep_bytes),
        ]
        for field, kind, value in values:
            if value is not None:
                setattr(request, field, ctypes.pointer(kind(value)))
        with self._connection.call("queue_update", request) as queue:
            return _queue(queue)

    # --- collections, as Chroma's client has them

    def create_collection(
        self,
        name: str,
        metadata: Metadata | None = None,
        embedding_function: EmbeddingFunction | None = None,
        get_or_create: bool = False,
        *,
        dimension: int | None = None,
        metric: str | None = None,
        quantization: str | None = None,
        m: int = 0,
        ef_construction: int = 0,
        ef_search: int = 0,
        rerank: str | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> Collection:
        """dimension: numbers in an embedding; without it the embedding_function is asked. metric: "cosine", "l2" or "dot"; without it
        metadata's "hnsw:space" or Chroma's configuration={"hnsw": {"space": …}}, else cosine. The others: docs/VECTORS.md."""
        metric = metric or _metric_of(metadata, configuration)
        there = self._found(name) if get_or_create and not (dimension and metric) else None
        if there:  # what is not said is as it is
            dimension, metric = dimension or there.dimension, metric or there.metric
        if dimension is None:
            if embedding_function is None:
                raise TypeError("create_collection() wants a dimension, or an embedding_function")
            dimension = len(embedding_function(["dimension"])[0])
        fields = metadata_fields(metadata)
        request = _abi.soma_collection_create_request(name=encoded(name), exist_ok=get_or_create)
        put(request, "dimension", dimension, "dimension")
        request.metric = number_of("metric", metric or "cosine")
        request.metadata, request.metadata_count = fields, len(fields)
        request.index.m, request.index.ef_construction, request.index.ef_search = m, ef_construction, ef_search
        request.index.quantization = number_of("quantization", quantization) if quantization else 0
        request.index.rerank = number_of("rerank", rerank) if rerank else 0
        with self._connection.call("collection_create", request) as made:
            return Collection(self._connection, made, embedding_function)

    def get_or_create_collection(
        self,
        name: str,
        metadata: Metadata | None = None,
        embedding_function: EmbeddingFunction | None = None,
        **options: Any,
    ) -> Collection:
        """One that is there must have the dimension and metric that are given."""
        return self.create_collection(name, metadata, embedding_function, True, **options)

    def _found(self, name: str) -> Collection | None:
        try:
            return self.get_collection(name)
        except NotFound:
            return None

    def get_collection(self, name: str, embedding_function: EmbeddingFunction | None = None) -> Collection:
        """By name, alias or uid. Raises NotFound."""
        with self._connection.call("collection_get", _abi.soma_collection_request(collection=encoded(name))) as found:
            return Collection(self._connection, found, embedding_function)

    def restore_collection(
        self, name: str, path: str | os.PathLike[str], embedding_function: EmbeddingFunction | None = None
    ) -> Collection:
        """Makes a collection of a file of Collection.snapshot() or `soma collection snapshot`. It appears when all of it is there."""
        return self.get_collection(snapshots.restore(self._connection, name, path), embedding_function)

    def remove_alias(self, alias: str) -> None:
        """Takes a name away that Collection.alias() gave; the collection stays."""
        with self._connection.call("collection_unalias", _abi.soma_collection_unalias_request(alias=encoded(alias))):
            pass

    def list_collections(self, limit: int | None = None, offset: int | None = None) -> list[Collection]:
        """By name."""
        rows = self._pages("collection_list", _abi.soma_collection_list_request(), "collections", lambda c: Collection(self._connection, c))
        first = offset or 0
        return list(rows)[first : None if limit is None else first + limit]

    def count_collections(self) -> int:
        return len(self.list_collections())

    def delete_collection(self, name: str) -> None:
        with self._connection.call("collection_delete", _abi.soma_collection_request(collection=encoded(name))):
            pass

    # --- the server

    def heartbeat(self) -> datetime:
        """The server's time. Raises Unavailable where there is none."""
        with self._connection.call("server_ping", _abi.soma_ping_request()) as pong:
            now = time_of(pong.server_time_ms)
            assert now
            return now

    def info(self) -> dict[str, Any]:
        """What the server is and enforces."""
        with self._connection.call("server_info") as info:
            enforcement = info.enforcement[: info.enforcement_count]
            return {
                "version": text_of(info.version),
                "started": time_of(info.started_ms),
                "pid": info.pid,
                "limits": {text_of(row.name): row.value for row in info.limits[: info.limit_count]},
                "enforcement": {text_of(row.name): row.enforced for row in enforcement},
                "languages": {text_of(row.name): text_of(row.interpreter) for row in info.languages[: info.language_count]},
                "listeners": [text_of(raw) for raw in info.listeners[: info.listener_count]],
                "sandbox": text_of(info.sandbox),
                "job_network": info.job_network,
            }

    def get_version(self) -> str:
        """The server's."""
        return str(self.info()["version"])

    def get_max_batch_size(self) -> int:
        """Records in one request. More may be given: the library cuts them into pieces."""
        return int(self.info()["limits"]["batch_records"])

    def check(self, timeout: float = 600.0) -> list[tuple[str, str]]:
        """What is wrong with what the server keeps, and where; nothing: it is sound. timeout: of each step."""
        request = _abi.soma_server_check_request()
        found: list[tuple[str, str]] = []
        while True:
            with self._connection.call("server_check", request, timeout) as check:
                found += [(text_of(row.what), text_of(row.message)) for row in check.findings[: check.finding_count]]
                request.step = check.next_step and bytes(check.next_step)
            if not request.step:
                return found

    def stats(self) -> dict[str, int]:
        with self._connection.call("server_stats") as stats:
            return {text_of(row.name): row.value for row in stats.stats[: stats.stat_count]}

    def create_token(self, name: str, scopes: Sequence[str], expires_after: float | None = None) -> str:
        """A new token's secret, which nobody can ask for again. scopes: "read", "submit", "write-vectors", "admin"."""
        secret = ctypes.create_string_buffer(_abi.CONSTANTS["SOMA_SECRET_SIZE"])
        library.soma_secret_make(secret)
        for scope in scopes:
            if scope not in _SCOPES:
                raise invalid("scopes", f"{scope!r} is none of {', '.join(_SCOPES)}")
        numbers = (ctypes.c_int * len(scopes))(*(_SCOPES[scope] for scope in scopes))
        request = _abi.soma_token_create_request(
            name=encoded(name), secret=secret.value, scope_count=len(scopes), expires_after_ms=milliseconds(expires_after or 0)
        )
        request.scopes = numbers
        with self._connection.call("token_create", request):
            return secret.value.decode()

    def tokens(self) -> list[Token]:
        with self._connection.call("token_list") as found:
            return [_token(row) for row in found.tokens[: found.token_count]]

    def revoke_token(self, name: str) -> None:
        with self._connection.call("token_revoke", _abi.soma_token_request(name=encoded(name))):
            pass

    def _pages(self, method: str, request: Any, rows: str, make: Callable[[Any], Any]) -> Iterator[Any]:
        count = rows[:-1] + "_count"
        while True:
            with self._connection.call(method, request) as page:
                made = [make(row) for row in getattr(page, rows)[: getattr(page, count)]]
                request.cursor = page.next_cursor and bytes(page.next_cursor)
            yield from made
            if not request.cursor:
                return


def _metric_of(metadata: Metadata | None, configuration: Mapping[str, Any] | None) -> str | None:
    """What Chroma's ways of saying so say; None: nothing."""
    space = ((configuration or {}).get("hnsw") or {}).get("space") or (metadata or {}).get("hnsw:space")
    if space is not None and space not in _SPACES:
        raise invalid("metadata", f"the space {space!r} is none of {', '.join(_SPACES)}")
    return None if space is None else _SPACES[str(space)]


def _set_filter(
    target: Any,
    status: str | Sequence[str],
    queue: str | None,
    labels: Mapping[str, str] | None,
    parent: str | Job | None,
) -> None:
    states = [status] if isinstance(status, str) else status
    target.states = (ctypes.c_int * len(states))(*(number_of("job_state", state) for state in states))
    target.state_count = len(states)
    target.queue = encoded(queue)
    wanted = pairs(labels or {})
    target.labels, target.label_count = wanted, len(wanted)
    target.parent_id = encoded(parent.id if isinstance(parent, Job) else parent)


def _queue(queue: Any) -> Queue:
    return Queue(
        text_of(queue.name),
        queue.is_paused,
        queue.max_running,
        queue.keep_ms / 1000,
        queue.keep_jobs,
        queue.keep_bytes,
        queue.queued_jobs,
        queue.running_jobs,
        queue.finished_jobs,
        queue.output_bytes,
    )


def _token(token: Any) -> Token:
    scopes = [name_of("scope", number) for number in token.scopes[: token.scope_count]]
    created, expires, used = time_of(token.created_ms), time_of(token.expires_ms), time_of(token.last_used_ms)
    return Token(text_of(token.name), scopes, created, expires, used, text_of(token.namespace_name))
