"""libsoma itself: where it is, and one way to call all of its methods.

Every call takes the asynchronous form. The thread that asked waits on a lock, which Ctrl-C interrupts and which leaves the
interpreter to other threads; the call's end comes on a thread of the library.
"""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import threading
import weakref
from contextlib import contextmanager
from typing import Any, Iterator

from . import _abi, errors


def _load() -> ctypes.CDLL:
    name = os.environ.get("SOMA_LIBRARY") or "libsoma.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        hint = "install libsoma1, or let $SOMA_LIBRARY name the file libsoma.so.1"
        raise ImportError(f"libsoma is not found: {error}; {hint}") from error


library = _load()

_ERROR = ctypes.POINTER(_abi.soma_error)
_DONE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, _ERROR)
_HANDLE = ctypes.POINTER(ctypes.c_void_p)
_OPTIONS = ctypes.POINTER(_abi.soma_call_options)

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "client_open": (ctypes.c_int, [ctypes.POINTER(_abi.soma_client_options), _HANDLE, _ERROR]),
    "client_close": (None, [ctypes.c_void_p]),
    "client_server": (ctypes.c_char_p, [ctypes.c_void_p]),
    "version": (ctypes.c_char_p, []),
    "free": (None, [ctypes.c_void_p]),
    "call_cancel": (None, [ctypes.c_void_p]),
    "job_exit_status": (ctypes.c_int, [ctypes.POINTER(_abi.soma_job)]),
    "job_state_is_final": (ctypes.c_bool, [ctypes.c_int]),
    "secret_make": (None, [ctypes.c_char_p]),
    "snapshot_checksum": (ctypes.c_uint64, [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t]),
}
for _name in "job_state job_reason job_wait metric quantization rerank scope".split():
    _FUNCTIONS[_name + "_name"] = (ctypes.c_char_p, [ctypes.c_int])
for _name in "job_state job_reason metric quantization rerank".split():
    _FUNCTIONS[_name + "_from_name"] = (ctypes.c_bool, [ctypes.c_char_p, ctypes.POINTER(ctypes.c_int)])
for _name, (_request, _result) in _abi.METHODS.items():
    _FUNCTIONS[_name + "_async"] = (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.POINTER(_request), _OPTIONS, _DONE, ctypes.c_void_p, _HANDLE, _ERROR],
    )
for _name, (_restype, _argtypes) in _FUNCTIONS.items():
    _function = getattr(library, "soma_" + _name)
    _function.restype = _restype
    _function.argtypes = _argtypes


def name_of(kind: str, number: int) -> str:
    """ "queued" of ("job_state", 1)."""
    name: bytes = getattr(library, f"soma_{kind}_name")(number)
    return name.decode()


def number_of(kind: str, name: str) -> int:
    """1 of ("job_state", "queued")."""
    number = ctypes.c_int()
    if not getattr(library, f"soma_{kind}_from_name")(name.encode(), ctypes.byref(number)):
        text = f"there is no {kind.replace('_', ' ')} {name!r}"
        raise errors.InvalidArgument(errors.Code.INVALID_ARGUMENT, "INVALID_VALUE", kind, text)
    return number.value


class _Call:
    """A call on its way. guard: the library's handle is alive as long as the end has not been told."""

    __slots__ = ("guard", "ended", "is_ended", "result", "error")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.ended = threading.Lock()
        self.ended.acquire()
        self.is_ended = False
        self.result: int | None = None
        self.error: errors.Error | None = None


_calls: dict[int, _Call] = {}
_numbers = itertools.count(1)


def _tell_the_end(number: int, result: int | None, error: Any) -> None:
    call = _calls.pop(number)
    with call.guard:
        call.result = result
        call.error = errors.from_struct(error.contents) if error else None
        call.is_ended = True
        call.ended.release()


_done = _DONE(_tell_the_end)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


class Connection:
    """A soma_client. May be used by any number of threads at once, and closed by one of them."""

    def __init__(self, options: _abi.soma_client_options) -> None:
        self._client = ctypes.c_void_p()
        self._returned = threading.Condition()  # guards _client and _lent
        self._lent: list[int] = []  # the threads that are inside the library with _client
        options.struct_size = ctypes.sizeof(options)
        error = _abi.soma_error()
        if library.soma_client_open(ctypes.byref(options), ctypes.byref(self._client), ctypes.byref(error)) != 0:
            raise errors.from_struct(error)
        _open.add(self)

    def close(self) -> None:
        me = threading.get_ident()  # where a signal's handler closes what it has interrupted
        with self._returned:
            client, self._client = self._client, ctypes.c_void_p()
            while any(thread != me for thread in self._lent):
                self._returned.wait()
        if client:
            library.soma_client_close(client)

    def server(self) -> str:
        with self._handle() as client:
            name: bytes = library.soma_client_server(client)
        return name.decode()

    @contextmanager
    def _handle(self) -> Iterator[ctypes.c_void_p]:
        """Lends the library's handle, which is not freed before it is given back: not for longer than a call takes to start."""
        me = threading.get_ident()
        with self._returned:
            client = self._client
            if not client:
                raise errors.Error(errors.Code.FAILED_PRECONDITION, "CLIENT_CLOSED", "", "the client is closed")
            self._lent.append(me)
        try:
            yield client
        finally:
            with self._returned:
                self._lent.remove(me)
                self._returned.notify_all()

    @contextmanager
    def call(self, method: str, request: Any = None, timeout: float | None = None) -> Iterator[Any]:
        """Calls soma_METHOD and lends its result. timeout: seconds, retries included; None: the client's."""
        request_type, result_type = _abi.METHODS[method]
        if request is None:
            request = request_type()
        request.struct_size = ctypes.sizeof(request)
        options = _abi.soma_call_options(struct_size=ctypes.sizeof(_abi.soma_call_options))
        if timeout is not None:
            options.timeout_ms = milliseconds(timeout) or -1
        address = self._wait(method, request, options)
        try:
            yield result_type.from_address(address)
        finally:
            library.soma_free(address)

    def _wait(self, method: str, request: Any, options: _abi.soma_call_options) -> int:
        call = _Call()
        number = next(_numbers)
        _calls[number] = call
        handle = ctypes.c_void_p()
        error = _abi.soma_error()
        start = getattr(library, f"soma_{method}_async")
        arguments = [ctypes.byref(request), ctypes.byref(options), _done, number, ctypes.byref(handle), ctypes.byref(error)]
        try:
            with self._handle() as client:
                code = start(client, *arguments)
            if code != 0:
                raise errors.from_struct(error)
        except errors.Error:
            del _calls[number]
            raise
        try:
            call.ended.acquire()
        except BaseException:  # Ctrl-C
            with call.guard:
                if not call.is_ended:
                    library.soma_call_cancel(handle)
            call.ended.acquire()
            library.soma_free(call.result)
            raise
        if call.error or call.result is None:
            library.soma_free(call.result)
            raise call.error or errors.Error(errors.Code.INTERNAL, "NO_RESULT", "", f"{method} gave no result")
        return call.result


_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # Before the interpreter goes: no thread of the library may come into it then.
    for connection in list(_open):
        connection.close()
