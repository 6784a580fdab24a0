"""SOMA from Python: durable jobs, and vectors.

    import soma

    with soma.connect() as s:
        job = s.submit("print('hello')")
        print(job.wait().status, job.output())

docs/PYTHON.md shows all of it.
"""

from __future__ import annotations

from . import _abi
from ._library import library, milliseconds
from ._values import encoded
from .client import Client, JobChange, Queue, Token
from .collection import Check, Collection, Facets, GetResult, QueryResult, Record
from .errors import (
    AlreadyExists,
    Cancelled,
    Code,
    DataLoss,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    InvalidArgument,
    JobFailed,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from .jobs import Artifact, Job, JobInfo, Output, progress

__all__ = [
    "AlreadyExists",
    "Artifact",
    "Cancelled",
    "Check",
    "Client",
    "Code",
    "Collection",
    "DataLoss",
    "DeadlineExceeded",
    "Error",
    "Facets",
    "FailedPrecondition",
    "GetResult",
    "InvalidArgument",
    "Job",
    "JobChange",
    "JobFailed",
    "JobInfo",
    "NotFound",
    "Output",
    "PermissionDenied",
    "QueryResult",
    "Queue",
    "Record",
    "ResourceExhausted",
    "Token",
    "Unauthenticated",
    "Unavailable",
    "connect",
    "progress",
    "version",
]


def connect(
    server: str | None = None,
    token: str | None = None,
    *,
    namespace: str | None = None,
    ca_file: str | None = None,
    certificate_file: str | None = None,
    key_file: str | None = None,
    program: str | None = None,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    max_in_flight: int = 0,
) -> Client:
    """A client of the server at this address; None: $SOMA_SERVER, or this user's or this machine's own server.

    token: None: $SOMA_TOKEN, or none. namespace: where the calls work; None: $SOMA_NAMESPACE, or the token's own.
    ca_file, for addresses over TLS: who has to have signed the server's certificate; None: $SOMA_CA_FILE, or whom this
    machine trusts. certificate_file, key_file: this client's own, where the server asks for one. program: name and
    version for the server's log. timeout: seconds that a call may take (30). connect_timeout: how long a server that was
    never reached is waited for (2). Does not wait: the first call does.
    """
    options = _abi.soma_client_options(server=encoded(server), token=encoded(token), namespace_name=encoded(namespace))
    options.ca_file, options.certificate_file, options.key_file = encoded(ca_file), encoded(certificate_file), encoded(key_file)
    options.program = encoded(program or f"python-soma/{version()}")
    options.max_in_flight = max_in_flight
    options.timeout_ms = 0 if timeout is None else milliseconds(timeout)
    options.connect_timeout_ms = 0 if connect_timeout is None else milliseconds(connect_timeout)
    return Client(options)


def version() -> str:
    """Of libsoma."""
    raw: bytes = library.soma_version()
    return raw.decode()
