#!/usr/bin/env bash
# Snapshots and what is restored from them, with the real server.
# shellcheck disable=SC1091,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

# records FROM TO GENERATION: lines of 256 numbers each, so that a few thousand make several pages.
records() {
    python3 -c '
import json, sys
first, last, generation = map(int, sys.argv[1:])
for i in range(first, last):
    print(json.dumps({"id": "r%05d" % i, "embedding": [i, generation] + [i % 7 / 4] * 254, "document": "text %d of %d" % (i, generation),
                      "metadata": {"n": i, "generation": generation, "group": i % 100}}))' "$@"
}

settings_of() { soma -o json collection show "$1" | jq -cS '[.dimension, .metric, .metadata, .record_count, .index | (.quantization?, .m?, .ef_construction?, .ef_search?, .rerank?)]'; }

test_a_snapshot_brings_everything_back() {
    soma collection create -q whole --dim 3 --metric dot --quantization bf16 --m 8 --ef-construction 77 --ef-search 99 --rerank disk \
        --metadata '{"model": "e5", "n": 3, "x": 2.0, "list": ["a", "b"], "on": true}'
    cat >"$scratch/whole.jsonl" <<'LINES'
{"id": "a", "embedding": [1, 2, 3], "document": "first words", "metadata": {"n": 1, "x": 1.0, "t": "1", "b": true}}
{"id": "b", "embedding": [0.1, -2e-30, 3e20], "document": "", "metadata": {"l": [1, 2], "d": [1.5, 2.0], "s": ["x"], "bs": [true, false]}}
{"id": "ü/ \" id", "embedding": [0, 0, 0]}
{"id": "gone", "embedding": [9, 9, 9]}
LINES
    soma upsert -q whole "$scratch/whole.jsonl"
    soma delete -q whole gone
    expect 0 soma -o json collection snapshot whole "$scratch/whole.snapshot"
    is "$(jq -c '[.collection, .record_count]' "$scratch/out")" '["whole",3]'
    expect 0 soma -o json collection restore back "$scratch/whole.snapshot"
    is "$(jq -c '[.collection, .record_count]' "$scratch/out")" '["back",3]'
    is "$(settings_of back)" "$(settings_of whole)"
    is "$(soma -o json collection restore piped - <"$scratch/whole.snapshot" | jq -c '[.collection, .record_count]')" '["piped",3]'
    is "$(soma -o json collection snapshot whole - 2>/dev/null | cmp - "$scratch/whole.snapshot")" ""
    soma collection rm -q piped >"$scratch/out"
    is "$(soma -o json collection show back | jq -c '.index | [.quantization, .m, .ef_construction, .ef_search, .rerank]')" '["bf16",8,77,99,"disk"]'
    cmp <(soma export whole) <(soma export back) || fail "other records came back"
    is "$(grep -v gone "$scratch/whole.jsonl" | soma -o json upsert back - | jq .unchanged)" 3
    is "$(soma -q query back --text words)" a
    is "$(soma -q query back --vector '[0, 1, 0]' -k 1 --where '{"n": 1}')" a
    expect 0 soma collection check back
    expect 6 soma collection restore back "$scratch/whole.snapshot"
    err_has "there is a collection of that name"
    stop_server TERM
    start_server
    cmp <(soma export whole) <(soma export back) || fail "other records came back after a restart"
    soma collection rm -q whole back >"$scratch/out"
}

test_an_empty_collection_comes_back_too() {
    soma collection create -q empty --dim 5 --metric l2
    expect 0 soma collection snapshot empty "$scratch/empty.snapshot"
    expect 0 soma collection restore empty2 "$scratch/empty.snapshot"
    is "$(settings_of empty2)" "$(settings_of empty)"
    soma collection rm -q empty empty2 >"$scratch/out"
}

# The pipe holds less than a page, so the snapshot waits in the middle while others write.
test_a_snapshot_is_of_one_moment_whatever_is_written_meanwhile() {
    soma collection create -q hot --dim 256 --metric l2
    records 0 3000 1 | soma upsert -q hot -
    rm -f "$scratch/pipe" && mkfifo "$scratch/pipe"
    soma collection snapshot hot - >"$scratch/pipe" &
    local client=$!
    exec 5<"$scratch/pipe"
    head -c 1000 <&5 >"$scratch/hot.snapshot"
    # Before and behind the place where it stands: changed, deleted, deleted and written anew, new.
    records 0 3000 2 | awk 'NR % 100 == 4' | soma upsert -q hot -
    soma delete -q hot --where '{"group": 5}'
    soma delete -q hot --where '{"group": 6}'
    records 0 3000 3 | awk 'NR % 100 == 7' | soma upsert -q hot -
    records 3000 3100 2 | soma upsert -q hot -
    soma export hot >"$scratch/hot.jsonl"
    cat <&5 >>"$scratch/hot.snapshot"
    exec 5<&-
    wait "$client" || fail "the snapshot failed"
    expect 0 soma collection restore cold "$scratch/hot.snapshot"
    is "$(soma count cold)" 3070
    soma export cold >"$scratch/cold.jsonl"
    cmp "$scratch/hot.jsonl" "$scratch/cold.jsonl" || fail "the copy is of no moment"
    expect 0 soma collection check cold
    soma collection rm -q hot cold >"$scratch/out"
}

