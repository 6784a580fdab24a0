"""A collection of records with embeddings: methods, arguments and results are those that Chroma's users know."""

from __future__ import annotations

import ctypes
import json
import math
import os
from typing import Any, Callable, Iterator, List, Mapping, NamedTuple, Sequence, TypedDict, Union

from . import _abi, errors, snapshots
from ._library import Connection, name_of
from ._values import Floats, Metadata, encoded, invalid, key_and_value, metadata_dict, metadata_fields, put, rows_of_floats, text_of, texts
from .errors import Code

EmbeddingFunction = Callable[[List[str]], Any]
OneOrMany = Union[str, Sequence[str]]
Where = Mapping[str, Any]

_PAGE = 1000
_K_MAX = (1 << 32) - 1  # what the field holds; the server allows less
_INCLUDE_KEYS = ("documents", "metadatas", "embeddings", "distances", "scores")


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, (str, Mapping)) else list(value)


def _filter(where: Where | None) -> bytes | None:
    return json.dumps(where).encode() if where else None


class GetResult(TypedDict):
    """Of get() and peek(): a list each, of one length; None: not asked for by include."""

    ids: list[str]
    documents: list[str | None] | None
    metadatas: list[dict[str, Any] | None] | None
    embeddings: Any  # an array of numpy, or lists
    included: list[str]


class QueryResult(TypedDict):
    """Of query(): a list for each query, in it one entry for each hit, the nearest first; None: not asked for by include."""

    ids: list[list[str]]
    documents: list[list[str | None]] | None
    metadatas: list[list[dict[str, Any] | None]] | None
    embeddings: Any
    distances: list[list[float]] | None
    scores: list[list[float]] | None
    groups: list[list[Any]] | None  # with group_by: the value of the key that each hit's group has in common
    included: list[str]


class Record(NamedTuple):
    """Of scan(); None: it has none, or not asked for."""

    id: str
    document: str | None
    metadata: dict[str, Any] | None
    embedding: Any


class Facets(NamedTuple):
    counts: list[tuple[Any, int]]  # value and how many records hold it, the most frequent first
    value_count: int  # different values that there are
    matched: int  # records that match the filters
    without: int  # of these, those without the key


class Check(NamedTuple):
    """Of check(): what disagrees between what is stored and what is searched, and how well the index finds."""

    findings: list[tuple[str, str]]  # kind and text; none: all agrees
    records: int
    rows_indexed: int
    sampled: int
    recall: float  # 0 to 1
    recall_min: float


