"""A collection as Chroma's users know it."""

import array
import ctypes
import math

import numpy as np
import pytest
import soma
from soma import _values


@pytest.fixture
def c(s, request):
    name = request.node.name[:200]
    made = s.create_collection(name, dimension=2, metric="l2", metadata={"owner": "tests", "tags": ["a", "b"]})
    yield made
    s.delete_collection(made.name)


def fill(c, count=6):
    c.add(
        ids=[f"r{n}" for n in range(count)],
        embeddings=[[n, 0] for n in range(count)],
        documents=[f"record number {n}" for n in range(count)],
        metadatas=[{"n": n, "half": n / 2, "even": n % 2 == 0, "name": str(n), "list": [n, n + 1]} for n in range(count)],
    )


def test_what_is_added_is_got_back_as_it_was(c):
    fill(c)
    got = c.get(ids=["r3", "r1"], include=["embeddings", "metadatas", "documents"])
    assert got["ids"] == ["r3", "r1"] and got["documents"] == ["record number 3", "record number 1"]
    assert got["metadatas"][0] == {"n": 3, "half": 1.5, "even": False, "name": "3", "list": [3, 4]}
    assert got["embeddings"].tolist() == [[3, 0], [1, 0]]
    assert c.get(ids="r2")["ids"] == ["r2"] and c.get(ids=["nobody"])["ids"] == []
    assert c.count() == 6 and c.count(where={"n": {"$gte": 4}}) == 2
    assert c.peek(2)["ids"] == ["r0", "r1"] and len(c.peek()["embeddings"]) == 6


def test_adding_again_changes_nothing_and_updating_what_is_not_there_neither(c):
    fill(c, 2)
    c.add(ids=["r1", "r2"], embeddings=[[9, 9], [2, 0]], documents=["other", "new"])
    assert c.get()["documents"] == ["record number 0", "record number 1", "new"]
    c.update(ids=["r1", "nobody"], metadatas=[{"n": 7, "half": None}, {"n": 1}])
    assert c.get(ids="r1")["metadatas"] == [{"n": 7, "even": False, "name": "1", "list": [1, 2]}]
    c.upsert(ids=["r1"], embeddings=[[5, 5]], documents=["replaced"], metadatas=[{"k": True}])
    got = c.get(ids="r1", include=["documents", "metadatas", "embeddings"])
    assert (got["documents"], got["metadatas"], got["embeddings"].tolist()) == (["replaced"], [{"k": True}], [[5, 5]])


def test_records_without_ids_get_one_of_their_content(c):
    first = c.upsert(embeddings=[[1, 2], [3, 4]], documents=["one", "two"])
    assert c.upsert(embeddings=[[1, 2], [3, 4]], documents=["one", "two"]) == first and c.count() == 2


def test_a_page_is_cut_out_by_limit_and_offset(c):
    count = 2500
    c.add(ids=[f"{n:05}" for n in range(count)], embeddings=np.zeros((count, 2), np.float32), metadatas=[{"n": n} for n in range(count)])
    assert c.get(limit=3, offset=2100)["ids"] == ["02100", "02101", "02102"]
    assert c.get(where={"n": {"$lt": 10}}, limit=2, offset=3)["ids"] == ["00003", "00004"]
    assert c.get(offset=2498)["ids"] == ["02498", "02499"] and c.get(limit=0)["ids"] == []
    every = c.get(include=["embeddings"])
    assert len(every["ids"]) == count and every["embeddings"].shape == (count, 2) and every["documents"] is None


