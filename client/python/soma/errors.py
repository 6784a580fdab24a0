"""What goes wrong, as exceptions: one class for each code of libsoma."""

from __future__ import annotations

from . import _abi

Code = _abi.soma_code


class Error(Exception):
    """A call that failed.

    code: what kind of failure, the same for every method. reason: stable and machine-readable, "JOB_NOT_FOUND".
    field: path of the request's field at fault, "spec.queue", or "". retry_after: seconds, 0 where there is no advice.
    str() is one line for people.
    """

    def __init__(self, code: Code, reason: str, field: str, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.field = field
        self.retry_after = retry_after

    def __str__(self) -> str:
        where = f", {self.field}" if self.field else ""
        return f"{self.args[0]} ({self.reason}{where})"


class Cancelled(Error):
    """The call was given up, or its client closed."""


class InvalidArgument(Error, ValueError):
    """Can never be right, whatever the server's state."""


class DeadlineExceeded(Error, TimeoutError):
    """The time is over. Of a change it is not known whether it was made."""


class NotFound(Error, LookupError):
    pass


class AlreadyExists(Error):
    pass


class PermissionDenied(Error):
    pass


class ResourceExhausted(Error):
    """A limit, or a full disk; nothing was changed."""


class FailedPrecondition(Error):
    """The state of the thing that was named does not allow it."""


class Unavailable(Error, ConnectionError):
    """No server, or it is busy or stopping; nothing was changed."""


class DataLoss(Error):
    pass


class Unauthenticated(Error):
    pass


BY_CODE: dict[Code, type[Error]] = {
    Code.CANCELLED: Cancelled,
    Code.INVALID_ARGUMENT: InvalidArgument,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: AlreadyExists,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.RESOURCE_EXHAUSTED: ResourceExhausted,
    Code.FAILED_PRECONDITION: FailedPrecondition,
    Code.UNAVAILABLE: Unavailable,
    Code.DATA_LOSS: DataLoss,
    Code.UNAUTHENTICATED: Unauthenticated,
}


class JobFailed(Exception):
    """Job.result() of a job that did not succeed; the job is in .job, and what it wrote to stderr last in .stderr."""

    def __init__(self, job: "object", text: str, stderr: str) -> None:
        super().__init__(text)
        self.job = job
        self.stderr = stderr


def from_struct(error: _abi.soma_error) -> Error:
    try:
        code = Code(error.code)
    except ValueError:
        code = Code.UNKNOWN

    def text(raw: bytes) -> str:
        return raw.decode("utf-8", "replace")

    kind = BY_CODE.get(code, Error)
    return kind(code, text(error.reason), text(error.field), text(error.text), error.retry_after_ms / 1000)