class Collection:
    """Name, dimension, metric and aliases are those of the moment when it was got; everything else asks the server."""

    def __init__(self, connection: Connection, collection: Any, embedding_function: EmbeddingFunction | None = None) -> None:
        self._connection = connection
        self._embed = embedding_function
        self._read(collection)

    def _read(self, collection: Any) -> None:
        self.name = text_of(collection.name)
        self.id = text_of(collection.uid)
        self.dimension: int = collection.dimension
        self.metric = name_of("metric", collection.metric)
        self.metadata = metadata_dict(collection.metadata, collection.metadata_count)
        self.aliases = [text_of(raw) for raw in collection.aliases[: collection.alias_count]]

    def __repr__(self) -> str:
        return f"<soma.Collection {self.name}, {self.dimension} dimensions, {self.metric}>"

    def _request(self, kind: Any, **values: Any) -> Any:
        # By its uid: it stays the same one when it is renamed.
        return kind(collection=encoded(self.id), **values)

    # --- writing

    def add(
        self,
        ids: OneOrMany,
        embeddings: Any = None,
        metadatas: Metadata | Sequence[Metadata | None] | None = None,
        documents: OneOrMany | None = None,
    ) -> None:
        """Adds records; those whose ids exist are left as they are, as in Chroma."""
        self._write("records_insert", ids, embeddings, metadatas, documents, Code.ALREADY_EXISTS)

    def upsert(
        self,
        ids: OneOrMany | None = None,
        embeddings: Any = None,
        metadatas: Metadata | Sequence[Metadata | None] | None = None,
        documents: OneOrMany | None = None,
    ) -> list[str]:
        """Adds records or replaces them; the ids. Without ids they are made of the content, so that nothing is there twice."""
        return self._write("records_upsert", ids, embeddings, metadatas, documents, None)

    def update(
        self,
        ids: OneOrMany,
        embeddings: Any = None,
        metadatas: Metadata | Sequence[Metadata | None] | None = None,
        documents: OneOrMany | None = None,
    ) -> None:
        """Changes what is given of records that exist; metadata is merged by key, None removes one. Other ids are passed over."""
        self._write("records_update", ids, embeddings, metadatas, documents, Code.NOT_FOUND)

    def _write(self, method: str, ids: Any, embeddings: Any, metadatas: Any, documents: Any, passed: Code | None) -> list[str]:
        names, wanted, contents = _many(ids), _many(metadatas), _many(documents)
        if embeddings is None and contents and self._embed:
            embeddings = self._embed(contents)
        is_whole = method != "records_update"
        if embeddings is None and is_whole and (names or contents or wanted):
            raise invalid("embeddings", "embeddings are missing: give them, or documents and an embedding_function with the collection")
        if not all(names):
            raise invalid("ids", "an id is empty")
        floats = None if embeddings is None else Floats(embeddings)
        count = len(names) if ids is not None else floats.count if floats else 0
        for what, length in ("embeddings", floats.count if floats else 0), ("metadatas", len(wanted)), ("documents", len(contents)):
            if length not in (0, count):
                raise invalid(what, f"{length} {what} for {count} records")
        records = (_abi.soma_record * count)()
        for i in range(count):
            if names:
                records[i].id = encoded(names[i])
            if contents:
                records[i].document = encoded(contents[i])
            if wanted and wanted[i]:
                fields = metadata_fields(wanted[i], without_none=is_whole)
                records[i].metadata, records[i].metadata_count = fields, len(fields)
        request = self._request(_abi.soma_records_write_request, record_count=count)
        request.records = records
        if floats:
            request.embeddings, request.dimension = floats.address, floats.dimension
        with self._connection.call(method, request) as written:
            for error in written.errors[: written.error_count]:
                if error.code != passed:
                    raise errors.BY_CODE.get(Code(error.code), errors.Error)(
                        Code(error.code), text_of(error.reason), f"records[{error.index}]", f"{text_of(error.id)}: {text_of(error.message)}"
                    )
            return [text_of(raw) for raw in written.ids[: written.id_count]] if written.id_count else [str(name) for name in names]

    def delete(self, ids: OneOrMany | None = None, where: Where | None = None, where_document: Where | None = None) -> None:
        """Removes records: those with these ids that match these filters. Nothing given removes nothing, and is an error."""
        if ids is None and not where and not where_document:
            raise invalid("ids", "delete() wants ids, where or where_document; clear() removes all")
        request = self._request(_abi.soma_records_delete_request)
        if where and ids is None and not where_document:
            request.where = _filter(where)
        else:
            names = _many(ids) if not (where or where_document) else self._matching(ids, where, where_document)
            if not names:
                return
            array = texts(names)
            request.ids, request.id_count = array, len(names)
        with self._connection.call("records_delete", request):
            pass

    def clear(self) -> None:
        """Removes all records."""
        with self._connection.call("collection_clear", self._request(_abi.soma_collection_request)):
            pass

    # --- reading

    def count(self, where: Where | None = None, where_document: Where | None = None) -> int:
        request = self._request(_abi.soma_records_count_request, where=_filter(where), where_document=_filter(where_document))
        with self._connection.call("records_count", request) as counted:
            return int(counted.count)

    def get(
        self,
        ids: OneOrMany | None = None,
        where: Where | None = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Where | None = None,
        include: Sequence[str] = ("metadatas", "documents"),
    ) -> GetResult:
        """Records in the order of their ids, or as ids name them. Result: ids, and a list for each key of include."""
        wanted = _include(include)
        for name, number in ("limit", limit), ("offset", offset):
            if number is not None and number < 0:
                raise invalid(name, f"{name} cannot be {number}")
        first, last = offset or 0, math.inf if limit is None else (offset or 0) + limit
        if ids is not None:
            names = _many(ids) if not (where or where_document) else self._matching(ids, where, where_document)
            pages = self._get_pages(names[first : None if limit is None else int(last)], wanted)
        else:
            pages = self._scan(where, where_document, wanted, first, last)
        rows: list[Any] = []
        embeddings: list[Any] = []
        for page_rows, page_embeddings in pages:
            rows += page_rows
            embeddings += [page_embeddings] if page_embeddings is not None else []
        result: Any = {key: None for key in _INCLUDE_KEYS[:3]}
        result["ids"] = [row[0] for row in rows]
        result["included"] = list(include)
        if wanted.document:
            result["documents"] = [row[1] for row in rows]
        if wanted.metadata:
            result["metadatas"] = [row[2] for row in rows]
        if wanted.embedding:
            result["embeddings"] = _joined(embeddings)
        found: GetResult = result
        return found

    def peek(self, limit: int = 10) -> GetResult:
        """The first records by id, with all that they have."""
        return self.get(limit=limit, include=("metadatas", "documents", "embeddings"))

    def _get_pages(self, names: list[str], include: _abi.soma_include) -> Iterator[tuple[list[Any], Any]]:
        if names:
            array = texts(names)
            request = self._request(_abi.soma_records_get_request, id_count=len(names))
            request.ids, request.include = array, ctypes.pointer(include)
            with self._connection.call("records_get", request) as page:
                yield _rows(page, 0, page.record_count)

    def _scan(
        self,
        where: Where | None,
        where_document: Where | None,
        include: _abi.soma_include,
        first: int,
        last: float,
        order_by: str | None = None,
        descending: bool = False,
    ) -> Iterator[tuple[list[Any], Any]]:
        """Pages of the records from first to last. Those before are passed over without their contents."""
        request = self._request(_abi.soma_records_scan_request, where=_filter(where), where_document=_filter(where_document))
        request.order_by, request.descending = encoded(order_by), descending
        place = 0
        nothing = _abi.soma_include()
        while place < last:
            is_skipping = place < first
            request.page_size = int(min(10 * _PAGE if is_skipping else _PAGE, (first if is_skipping else last) - place))
            request.include = ctypes.pointer(nothing if is_skipping else include)
            with self._connection.call("records_scan", request) as page:
                request.cursor = page.next_cursor and bytes(page.next_cursor)
                place += page.record_count
                rows = None if is_skipping else _rows(page, 0, page.record_count)
            if rows:
                yield rows
            if not request.cursor:
                return

    def scan(
        self,
        where: Where | None = None,
        where_document: Where | None = None,
        order_by: str | None = None,
        descending: bool = False,
        include: Sequence[str] = ("metadatas", "documents"),
    ) -> Iterator[Record]:
        """All records that match, page by page, by id or by the values of a metadata key; those without it come last."""
        wanted = _include(include)
        for rows, embeddings in self._scan(where, where_document, wanted, 0, math.inf, order_by, descending):
            for i, row in enumerate(rows):
                yield Record(row[0], row[1], row[2], None if embeddings is None else embeddings[i])

    def facet(self, key: str, where: Where | None = None, where_document: Where | None = None, limit: int = 10) -> Facets:
        """How often which values of a metadata key occur; each value of a list counts."""
        request = self._request(_abi.soma_records_facet_request, where=_filter(where), where_document=_filter(where_document))
        request.key = encoded(key)
        put(request, "limit", limit, "limit")
        with self._connection.call("records_facet", request) as found:
            counts = [(key_and_value(row.value)[1], int(row.count)) for row in found.counts[: found.count_count]]
            return Facets(counts, found.value_count, found.matched, found.without)

    def _matching(self, ids: Any, where: Where | None, where_document: Where | None) -> list[str]:
        """The ids of records that match the filters; of these ids, where there are some."""
        pages = self._scan(where, where_document, _abi.soma_include(), 0, math.inf)
        matching = [row[0] for rows, _ in pages for row in rows]
        if ids is None:
            return matching
        allowed = set(matching)
        return [name for name in _many(ids) if name in allowed]

    def query(
        self,
        query_embeddings: Any = None,
        query_texts: OneOrMany | None = None,
        n_results: int = 10,
        where: Where | None = None,
        where_document: Where | None = None,
        include: Sequence[str] = ("metadatas", "documents", "distances"),
        *,
        query_ids: OneOrMany | None = None,
        max_distance: float | None = None,
        min_score: float | None = None,
        offset: int = 0,
        group_by: str | None = None,
        group_size: int = 1,
        vector_weight: float = 1.0,
        text_weight: float = 1.0,
        fusion_k: float = 60.0,
        ef: int = 0,
        exact: bool = False,
    ) -> QueryResult:
        """The n_results records nearest to each query: ids, and for each key of include, a list of a list for each query.

        query_texts are embedded by the embedding_function. Where there is none their words are looked for in the documents
        (BM25), and together with query_embeddings both ranks count. query_ids: records whose embeddings are the queries.
        include knows "scores" too: larger is better. A distance is NaN where a record was found by its words alone. group_by: hits
        come in groups of at most group_size with one value of this metadata key, n_results and offset count groups, and the result
        has "groups". The weights and fusion_k are of ranks by vector and by words together. `soma help query` explains the others.
        """
        wanted = _include(include)
        if n_results < 1:
            raise invalid("n_results", f"n_results is at least 1, not {n_results}")
        words = _many(query_texts)
        if words and self._embed and query_embeddings is None:
            query_embeddings, words = self._embed(words), []
        floats = None if query_embeddings is None else Floats(query_embeddings)
        names = _many(query_ids)
        request = self._request(_abi.soma_records_query_request, k=min(n_results, _K_MAX), ef=ef, exact=exact)
        request.query_count = floats.count if floats else len(words) or len(names)
        request.where, request.where_document = _filter(where), _filter(where_document)
        request.include = ctypes.pointer(wanted)
        if words and floats and len(words) != floats.count:
            raise invalid("query_texts", f"{len(words)} texts for {floats.count} embeddings")
        if floats:
            request.embeddings, request.dimension = floats.address, floats.dimension
        if words:
            word_array = texts(words)
            request.texts = word_array
        if names:
            id_array = texts(names)
            request.ids = id_array
        if max_distance is not None:
            request.max_distance = ctypes.pointer(ctypes.c_double(max_distance))
        if min_score is not None:
            request.min_score = ctypes.pointer(ctypes.c_double(min_score))
        if words and floats:
            request.fusion = ctypes.pointer(_abi.soma_fusion(k=fusion_k, vector_weight=vector_weight, text_weight=text_weight))
        put(request, "offset", offset, "offset")
        if group_by is not None:
            request.group_by = encoded(group_by)
            put(request, "group_size", group_size, "group_size")
        with self._connection.call("records_query", request) as results:
            return _query_result(results, include, wanted, group_by is not None)

    # --- the collection itself

    def modify(self, name: str | None = None, metadata: Metadata | None = None) -> None:
        """Renames it; merges metadata by key, None removes one."""
        fields = metadata_fields(metadata)
        request = self._request(_abi.soma_collection_update_request, new_name=encoded(name), metadata_count=len(fields))
        request.metadata = fields
        with self._connection.call("collection_update", request) as collection:
            self._read(collection)

    def fork(self, new_name: str) -> "Collection":
        """A copy under another name, of up to 200 000 records."""
        request = self._request(_abi.soma_collection_clone_request, new_name=encoded(new_name))
        with self._connection.call("collection_clone", request) as copy:
            return Collection(self._connection, copy, self._embed)

    def alias(self, name: str) -> None:
        """Lets a name stand for this collection from now on, whatever it stood for."""
        request = _abi.soma_collection_alias_request(alias=encoded(name), collection=encoded(self.id))
        with self._connection.call("collection_alias", request) as collection:
            self._read(collection)

    def snapshot(self, path: str | os.PathLike[str]) -> int:
        """Writes an exact copy, as it is at one moment, to a file for restore_collection() or `soma collection restore`; how many
        records it holds. The file appears when it is complete."""
        return snapshots.save(self._connection, self.id, path)

    def check(self, sample: int = 100, timeout: float = 600.0) -> Check:
        """Compares what is searched with what is stored, and measures recall with so many of its own records."""
        request = self._request(_abi.soma_collection_check_request)
        put(request, "sample", sample, "sample")
        with self._connection.call("collection_check", request, timeout) as check:
            findings = [(text_of(row.kind), text_of(row.message)) for row in check.findings[: check.finding_count]]
            return Check(findings, check.records, check.rows_indexed, check.sampled, check.recall, check.recall_min)


