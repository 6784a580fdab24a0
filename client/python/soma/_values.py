"""From Python's values to libsoma's and back."""

from __future__ import annotations

import array
import ctypes
import os
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

from . import _abi, errors
from ._abi import soma_value_type as ValueType

Scalar = Union[str, int, float, bool]
Value = Union[Scalar, Sequence[Scalar]]
Metadata = Mapping[str, Optional[Value]]

# Of a scalar: its type, the field of the union, the field of a list of them, a list's ctypes type. bool first: it is an int too.
_KINDS: list[tuple[type, ValueType, str, str, Any]] = [
    (bool, ValueType.BOOL, "boolean", "booleans", ctypes.c_bool),
    (int, ValueType.INT, "integer", "integers", ctypes.c_int64),
    (float, ValueType.DOUBLE, "number", "numbers", ctypes.c_double),
    (str, ValueType.STRING, "string", "strings", ctypes.c_char_p),
]
_LIST = ValueType.STRING_LIST - ValueType.STRING


def invalid(field: str, text: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(errors.Code.INVALID_ARGUMENT, "INVALID_VALUE", field, text)


def put(target: Any, field: str, value: Any, name: str) -> None:
    """Sets a field of a struct; refuses a number that it cannot hold, of which ctypes would keep the lower bits."""
    setattr(target, field, value)
    if isinstance(value, int) and getattr(target, field) != value:
        raise invalid(name, f"{name} cannot be {value}")


def encoded(text: str | os.PathLike[str] | None) -> bytes | None:
    if text is None:
        return None
    if not isinstance(text, (str, os.PathLike)):
        raise TypeError(f"a text is needed here, not {text!r}")
    raw = os.fspath(text).encode()
    if b"\0" in raw:
        raise invalid("", "a text holds a NUL")
    return raw


def decoded(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


def text_of(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode("utf-8", "replace")


def texts(values: Iterable[str]) -> Any:
    raw = [encoded(value) for value in values]
    return (ctypes.c_char_p * len(raw))(*raw)


def pairs(values: Mapping[str, str]) -> Any:
    made = [_abi.soma_pair(encoded(key), encoded(str(value))) for key, value in values.items()]
    return (_abi.soma_pair * len(made))(*made)


def bytes_of(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def address_of(data: bytes) -> int | None:
    """Of bytes that the caller keeps alive."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value


def time_of(unix_ms: int) -> datetime | None:
    return datetime.fromtimestamp(unix_ms / 1000, timezone.utc) if unix_ms else None


def unix_ms(time: datetime | float) -> int:
    """Of a datetime, or of seconds since 1970."""
    return round((time.timestamp() if isinstance(time, datetime) else time) * 1000)


def _as_plain(value: Any) -> Any:
    """numpy's scalars and arrays as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def _kind_of(key: str, value: Any) -> tuple[type, ValueType, str, str, Any]:
    for kind in _KINDS:
        if isinstance(value, kind[0]):
            return kind
    raise invalid("metadata", f"{key!r} holds a {type(value).__name__}: str, int, float, bool and lists of one of them may stand there")


def _in_range(key: str, value: Any) -> Any:
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        raise invalid("metadata", f"{key!r} holds {value}, which 64 bits do not")
    return value


def _field(key: str, value: Any) -> _abi.soma_metadata_field:
    made = _abi.soma_metadata_field(key=encoded(key))
    value = _as_plain(value)
    if value is None:
        made.type = ValueType.NONE
        return made
    if not isinstance(value, (list, tuple)):
        kind = _kind_of(key, value)
        made.type = kind[1]
        setattr(made.value, kind[2], encoded(value) if kind[0] is str else _in_range(key, value))
        return made
    if not value:
        raise invalid("metadata", f"{key!r} is an empty list, which has no type")
    kind = next(_kind_of(key, v) for v in (value if float not in map(type, value) else [1.0]))
    items = [encoded(item) if kind[0] is str else _in_range(key, item) for item in value]
    made.type = kind[1] + _LIST
    made.list_count = len(items)
    setattr(made.value, kind[3], (kind[4] * len(items))(*items))
    return made


def metadata_fields(metadata: Metadata | None, without_none: bool = False) -> Any:
    """without_none: as in Chroma, None is no value, which a new record does without."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise TypeError(f"metadata is a dict, not {metadata!r}")
    made = [_field(key, value) for key, value in (metadata or {}).items() if value is not None or not without_none]
    return (_abi.soma_metadata_field * len(made))(*made)


def metadata_value(field: _abi.soma_metadata_field) -> Value | None:
    for kind in _KINDS:
        if field.type == kind[1]:
            value = getattr(field.value, kind[2])
            return text_of(value) if kind[0] is str else value
        if field.type == kind[1] + _LIST:
            values = getattr(field.value, kind[3])[: field.list_count]
            return [text_of(value) for value in values] if kind[0] is str else list(values)
    return None


def key_and_value(field: _abi.soma_metadata_field) -> tuple[str, Any]:
    return text_of(field.key), metadata_value(field)


def metadata_dict(fields: Any, count: int) -> dict[str, Any]:
    return dict(key_and_value(fields[i]) for i in range(count))


class Floats:
    """float[count][dimension] at an address, of an array of numpy, of anything with a buffer of C floats, or of lists.

    float32 in rows is taken as it stands; everything else is copied once.
    """

    def __init__(self, values: Any) -> None:
        if isinstance(values, (list, tuple)) and values and hasattr(values[0], "__array_interface__"):
            values = _numpy().asarray(values)
        if hasattr(values, "__array_interface__"):
            values = _numpy().ascontiguousarray(values, dtype=_numpy().float32)
            self._shape(values.shape)
            self.address = values.__array_interface__["data"][0]
        elif isinstance(values, (array.array, memoryview)) and memoryview(values).format == "f":
            view = memoryview(values)
            if view.ndim != 2 or not view.c_contiguous:
                raise invalid("embeddings", "a buffer of floats has two dimensions, row by row")
            self._shape(view.shape or ())
            kind = ctypes.c_char * view.nbytes
            values = kind.from_buffer_copy(view) if view.readonly else kind.from_buffer(view)
            self.address = ctypes.addressof(values)
        else:
            values = self._from_lists(values)
            self.address = values.buffer_info()[0]
        self._keep = values

    def _shape(self, shape: Sequence[int]) -> None:
        if len(shape) == 1:  # one embedding
            shape = (1, shape[0])
        if len(shape) != 2:
            raise invalid("embeddings", f"embeddings are rows of numbers, not an array of {len(shape)} dimensions")
        self.count, self.dimension = shape

    def _from_lists(self, values: Any) -> "array.array[float]":
        rows = [values] if values and isinstance(values[0], (int, float)) else list(values)
        self._shape((len(rows), len(rows[0]) if rows else 0))
        flat = array.array("f")
        for row in rows:
            if len(row) != self.dimension:
                raise invalid("embeddings", f"embeddings of {len(row)} and of {self.dimension} numbers stand together")
            flat.extend(row)
        return flat


def _numpy() -> Any:
    import numpy

    return numpy


def rows_of_floats(address: int, count: int, dimension: int) -> Any:
    """A copy of float[count][dimension]: an array of numpy, where there is numpy, otherwise lists."""
    raw = ctypes.string_at(address, count * dimension * 4)
    try:
        numpy = _numpy()
    except ImportError:
        flat = array.array("f", raw).tolist()
        return [flat[i * dimension : (i + 1) * dimension] for i in range(count)]
    return numpy.frombuffer(raw, dtype=numpy.float32).reshape(count, dimension)
