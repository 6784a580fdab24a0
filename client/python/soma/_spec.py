"""What a submit says: keyword arguments, the fields of struct soma_job_spec behind them."""

from __future__ import annotations

import ctypes
import io
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, Union

from . import _abi
from ._library import Connection, milliseconds, number_of
from ._values import address_of, bytes_of, encoded, invalid, pairs, put, texts, unix_ms
from .errors import Error

# A program's text for an interpreter, a command, or a file with such a text.
Program = Union[str, Sequence[str], "os.PathLike[str]"]
FileContent = Union[str, bytes, "os.PathLike[str]"]

_PIECE_BYTES = 1 << 20
# More than this of all files together is uploaded before the submit.
_INLINE_BYTES = 1 << 18
_LANGUAGES = {".py": "python", ".sh": "sh", ".bash": "bash", ".pl": "perl", ".rb": "ruby", ".js": "node"}

_SANDBOXES = {"required": 1, "best-effort": 2}
_AFTER_POLICIES = {"cancel": 1, "fail": 2, "run": 3}


def _choice(choices: Mapping[str, int]) -> Callable[[str], int]:
    def number(value: str) -> int:
        if value not in choices:
            raise invalid("spec", f"{value!r} is none of {', '.join(choices)}")
        return choices[value]

    return number


def _or_none(number: Callable[[Any], int]) -> Callable[[Any], int]:
    """0 means none, as on the command line; in the specification 0 is the default, and none is -1."""
    return lambda value: number(value) or -1


# Keyword: field, how its value is made. Durations are seconds, times datetimes or seconds since 1970, sizes bytes.
PLAIN: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", encoded),
    "queue": ("queue", encoded),
    "priority": ("priority", int),
    "not_before": ("not_before_ms", unix_ms),
    "delay": ("delay_ms", milliseconds),
    "start_deadline": ("start_deadline_ms", unix_ms),
    "start_within": ("start_within_ms", milliseconds),
    "time_limit": ("wall_time_ms", milliseconds),
    "kill_grace": ("kill_grace_ms", _or_none(milliseconds)),
    "keep": ("keep_ms", _or_none(milliseconds)),
    "output_limit": ("output_bytes", _or_none(int)),
    "output_tail": ("output_tail_bytes", int),
    "end_at_output_limit": ("end_at_output_limit", bool),
    "idempotent": ("idempotent", bool),
    "interactive": ("interactive", bool),
    "detached": ("detached", bool),
    "artifact_limit": ("artifact_bytes", int),
    "backoff": ("backoff_ms", milliseconds),
    "backoff_factor": ("backoff_factor", float),
    "backoff_max": ("backoff_max_ms", milliseconds),
    "dedupe": ("dedupe_key", encoded),
    "after_policy": ("after_policy", _choice(_AFTER_POLICIES)),
    "cpu_time": ("cpu_time_ms", milliseconds),
    "memory": ("memory_bytes", int),
    "processes": ("processes", int),
    "disk": ("disk_bytes", int),
    "file_size": ("file_bytes", int),
    "open_files": ("open_files", int),
    "tmp_size": ("tmp_bytes", int),
    "network": ("network", bool),
    "sandbox": ("sandbox", _choice(_SANDBOXES)),
}


def _plain(key: str, value: Any) -> Any:
    try:
        return PLAIN[key][1](value)
    except (TypeError, ValueError) as error:
        if isinstance(error, Error):
            raise
        raise invalid(key, f"{key} cannot be {value!r}; durations are seconds and sizes bytes, as numbers") from error


def _reasons(names: Sequence[str]) -> Any:
    return (ctypes.c_int * len(names))(*(number_of("job_reason", name) for name in names))


# Keyword: field, the field that counts it, how it is made.
LISTS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "env": ("environment", "environment_count", pairs),
    "labels": ("labels", "label_count", pairs),
    "artifacts": ("artifacts", "artifact_count", texts),
    "retry_on": ("retry_reasons", "retry_reason_count", _reasons),
    "after": ("after", "after_count", lambda jobs: texts(getattr(job, "id", job) for job in jobs)),
}


