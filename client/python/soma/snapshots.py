"""Snapshots of collections: the files that `soma collection snapshot` writes.

"SOMASNAP", a version, pages with their lengths, and an end with how many there are and a checksum of all before it; numbers are
little-endian. What a page holds stays between the functions of libsoma.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import BinaryIO, Iterator

from . import _abi
from ._library import Connection, library
from ._values import address_of, encoded, invalid, text_of

_MAGIC = b"SOMASNAP"
_VERSION = 1
_PAGE_BYTES_MAX = 8 << 20  # no page is larger than a frame
_CHECKSUM_BEGIN = 14695981039346656037
_ROUNDS_MAX = 100


class _Summed:
    """A file, with the checksum of what went through it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.sum = _CHECKSUM_BEGIN

    def _add(self, data: bytes) -> None:
        self.sum = library.soma_snapshot_checksum(self.sum, address_of(data), len(data))

    def write(self, data: bytes) -> None:
        self._add(data)
        self.file.write(data)

    def read(self, length: int) -> bytes:
        data = self.file.read(length)
        if len(data) != length:
            raise invalid("", "the snapshot is torn")
        self._add(data)
        return data


def save(connection: Connection, collection: str, path: str | os.PathLike[str]) -> int:
    """Writes a file, which appears when it is complete; how many records it holds."""
    part = Path(f"{os.fspath(path)}.part-{os.getpid()}")
    with open(part, "xb") as file:
        try:
            records = _write(connection, collection, file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink()
            raise
    return records


def _write(connection: Connection, collection: str, file: BinaryIO) -> int:
    out = _Summed(file)
    out.write(_MAGIC + struct.pack("<I", _VERSION))
    request = _abi.soma_snapshot_read_request(collection=encoded(collection))
    pages = rounds = 0
    round_sequence = 0
    while True:
        is_first = request.after_place == 0
        with connection.call("snapshot_read", request) as page:
            out.write(struct.pack("<I", page.length))
            out.write(ctypes.string_at(page.bytes, page.length))
            pages += 1
            records = int(page.record_count)
            if page.is_last and is_first:  # it holds all that changed since the round before it began
                break
            if is_first:
                round_sequence = page.sequence
            request.after_place = 0 if page.is_last else page.last_place
            if page.is_last:
                rounds += 1
                request.since_sequence = round_sequence
        if rounds == _ROUNDS_MAX:
            raise invalid("", "the collection is written to faster than it is read")
    out.write(struct.pack("<IQ", 0, pages))
    file.write(struct.pack("<Q", out.sum))
    return records


def _pages(file: BinaryIO) -> Iterator[bytes]:
    begin = _Summed(file)
    if begin.read(len(_MAGIC)) != _MAGIC or struct.unpack("<I", begin.read(4)) != (_VERSION,):
        raise invalid("", "this is no snapshot, or one of a later version")
    count = 0
    while True:
        (length,) = struct.unpack("<I", begin.read(4))
        if length > _PAGE_BYTES_MAX:
            raise invalid("", "the snapshot was changed")
        if length == 0:
            break
        count += 1
        yield begin.read(length)
    (pages,) = struct.unpack("<Q", begin.read(8))
    due = begin.sum
    (checksum,) = struct.unpack("<Q", begin.read(8))
    if pages != count or checksum != due or file.read(1):
        raise invalid("", "the snapshot was changed")


def restore(connection: Connection, name: str, path: str | os.PathLike[str]) -> str:
    """Makes a collection of a file; its uid. It appears when all of it is there: the last page goes when the file's end was seen."""
    uid: str | None = None
    held: bytes | None = None
    with open(path, "rb") as file:
        try:
            for page in _pages(file):
                if held is not None:
                    uid = _send(connection, held, uid, None)
                held = page
            if held is None:
                raise invalid("", "the snapshot holds nothing")
            return _send(connection, held, uid, name)
        except BaseException:
            if uid is not None:
                with connection.call("collection_delete", _abi.soma_collection_request(collection=encoded(uid))):
                    pass
            raise


def _send(connection: Connection, page: bytes, uid: str | None, finish_name: str | None) -> str:
    request = _abi.soma_snapshot_restore_request(length=len(page), finish_name=encoded(finish_name))
    request.bytes = address_of(page)
    while True:
        request.uid = encoded(uid)
        with connection.call("snapshot_restore", request) as restored:
            uid = uid or text_of(restored.uid)
            if finish_name is None or restored.is_finished:
                return uid