test_a_cleared_collection_is_not_mixed_with_what_it_was() {
    soma collection create -q swept --dim 256 --metric l2
    records 0 3000 1 | soma upsert -q swept -
    rm -f "$scratch/pipe" && mkfifo "$scratch/pipe"
    soma collection snapshot swept - >"$scratch/pipe" &
    local client=$!
    exec 5<"$scratch/pipe"
    head -c 1000 <&5 >"$scratch/swept.snapshot"
    soma collection clear -q swept >/dev/null
    records 1500 1550 4 | soma upsert -q swept -
    cat <&5 >>"$scratch/swept.snapshot"
    exec 5<&-
    wait "$client" || fail "the snapshot failed"
    expect 0 soma collection restore after "$scratch/swept.snapshot"
    cmp <(soma export swept) <(soma export after) || fail "other records came back"
    is "$(soma count after)" 50
    soma collection rm -q swept after >"$scratch/out"
}

test_what_is_torn_or_changed_restores_nothing() {
    soma collection create -q good --dim 256 --metric l2
    records 0 2500 1 | soma upsert -q good -
    soma collection snapshot -q good "$scratch/good.snapshot"
    local size
    size=$(stat -c %s "$scratch/good.snapshot")
    head -c $((size - 1)) "$scratch/good.snapshot" >"$scratch/bad.snapshot"
    expect 2 soma collection restore bad "$scratch/bad.snapshot"
    err_has "nothing is restored"
    { cat "$scratch/good.snapshot" && echo; } >"$scratch/bad.snapshot"
    expect 2 soma collection restore bad "$scratch/bad.snapshot"
    # A byte in a vector of the last page: only the checksum can tell.
    cp "$scratch/good.snapshot" "$scratch/bad.snapshot"
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 1]))' "$scratch/bad.snapshot" $((size - 60000))
    expect 2 soma collection restore bad "$scratch/bad.snapshot"
    echo nothing >"$scratch/bad.snapshot"
    expect 2 soma collection restore bad "$scratch/bad.snapshot"
    err_has "is no snapshot"
    is "$(soma -q collection ls)" good
    expect 3 soma collection show bad
    expect 1 soma collection restore bad "$scratch/nowhere"
    expect 1 soma collection snapshot good "$scratch/nowhere/good"
    expect 3 soma collection snapshot nowhere "$scratch/nothing"
    [ -e "$scratch/nothing" ] && fail "a file was left"
    is "$(find "$scratch" -name '*.part*')" ""
    soma collection rm -q good >"$scratch/out"
}

some_are_restored() { [ "$(sqlite3 "$scratch/data/soma.db" "SELECT coalesce(max(record_count), 0) FROM collection WHERE name LIKE '.%'")" -gt 0 ]; }

none_is_restored() { [ "$(sqlite3 "$scratch/data/soma.db" "SELECT count(*) FROM collection WHERE name LIKE '.%'")" -eq 0 ]; }

test_an_interrupted_restore_leaves_nothing_to_be_seen() {
    soma collection create -q first --dim 256 --metric l2
    records 0 4500 1 | soma upsert -q first -
    soma collection snapshot -q first "$scratch/first.snapshot"
    rm -f "$scratch/pipe" && mkfifo "$scratch/pipe"
    "$soma_program" collection restore second - <"$scratch/pipe" >"$scratch/out" 2>&1 &
    local client=$! uid
    exec 5>"$scratch/pipe"
    head -c 4400000 "$scratch/first.snapshot" >&5
    until_true some_are_restored
    kill -9 "$client"
    wait "$client" 2>/dev/null
    exec 5>&-
    is "$(soma -q collection ls)" first
    expect 3 soma collection show second
    uid=$(sqlite3 "$scratch/data/soma.db" "SELECT uid FROM collection WHERE name LIKE '.%'")
    expect 3 soma collection show "$uid"
    expect 3 soma count ".$uid"
    is "$(soma -o json stats | jq .collections)" 1
    # A day later.
    stop_server TERM
    sqlite3 "$scratch/data/soma.db" "UPDATE collection SET created_unix_ms = created_unix_ms - 90000000 WHERE name LIKE '.%'"
    start_server
    until_true none_is_restored
    expect 0 soma collection restore second "$scratch/first.snapshot"
    cmp <(soma export first) <(soma export second) || fail "other records came back"
    soma collection rm -q first second >"$scratch/out"
}

test_both_go_on_when_the_server_is_killed_and_comes_back() {
    soma collection create -q source --dim 256 --metric l2
    records 0 4500 1 | soma upsert -q source -
    rm -f "$scratch/pipe" && mkfifo "$scratch/pipe"
    soma collection snapshot -q source - >"$scratch/pipe" &
    local client=$!
    exec 5<"$scratch/pipe"
    head -c 1000 <&5 >"$scratch/source.snapshot"
    stop_server KILL
    start_server 5>&- # which would keep the pipe open
    cat <&5 >>"$scratch/source.snapshot"
    exec 5<&-
    wait "$client" || fail "the snapshot failed"
    soma collection restore -q target - <"$scratch/pipe" >"$scratch/out" 2>&1 &
    client=$!
    exec 5>"$scratch/pipe"
    head -c 4400000 "$scratch/source.snapshot" >&5
    until_true some_are_restored
    stop_server KILL
    start_server 5>&- # which would keep the pipe open
    tail -c +4400001 "$scratch/source.snapshot" >&5
    exec 5>&-
    wait "$client" || fail "the restore failed: $(cat "$scratch/out")"
    cmp <(soma export source) <(soma export target) || fail "other records came back"
    expect 0 soma collection check target
    soma collection rm -q source target >"$scratch/out"
}

run_tests