def test_queries_are_shaped_as_chroma_shapes_them(c):
    fill(c)
    got = c.query(query_embeddings=[[0, 0], [5, 0]], n_results=2)
    assert got["ids"] == [["r0", "r1"], ["r5", "r4"]] and got["distances"] == [[0, 1], [0, 1]]
    assert got["documents"][1][0] == "record number 5" and got["metadatas"][0][1]["n"] == 1 and got["embeddings"] is None
    got = c.query(query_embeddings=[0, 0], n_results=1, where={"even": False}, include=["embeddings"])
    assert got["ids"] == [["r1"]] and got["embeddings"][0][0].tolist() == [1, 0] and got["distances"] is None
    got = c.query(query_embeddings=[[0, 0]], where={"$and": [{"n": {"$gt": 1}}, {"list": {"$contains": 4}}]}, where_document={"$contains": "3"})
    assert got["ids"] == [["r3"]]
    assert c.query(query_ids=["r0"], n_results=2)["ids"] == [["r1", "r2"]]
    assert c.query(query_embeddings=[[0, 0]], max_distance=1.5)["ids"] == [["r0", "r1"]]
    assert got["included"] == ["metadatas", "documents", "distances"]
    for bad in {"include": ["nonsense"]}, {"include": "documents"}, {"n_results": 0}, {"n_results": -1}, {"n_results": 2**32 + 1}:
        with pytest.raises(soma.InvalidArgument):
            c.query(query_embeddings=[[0, 0]], **bad)
    with pytest.raises(soma.InvalidArgument) as caught:
        c.query(query_embeddings=[[0, 0, 0]])
    assert caught.value.field


def test_texts_are_embedded_where_there_is_a_function_and_looked_for_where_there_is_none(s, c):
    fill(c)
    got = c.query(query_texts=["number 4"], n_results=1, include=["distances", "scores"])
    assert got["ids"] == [["r4"]] and math.isnan(got["distances"][0][0]) and got["scores"][0][0] > 0
    both = c.query(query_texts="number 4", query_embeddings=[[0, 0]], n_results=6)
    assert both["ids"][0][0] in ("r0", "r4") and not math.isnan(both["distances"][0][0])

    def lengths(documents):
        return [[len(document), 1] for document in documents]

    made = s.get_or_create_collection("embedded", embedding_function=lengths)
    assert made.dimension == 2
    made.add(ids=["a", "b"], documents=["1", "22222222"])
    assert s.get_collection("embedded", lengths).query(query_texts=["12345678"], n_results=1)["ids"] == [["b"]]
    s.delete_collection("embedded")


def test_records_are_deleted_by_ids_and_filters_and_never_all_by_mistake(c):
    fill(c)
    c.delete(ids=["r0", "nobody"])
    c.delete(where={"n": 1})
    c.delete(where_document={"$contains": "number 2"})
    c.delete(ids=["r3", "r4"], where={"even": True})
    assert c.get()["ids"] == ["r3", "r5"]
    for nothing in {}, {"where": {}}:
        with pytest.raises(soma.InvalidArgument):
            c.delete(**nothing)
    c.delete(ids=[])
    c.delete(ids=["r3"], where={"n": 5})
    assert c.count() == 2
    c.clear()
    assert c.count() == 0


def test_arrays_of_float32_are_not_copied_and_others_are_once(c):
    numbers = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert _values.Floats(numbers).address == numbers.ctypes.data
    floats = array.array("f", [1, 2, 3, 4])
    assert _values.Floats(memoryview(floats).cast("B").cast("f", (2, 2))).address == floats.buffer_info()[0]
    for values in numbers.astype(np.float64), np.asfortranarray(numbers), numbers[::2], numbers.tolist(), list(numbers), numbers[0]:
        made = _values.Floats(values)
        there = (ctypes.c_float * (made.count * made.dimension)).from_address(made.address)
        assert list(there) == np.asarray(values, dtype=np.float32).reshape(-1).tolist()
    c.add(ids=list("abcd"), embeddings=numbers)
    assert c.get(include=["embeddings"])["embeddings"].tolist() == numbers.tolist()
    assert c.query(query_embeddings=numbers[3], n_results=1)["ids"] == [["d"]]