def _upload(connection: Connection, read: Callable[[int], bytes]) -> tuple[bytes, int]:
    """Sends what read gives, in pieces; the upload's id and size."""
    request = _abi.soma_job_upload_request()
    upload_id = None
    while True:
        piece = read(_PIECE_BYTES)
        request.upload_id = upload_id
        request.data = address_of(piece)
        request.length = len(piece)
        request.end = len(piece) < _PIECE_BYTES
        with connection.call("job_upload", request) as upload:
            upload_id = bytes(upload.upload_id)
            size = upload.size_bytes
        if request.end:
            return upload_id, size
        request.offset += len(piece)


def _files(connection: Connection, files: Mapping[str, FileContent], kept: list[bytes]) -> Any:
    made = []
    room = _INLINE_BYTES
    for path, content in files.items():
        file = _abi.soma_job_file(path=encoded(path))
        if isinstance(content, (str, bytes, bytearray)):
            data = bytes_of(content)
        else:
            file.executable = os.access(content, os.X_OK)
            if os.path.getsize(content) > room:
                with open(content, "rb") as source:
                    file.upload_id, file.size_bytes = _upload(connection, source.read)
                made.append(file)
                continue
            data = Path(content).read_bytes()
        if len(data) > room:
            file.upload_id, file.size_bytes = _upload(connection, io.BytesIO(data).read)
        else:
            room -= len(data)
            file.content = address_of(data)
            file.content_length = len(data)
            kept.append(data)
        made.append(file)
    return (_abi.soma_job_file * len(made))(*made)


def _set_program(spec: _abi.soma_job_spec, program: Program, language: str | None, args: Sequence[str], kept: list[bytes]) -> None:
    if isinstance(program, (str, bytes)):
        source = bytes_of(program)
        spec.language = encoded(language or "python")
    elif isinstance(program, os.PathLike):
        file = Path(program)
        source = file.read_bytes()
        spec.language = encoded(language or _LANGUAGES.get(file.suffix, ""))
        spec.name = encoded(file.name)
        if not spec.language:
            raise invalid("spec.language", f"say which language {file.name} is in")
    else:
        command = texts([*program, *args])
        spec.arguments, spec.argument_count = command, len(command)
        return
    spec.source, spec.source_length = address_of(source), len(source)
    kept.append(source)
    arguments = texts(args)
    spec.arguments, spec.argument_count = arguments, len(arguments)


def make_spec(
    connection: Connection,
    program: Program,
    language: str | None,
    args: Sequence[str],
    stdin: str | bytes | None,
    files: Mapping[str, FileContent],
    retries: int,
    options: Mapping[str, Any],
) -> _abi.soma_job_spec:
    spec = _abi.soma_job_spec()
    kept: list[bytes] = []  # what the spec has the addresses of
    spec.kept = kept
    if isinstance(args, str):
        raise TypeError(f"args is a list of texts, not the text {args!r}")
    _set_program(spec, program, language, [str(arg) for arg in args], kept)
    if stdin is not None:
        data = bytes_of(stdin)
        kept.append(data)
        spec.stdin_bytes, spec.stdin_length = address_of(data), len(data)
    spec.retry_attempts = retries + 1
    if files:
        array = _files(connection, files, kept)
        spec.files, spec.file_count = array, len(array)
    for key, value in options.items():
        if value is None:
            continue
        if key in PLAIN:
            put(spec, PLAIN[key][0], _plain(key, value), key)
        elif key in LISTS:
            # One of them stands for a list of one.
            made = LISTS[key][2]([value] if isinstance(value, str) or hasattr(value, "id") else value)
            setattr(spec, LISTS[key][0], made)
            setattr(spec, LISTS[key][1], len(made))
        else:
            raise TypeError(f"submit() has no argument {key!r}")
    return spec
