#!/usr/bin/env bash
# import and export with the real server: every kind of file, bad rows, an import that was stopped.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server_for_calling_jobs || exit 1
export XDG_STATE_HOME="$scratch/state"

# fresh NAME DIMENSION
fresh() {
    soma collection rm -q "$1" >/dev/null 2>&1
    soma collection create -q "$1" --dim "$2" --metric l2
}

# npy FILE ROWS DIMENSION: float32; number j of row i is i + j / 8.
npy() {
    python3 -c '
import struct, sys
path, rows, dim = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
head = ("{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (%d, %d), }" % (rows, dim)).replace("\"", chr(39)) + "\n"
with open(path, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
    for i in range(rows):
        file.write(struct.pack("<%df" % dim, *[i + j / 8 for j in range(dim)]))' "$@"
}

test_a_matrix_goes_in_with_numbers_or_names_as_ids_and_comes_out_again() {
    fresh matrix 4
    npy "$scratch/m.npy" 2500 4
    expect 0 soma -o json import matrix "$scratch/m.npy"
    is "$(jq -c . "$scratch/out")" '{"inserted":2500,"updated":0,"unchanged":0,"skipped":0,"rejected":0}'
    is "$(soma -o json get matrix 2499 --include embedding | jq -c '.[0].embedding == [2499, 2499.125, 2499.25, 2499.375]')" true
    expect 0 soma -o json import matrix "$scratch/m.npy"
    is "$(jq .unchanged "$scratch/out")" 2500
    seq -f 'name%05g' 0 2499 >"$scratch/names"
    fresh matrix 4
    expect 0 soma -o json import matrix "$scratch/m.npy" --ids "$scratch/names"
    is "$(soma count matrix)" 2500
    # Names of one length are in the order of the rows.
    expect 0 soma export matrix "$scratch/back.npy" --ids "$scratch/names.back"
    cmp "$scratch/names" "$scratch/names.back" || fail "other ids came back"
    cmp <(tail -c 40000 "$scratch/m.npy") <(tail -c 40000 "$scratch/back.npy") || fail "other numbers came back"
    expect 0 soma export matrix "$scratch/back.fvecs"
    fresh second 4
    expect 0 soma -o json import second "$scratch/back.fvecs"
    is "$(jq .inserted "$scratch/out")" 2500
    expect 0 soma -o json import second "$scratch/back.npy"
    is "$(jq .unchanged "$scratch/out")" 2500
    soma collection rm -q matrix second >"$scratch/out"
}

# Each of them would otherwise leave vectors beside ids that are not theirs.
test_ids_that_cannot_be_written_leave_no_half_export() {
    fresh odd 2
    mkdir -p "$scratch/odd/there"
    printf '{"id": "a", "embedding": [1, 2]}\n' | soma upsert -q odd -
    expect 1 soma export odd "$scratch/odd/v.npy" --ids "$scratch/odd/there"
    err_has "cannot write $scratch/odd/there: Is a directory"
    expect 1 soma export odd "$scratch/odd/v.npy" --ids /dev/full
    err_has "cannot write /dev/full: No space left"
    is "$(find "$scratch/odd" -type f)" ""
    # A pipe, and a link, which stays one.
    is "$(soma export -q odd "$scratch/odd/v.npy" --ids >(cat) | cat)" a
    : >"$scratch/odd/names"
    ln -s names "$scratch/odd/link"
    expect 0 soma export odd "$scratch/odd/v.npy" --ids "$scratch/odd/link"
    is "$(readlink "$scratch/odd/link") $(cat "$scratch/odd/link") $(cat "$scratch/odd/names")" "names a a"
    local end
    for end in '\n' '\r'; do
        printf '{"id": "one%stwo", "embedding": [3, 4]}\n' "$end" | soma upsert -q odd -
        expect 1 soma export odd "$scratch/odd/v.npy" --ids "$scratch/odd/names"
        err_has "'one two' holds a line end"
        soma collection clear -q odd >/dev/null
    done
    is "$(find "$scratch/odd" -type f | sort | tr '\n' ' ')" "$scratch/odd/names $scratch/odd/v.npy "
    soma collection rm -q odd >"$scratch/out"
}

test_what_stdout_does_not_take_is_said_once() {
    fresh wide 4
    npy "$scratch/m.npy" 500 4
    soma import -q wide "$scratch/m.npy" >"$scratch/out"
    soma export wide >/dev/full 2>"$scratch/err"
    is "$?" 1
    err_is "soma: cannot write to stdout: No space left on device"
    soma collection snapshot wide - >/dev/full 2>"$scratch/err"
    is "$?" 1
    err_is "soma: cannot write to stdout: No space left on device"
    soma collection rm -q wide >"$scratch/out"
}

test_records_go_in_as_lines_and_come_out_as_they_were() {
    fresh lines 2
    python3 -c '
import json
for i in range(3000):
    print(json.dumps({"id": "r%04d" % i, "embedding": [i, 1], "document": "text %d" % i, "metadata": {"n": i, "even": i % 2 == 0}}))' >"$scratch/lines.jsonl"
    expect 0 soma import lines "$scratch/lines.jsonl"
    out_is "inserted 3000, updated 0, unchanged 0, skipped 0, rejected 0"
    expect 0 soma export lines "$scratch/back.jsonl"
    # Newer versions of jq keep how a number was written.
    local plain='walk(if type == "number" then . + 0 else . end)'
    cmp <(jq -cS "$plain" "$scratch/lines.jsonl") <(jq -cS "$plain" "$scratch/back.jsonl") || fail "other records came back"
    is "$(soma export lines --where '{"n": {"$lt": 10}}' | wc -l)" 10
    is "$(soma export lines - | soma -o json import lines - | jq .unchanged)" 3000
    soma collection rm -q lines >"$scratch/out"
}

test_bad_rows_are_put_aside_with_their_reasons() {
    fresh bad 2
    {
        echo '{"id": "a", "embedding": [1, 2]}'
        echo '{"id": "b", "embedding": [1, 2, 3]}'
        echo 'no JSON'
        printf '{"id": "%600s", "embedding": [1, 2]}\n' x
        echo '{"id": "c", "embedding": [3, 4], "metadata": {"$x": 1}}'
        echo '{"id": "d", "embedding": [5, 6]}'
    } >"$scratch/bad.jsonl"
    expect 1 soma -o json import bad "$scratch/bad.jsonl"
    is "$(jq -c '[.inserted, .rejected]' "$scratch/out")" '[2,4]'
    is "$(soma -q scan bad | tr '\n' ' ')" "a d "
    is "$(jq -c .row "$scratch/bad.jsonl.rejects" | sort -n | tr '\n' ' ')" "2 3 4 5 "
    is "$(jq -r 'select(.row == 3) | .line' "$scratch/bad.jsonl.rejects")" "no JSON"
    is "$(jq -r 'select(.row == 5) | .field' "$scratch/bad.jsonl.rejects")" "metadata[0].key"
    is "$(jq -r 'select(.row == 5) | .record.id' "$scratch/bad.jsonl.rejects")" c
    python3 -c '
import struct
head = "{\x27descr\x27: \x27<f8\x27, \x27fortran_order\x27: False, \x27shape\x27: (3, 2), }\n"
with open("'"$scratch"'/nan.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
    file.write(struct.pack("<6d", 1, 2, float("nan"), 4, 5, 1e300))'
    expect 1 soma -o json import bad "$scratch/nan.npy" --rejects "$scratch/elsewhere"
    is "$(jq -c '[.inserted, .rejected]' "$scratch/out")" '[1,2]'
    is "$(jq -c '[.row, .field]' "$scratch/elsewhere" | tr '\n' ' ')" '[1,"embedding"] [2,"embedding"] '
    soma collection rm -q bad >"$scratch/out"
}

test_files_that_do_not_fit_are_refused() {
    fresh narrow 3
    npy "$scratch/wide.npy" 5 4
    expect 2 soma import narrow "$scratch/wide.npy"
    err_has "rows of 4 numbers, but the collection's dimension is 3"
    head -c 100 "$scratch/wide.npy" >"$scratch/short.npy"
    expect 2 soma import narrow "$scratch/short.npy"
    expect 2 soma import narrow "$scratch/nowhere.npy"
    expect 3 soma import nowhere "$scratch/wide.npy"
    echo x >"$scratch/x.npy"
    expect 2 soma import narrow "$scratch/x.npy"
    err_has "is no .npy file"
    expect 2 soma import narrow "$scratch/lines.jsonl" --ids "$scratch/names"
    npy "$scratch/three.npy" 4 3
    printf 'one\ntwo\n' >"$scratch/two"
    expect 2 soma import narrow "$scratch/three.npy" --ids "$scratch/two"
    err_has "there is no id for row 2"
    is "$(soma -q scan narrow | sort | tr '\n' ' ')" "one two "
    # The row without an id is not done: the same files fail again, and with all ids every row is in.
    expect 2 soma import narrow "$scratch/three.npy" --ids "$scratch/two"
    err_has "there is no id for row 2"
    printf 'one\ntwo\nthree\nfour\n' >"$scratch/four"
    expect 0 soma import narrow "$scratch/three.npy" --ids "$scratch/four"
    is "$(soma -q scan narrow | sort | tr '\n' ' ')" "four one three two "
    expect 2 soma import narrow "$scratch/three.npy" --ids "$scratch/no-ids"
    err_has "no-ids: cannot be read"
    LC_ALL=C sed "s/<f4/>f4/" "$scratch/three.npy" >"$scratch/big.npy"
    expect 2 soma import narrow "$scratch/big.npy"
    err_has "holds '>f4'"
    soma collection rm -q narrow >"$scratch/out"
}

some_are_there() { [ "$(soma count "$1")" -gt 0 ]; }

test_an_import_goes_on_where_it_stopped() {
    fresh stopped 2
    npy "$scratch/whole.npy" 9000 2
    # Cut in the middle: the head promises more rows than there are.
    head -c $(($(stat -c %s "$scratch/whole.npy") - 3 * 8 - 4)) "$scratch/whole.npy" >"$scratch/part.npy"
    touch -d '2020-01-01' "$scratch/part.npy"
    expect 2 soma -o json import stopped "$scratch/part.npy"
    err_has "ends in row 8996"
    is "$(soma count stopped)" 8996
    expect 2 soma -o json import stopped "$scratch/part.npy"
    err_has "going on after row 8996"
    expect 2 soma -o json import stopped "$scratch/part.npy" --restart
    is "$(jq -c '[.inserted, .unchanged]' "$scratch/out")" '[0,8996]'
    # A file that has changed is another file.
    expect 0 soma -o json import stopped "$scratch/whole.npy"
    is "$(jq -c '[.inserted, .unchanged]' "$scratch/out")" '[4,8996]'
    python3 -c '
for i in range(20000):
    print("{\"id\": \"k%05d\", \"embedding\": [%d, 1]}" % (i, i))' >"$scratch/killed.jsonl"
    fresh stopped 2
    "$soma_program" -q import stopped "$scratch/killed.jsonl" &
    local client=$!
    until_true some_are_there stopped
    kill -9 "$client" 2>/dev/null
    wait "$client" 2>/dev/null
    expect 0 soma -o json import stopped "$scratch/killed.jsonl"
    is "$(jq -c '.inserted + .unchanged' "$scratch/out")" 20000
    is "$(soma count stopped)" 20000
    soma collection rm -q stopped >"$scratch/out"
}

# The program of this build stands in for the one that a server's machine has.
test_inside_a_job_it_reports_the_jobs_progress() {
    local id
    fresh inside 4
    npy "$scratch/in.npy" 3000 4
    id=$(soma submit -q -F "$soma_program:soma" -F "$scratch/in.npy" -- ./soma -q import inside in.npy)
    expect 0 soma wait "$id"
    is "$(soma count inside)" 3000
    is "$(soma -o json show "$id" | jq -c '[(.progress.percent // .progress_percent) + 0, .progress.message // .progress_message]')" '[100,"3000 rows"]'
    id=$(soma submit -q -F "$soma_program:soma" -A out.jsonl -- ./soma -q export inside out.jsonl)
    expect 0 soma wait "$id"
    expect 0 soma artifacts -C "$scratch" "$id"
    is "$(wc -l <"$scratch/out.jsonl")" 3000
    soma collection rm -q inside >"$scratch/out"
}

import_as_a_job() {
    soma submit -q -F "$soma_program:soma" -F "$scratch/again.jsonl" -A again.jsonl.rejects -- ./soma -q import again again.jsonl
}

# What was written stays, and given again it comes to an end; bad rows are an artifact.
test_an_import_that_is_a_job_can_be_cancelled_and_given_again() {
    local id
    fresh again 2
    python3 -c '
print("no record")
for i in range(20000):
    print("{\"id\": \"k%05d\", \"embedding\": [%d, 1]}" % (i, i))' >"$scratch/again.jsonl"
    id=$(import_as_a_job)
    until_true some_are_there again
    soma cancel -q --wait "$id" >"$scratch/out" 2>&1
    id=$(import_as_a_job)
    expect 1 soma wait "$id"
    is "$(soma count again)" 20000
    expect 0 soma artifacts -C "$scratch" "$id"
    is "$(jq -c .row "$scratch/again.jsonl.rejects")" 1
    soma collection rm -q again >"$scratch/out"
}

test_a_file_of_queries_gives_one_line_each() {
    fresh asked 4
    npy "$scratch/q.npy" 600 4
    soma -q import asked "$scratch/q.npy"
    expect 0 soma -o jsonl query asked --vectors "$scratch/q.npy" -k 3 --include metadata
    is "$(wc -l <"$scratch/out")" 600
    is "$(jq -c '[.query, .hits[0].id, (.hits | length)]' "$scratch/out" | sed -n '1p;300p;600p' | tr '\n' ' ')" '[0,"0",3] [299,"299",3] [599,"599",3] '
    soma export asked "$scratch/q.fvecs" >/dev/null 2>&1
    is "$(soma -o jsonl query asked --vectors "$scratch/q.fvecs" -k 1 | wc -l)" 600
    echo x >"$scratch/x.fvecs"
    expect 2 soma query asked --vectors "$scratch/x.fvecs"
    soma collection rm -q asked >"$scratch/out"
}

run_tests
