"""What goes beyond Chroma: facets, groups, both ranks, orders, snapshots, checks."""

import pathlib
import subprocess

import numpy as np
import pytest
import soma
from conftest import BUILD

RECORDS = 9


@pytest.fixture
def c(s, request):
    made = s.create_collection(request.node.originalname[:200], dimension=2, metric="l2", metadata={"owner": "tests"})
    made.add(
        ids=[f"r{n}" for n in range(RECORDS)],
        embeddings=[[n, 1] for n in range(RECORDS)],
        documents=["a red apple" if n % 2 else "a green pear" for n in range(RECORDS)],
        metadatas=[{"kind": "even" if n % 2 == 0 else "odd", "rank": RECORDS - n, "tags": ["all", str(n)]} for n in range(RECORDS)],
    )
    yield made
    s.delete_collection(made.id)


def test_facets_count_the_values_of_a_key(c):
    found = c.facet("kind")
    assert found.counts == [("even", 5), ("odd", 4)]
    assert (found.value_count, found.matched, found.without) == (2, RECORDS, 0)
    found = c.facet("tags", where={"kind": "odd"}, limit=1)
    assert found.counts == [("all", 4)] and found.value_count == 5
    assert c.facet("rank", where_document={"$contains": "green"}, limit=2).counts[0][1] == 1
    assert c.facet("nothing") == ([], 0, RECORDS, RECORDS)
    with pytest.raises(soma.InvalidArgument):
        c.facet("kind", limit=100000)
    with pytest.raises(soma.InvalidArgument):
        c.facet("kind", limit=-1)


def test_hits_come_in_groups(c):
    found = c.query(query_embeddings=[[0, 1]], n_results=2, group_by="kind")
    assert found["ids"] == [["r0", "r1"]] and found["groups"] == [["even", "odd"]]
    found = c.query(query_embeddings=[[0, 1]], n_results=1, group_by="kind", group_size=3)
    assert found["ids"] == [["r0", "r2", "r4"]] and found["groups"] == [["even"] * 3]
    assert c.query(query_embeddings=[[0, 1]], n_results=1)["groups"] is None


def test_hits_are_cut_by_offset_and_score(c):
    assert c.query(query_embeddings=[[0, 1]], n_results=2, offset=3)["ids"] == [["r3", "r4"]]
    found = c.query(query_embeddings=[[0, 1]], include=["scores"])
    second = found["scores"][0][1]
    assert c.query(query_embeddings=[[0, 1]], min_score=second)["ids"] == [["r0", "r1"]]
    with pytest.raises(soma.InvalidArgument):
        c.query(query_embeddings=[[0, 1]], offset=-1)


def test_weights_say_which_rank_counts(c):
    by_vector = c.query(query_embeddings=[[0, 1]], query_texts="red", n_results=1, text_weight=0)
    by_text = c.query(query_embeddings=[[0, 1]], query_texts="red", n_results=1, vector_weight=0)
    assert by_vector["ids"] == [["r0"]] and by_text["documents"] == [["a red apple"]]
    with pytest.raises(soma.InvalidArgument):
        c.query(query_embeddings=[[0, 1]], query_texts="red", vector_weight=0, text_weight=0)


def test_a_scan_gives_every_record_in_an_order(c):
    assert [r.id for r in c.scan()] == [f"r{n}" for n in range(RECORDS)]
    assert [r.metadata["rank"] for r in c.scan(order_by="rank")] == list(range(1, RECORDS + 1))
    newest = next(c.scan(order_by="rank", descending=True, include=["embeddings", "documents"]))
    assert newest.id == "r0" and newest.embedding.tolist() == [0, 1]
    assert newest.metadata is None and newest.document == "a green pear"
    assert [r.id for r in c.scan(where={"kind": "odd"}, where_document={"$contains": "red"})] == ["r1", "r3", "r5", "r7"]


def test_a_scan_goes_over_pages(c):
    more = 2500
    c.add(ids=[f"s{n:04}" for n in range(more)], embeddings=np.ones((more, 2), np.float32))
    assert sum(1 for _ in c.scan(include=[])) == RECORDS + more


def test_a_snapshot_brings_everything_back(s, c, tmp_path):
    file = tmp_path / "docs.snapshot"
    assert c.snapshot(file) == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    copy = s.restore_collection("restored", file)
    try:
        assert copy.id != c.id and copy.metadata == c.metadata and copy.metric == c.metric
        everything = ["documents", "metadatas", "embeddings"]
        before, after = c.get(include=everything), copy.get(include=everything)
        assert before["embeddings"].tolist() == after["embeddings"].tolist()
        assert [before[key] for key in ("ids", "documents", "metadatas")] == [after[key] for key in ("ids", "documents", "metadatas")]
        with pytest.raises(soma.AlreadyExists):
            s.restore_collection("restored", file)
    finally:
        s.delete_collection("restored")


def soma_program(s, *arguments):
    return subprocess.run([BUILD / "bin/soma", "--server", s.server, *arguments], check=True, capture_output=True, text=True).stdout


def test_the_command_line_reads_its_snapshots_and_the_other_way_round(s, c, tmp_path):
    c.snapshot(tmp_path / "of_python")
    soma_program(s, "collection", "restore", "by_program", str(tmp_path / "of_python"))
    soma_program(s, "collection", "snapshot", "by_program", str(tmp_path / "of_program"))
    assert s.restore_collection("by_python", tmp_path / "of_program").count() == RECORDS
    s.delete_collection("by_program")
    s.delete_collection("by_python")


@pytest.mark.parametrize("harm", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b + b"x", lambda b: b"x" + b[1:],
                                  lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:]])  # fmt: skip
def test_a_harmed_snapshot_restores_nothing(s, c, tmp_path, harm):
    file = tmp_path / "docs.snapshot"
    c.snapshot(file)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(soma.InvalidArgument):
        s.restore_collection("harmed", file)
    assert "harmed" not in [found.name for found in s.list_collections()]


def test_a_snapshot_that_fails_leaves_no_file(s, tmp_path):
    gone = s.create_collection("gone", dimension=2)
    s.delete_collection("gone")
    with pytest.raises(soma.NotFound):
        gone.snapshot(tmp_path / "docs.snapshot")
    with pytest.raises(OSError):
        gone.snapshot(pathlib.Path("/nowhere/docs.snapshot"))
    assert list(tmp_path.iterdir()) == []


def test_an_alias_comes_and_goes(s, c):
    c.alias("current")
    assert c.aliases == ["current"] and s.get_collection("current").aliases == ["current"]
    s.remove_alias("current")
    with pytest.raises(soma.NotFound):
        s.get_collection("current")
    assert s.get_collection(c.name).aliases == []


def test_what_is_sound_is_found_sound(s, c):
    c.query(query_embeddings=[[0, 1]])
    check = c.check(sample=5)
    assert check.findings == [] and check.records == RECORDS and check.sampled == 5 and check.recall == 1.0
    assert s.check() == []
    assert s.get_version() == soma.version() and s.get_max_batch_size() == 10000