def test_numpy_values_are_metadata_too(c):
    c.add(ids=["a"], embeddings=[[0, 0]], metadatas=[{"i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "l": np.array([1, 2])}])
    assert c.get()["metadatas"] == [{"i": 3, "f": 0.5, "b": True, "l": [1, 2]}]


def test_what_cannot_be_right_is_refused_with_its_place(c):
    for bad in {"embeddings": [[1, 2]]}, {"embeddings": [[1, 2], [1]]}, {"embeddings": [[1, 2, 3], [1, 2, 3]]}, {"embeddings": [[1, math.nan], [0, 0]]}:
        with pytest.raises(soma.InvalidArgument):
            c.add(ids=["a", "b"], **bad)
    for metadata in {"k": object()}, {"k": []}, {"k": [1, "a"]}, {"k": {"nested": 1}}, {"k": 2**63}, {"k": [1, -(2**63) - 1]}, "text":
        with pytest.raises((soma.InvalidArgument, TypeError)):
            c.add(ids=["a"], embeddings=[[1, 2]], metadatas=[metadata])
    with pytest.raises(soma.InvalidArgument):
        c.get(where={"n": {"$nonsense": 1}})
    with pytest.raises(soma.InvalidArgument, match="embedding_function"):
        c.add(ids=["a"], documents=["a text, and nothing that embeds it"])
    with pytest.raises(soma.InvalidArgument, match="empty"):
        c.add(ids=[""], embeddings=[[1, 2]])
    for page in {"limit": -1}, {"offset": -1}:
        with pytest.raises(soma.InvalidArgument):
            c.get(**page)
    with pytest.raises(TypeError, match="5"):
        c.add(ids=[5], embeddings=[[1, 2]])
    assert c.count() == 0


def test_none_in_the_metadata_of_a_new_record_is_no_value(c):
    c.add(ids=["a", "b"], embeddings=[[1, 2], [3, 4]], metadatas=[{"k": None, "n": 1}, {"k": None}])
    c.upsert(ids=["a"], embeddings=[[1, 2]], metadatas=[{"n": 2, "k": None}])
    assert c.get()["metadatas"] == [{"n": 2}, None]


def test_collections_are_made_found_renamed_copied_and_listed(s):
    made = s.create_collection("papers", dimension=4, metadata={"hnsw:space": "ip", "topic": "x"})
    assert (made.metric, made.dimension, made.metadata["topic"]) == ("dot", 4, "x")
    with pytest.raises(soma.AlreadyExists):
        s.create_collection("papers", dimension=4)
    assert s.get_or_create_collection("papers", dimension=4, metric="dot").id == made.id
    with pytest.raises(soma.Error):
        s.get_or_create_collection("papers", dimension=5, metric="dot")
    # What is not said is as it is there.
    assert s.get_or_create_collection("papers").id == made.id
    with pytest.raises(soma.FailedPrecondition):
        s.get_or_create_collection("papers", metadata={"hnsw:space": "l2"})
    assert s.get_or_create_collection("papers", configuration={"hnsw": {"space": "ip"}}, dimension=4).id == made.id
    with pytest.raises(soma.InvalidArgument, match="l2, cosine, ip"):
        s.create_collection("other", dimension=4, metadata={"hnsw:space": "L2"})
    with pytest.raises(soma.InvalidArgument):
        s.create_collection("other", dimension=2**32 + 4)
    with pytest.raises(TypeError):
        s.create_collection("no dimension")
    made.add(ids=["a"], embeddings=[[1, 2, 3, 4]])
    made.modify(name="articles", metadata={"topic": None, "year": 2026})
    assert made.name == "articles" and made.metadata == {"hnsw:space": "ip", "year": 2026} and made.count() == 1
    copy = made.fork("copy")
    assert copy.count() == 1 and copy.id != made.id
    copy.alias("current")
    assert s.get_collection("current").id == copy.id
    assert [c.name for c in s.list_collections()] == ["articles", "copy"] and s.count_collections() == 2
    assert [c.name for c in s.list_collections(limit=1, offset=1)] == ["copy"]
    s.delete_collection("articles")
    s.delete_collection("copy")
    with pytest.raises(soma.NotFound):
        s.get_collection("papers")


def test_many_records_go_in_pieces(c):
    count = 20000
    numbers = np.random.default_rng(1).random((count, 2), np.float32)
    c.add(ids=[str(n) for n in range(count)], embeddings=numbers, documents=["x" * 100] * count)
    assert c.count() == count
    assert c.query(query_embeddings=numbers[:500], n_results=1, exact=True)["ids"] == [[str(n)] for n in range(500)]