def _include(include: Sequence[str]) -> _abi.soma_include:
    for key in [include] if isinstance(include, str) else include:
        if isinstance(include, str) or key not in _INCLUDE_KEYS:
            raise invalid("include", f"include is a list of {', '.join(_INCLUDE_KEYS)}, not {key!r}")
    return _abi.soma_include(document="documents" in include, metadata="metadatas" in include, embedding="embeddings" in include)


def _row(record: Any) -> tuple[str, str | None, dict[str, Any] | None]:
    document = None if record.document is None else text_of(record.document)
    return text_of(record.id), document, metadata_dict(record.metadata, record.metadata_count) or None


def _rows(page: Any, first: int, last: int) -> tuple[list[Any], Any]:
    rows = [_row(page.records[i]) for i in range(first, last)]
    return rows, rows_of_floats(page.embeddings, last - first, page.dimension) if page.embeddings and rows else None


def _joined(pages: list[Any]) -> Any:
    if len(pages) == 1:
        return pages[0]
    if pages and hasattr(pages[0], "__array_interface__"):
        import numpy

        return numpy.concatenate(pages)
    return [row for page in pages for row in page]


def _query_result(results: Any, include: Sequence[str], wanted: _abi.soma_include, is_grouped: bool) -> QueryResult:
    result: Any = {key: None for key in (*_INCLUDE_KEYS, "groups")}
    result["included"] = list(include)
    every = [answer.hits[: answer.hit_count] for answer in results.results[: results.result_count]]
    rows = [[_row(hit.record) for hit in hits] for hits in every]
    result["ids"] = [[row[0] for row in answer] for answer in rows]
    if wanted.document:
        result["documents"] = [[row[1] for row in answer] for answer in rows]
    if wanted.metadata:
        result["metadatas"] = [[row[2] for row in answer] for answer in rows]
    if wanted.embedding:
        result["embeddings"] = [
            [rows_of_floats(hit.embedding, 1, results.dimension)[0] for hit in hits if hit.embedding] for hits in every
        ]
    if "distances" in include:
        result["distances"] = [[hit.distance for hit in hits] for hits in every]
    if "scores" in include:
        result["scores"] = [[hit.score for hit in hits] for hits in every]
    if is_grouped:
        result["groups"] = [[key_and_value(hit.group[0])[1] for hit in hits] for hits in every]
    found: QueryResult = result
    return found
