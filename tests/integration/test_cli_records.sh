#!/usr/bin/env bash
# The command line, collections and records: every form that scripts rely on, and what bad input gets.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

# fresh NAME: an empty collection of dimension 3.
fresh() {
    soma collection rm -q "$1" >/dev/null 2>&1
    soma collection create -q "$1" --dim 3
}

three_records() {
    cat <<'JSON'
{"id": "a", "embedding": [1, 0, 0], "document": "first", "metadata": {"lang": "en", "year": 2020, "tags": ["x", "y"]}}
{"id": "b", "embedding": [0, 1, 0], "document": "second", "metadata": {"lang": "de", "year": 2021, "score": 0.5}}
{"id": "c", "embedding": [0.9, 0.1, 0], "metadata": {"lang": "en", "year": 2022, "good": true}}
JSON
}

test_the_fixed_forms_of_collections_and_records_work() {
    expect 0 soma collection create docs --dim 3 --metric cosine
    three_records >"$scratch/records.jsonl"
    expect 0 soma -o json upsert docs "$scratch/records.jsonl"
    is "$(jq -c . "$scratch/out")" '{"inserted":3,"updated":0,"unchanged":0,"skipped":0,"failed":0}'
    expect 0 soma -o json upsert docs "$scratch/records.jsonl"
    is "$(jq -c '[.inserted, .updated, .unchanged, .failed]' "$scratch/out")" '[0,0,3,0]'
    expect 0 soma query docs --vector '[1, 0, 0]' -k 10 --where '{"lang": "en"}'
    is "$(awk 'NR > 1 { print $2 }' "$scratch/out" | tr '\n' ' ')" "a c "
    expect 0 soma count docs
    out_is 3
    soma collection rm -q docs >"$scratch/out"
}

test_records_come_back_as_they_were() {
    fresh trip
    three_records | soma upsert -q trip -
    soma -o jsonl scan trip --include document,metadata,embedding >"$scratch/back.jsonl"
    is "$(jq -cS .metadata "$scratch/back.jsonl")" "$(three_records | jq -cS .metadata)"
    is "$(jq -c '.embedding | map(. * 10 | round)' "$scratch/back.jsonl" | sed -n 3p)" '[9,1,0]'
    expect 0 soma -o json upsert trip "$scratch/back.jsonl"
    is "$(jq -c '[.inserted, .updated, .unchanged]' "$scratch/out")" '[0,0,3]'
    soma collection rm -q trip >"$scratch/out"
}

test_insert_refuses_ids_that_exist_and_update_those_that_do_not() {
    fresh pair
    three_records | head -n 1 | soma upsert -q pair -
    three_records >"$scratch/records.jsonl"
    expect 1 soma -o jsonl insert pair "$scratch/records.jsonl"
    is "$(jq -c '[.inserted, .failed]' "$scratch/out")" '[2,1]'
    is "$(jq -r .reason "$scratch/err")" RECORD_EXISTS
    is "$(jq -r .error "$scratch/err" | sed 's/.*records.jsonl/records.jsonl/')" "records.jsonl:1: cannot insert record a"
    printf '{"id": "a", "metadata": {"lang": null, "seen": true}}\n{"id": "z", "document": "no"}\n' >"$scratch/update.jsonl"
    expect 1 soma update pair "$scratch/update.jsonl"
    err_has "update.jsonl:2: cannot update record z"
    is "$(soma -o json get pair a | jq -cS '.[0].metadata')" '{"seen":true,"tags":["x","y"],"year":2020}'
    is "$(soma -o json get pair a | jq -r '.[0].document')" first
    soma collection rm -q pair >"$scratch/out"
}

test_ids_that_are_left_out_come_from_the_content() {
    fresh nameless
    printf '{"embedding": [1, 2, 3]}\n{"embedding": [3, 2, 1]}\n' >"$scratch/nameless.jsonl"
    soma upsert -q nameless "$scratch/nameless.jsonl"
    expect 0 soma -o json upsert nameless "$scratch/nameless.jsonl"
    is "$(jq .unchanged "$scratch/out")" 2
    soma collection rm -q nameless >"$scratch/out"
}

test_many_records_go_in_pieces() {
    fresh many
    python3 -c '
for i in range(5000):
    print("{\"id\": \"r%05d\", \"embedding\": [%d, 1, %d], \"metadata\": {\"n\": %d}}" % (i, i, i % 7, i))' >"$scratch/many.jsonl"
    expect 0 soma -o json upsert many "$scratch/many.jsonl"
    is "$(jq .inserted "$scratch/out")" 5000
    is "$(soma count many --where '{"n": {"$lt": 100}}')" 100
    is "$(soma scan many -q | wc -l)" 5000
    is "$(soma scan many -q --limit 7 | tail -n 1)" r00006
    expect 0 soma -o json delete many --where '{"n": {"$gte": 4000}}' --dry-run
    is "$(jq -c '[.matched, .deleted]' "$scratch/out")" '[1000,0]'
    expect 0 soma delete many --where '{"n": {"$gte": 4000}}'
    is "$(soma count many)" 4000
    expect 0 soma collection clear many
    is "$(soma count many)" 0
    soma collection rm -q many >"$scratch/out"
}

test_query_takes_many_vectors_and_a_distance() {
    fresh near
    three_records | soma upsert -q near -
    printf '[1, 0, 0]\n[0, 1, 0]\n' >"$scratch/vectors"
    is "$(soma -o json query near --vectors "$scratch/vectors" -k 1 | jq -c '[.results[].hits[0].id]')" '["a","b"]'
    is "$(soma -o jsonl query near --vectors "$scratch/vectors" -k 1 | jq -c '[.query, .hits[0].id]' | tr '\n' ' ')" '[0,"a"] [1,"b"] '
    is "$(soma -q query near --vector '[1, 0, 0]' --max-distance 0.001)" a
    is "$(soma -o json query near --vector '[1, 0, 0]' -k 1 --include embedding | jq -c '.results[0].hits[0] | keys')" \
        '["distance","embedding","id","score"]'
    soma collection rm -q near >"$scratch/out"
}

test_query_takes_words_records_and_groups() {
    fresh words
    {
        three_records
        echo '{"id": "d", "embedding": [0, 0, 1], "document": "second thoughts", "metadata": {"lang": "en", "year": 1999}}'
    } | soma upsert -q words -
    is "$(soma -q query words --text 'second "OR' | sort | tr '\n' ' ')" "b d "
    is "$(soma -o json query words --text thoughts | jq -c '.results[0].hits[0] | [.id, .text_rank, .vector_rank, .distance]')" '["d",1,0,null]'
    is "$(soma -o json query words --text thoughts --vector '[1, 0, 0]' -k 2 | jq -c '[.results[0].hits[].id], .plan' | tr '\n' ' ')" \
        '["d","a"] "exact and text, fused" '
    is "$(soma -q query words --like a -k 1)" c
    is "$(soma -q query words --like a -k 1 --offset 1)" b
    is "$(soma -q query words --vector '[1, 0, 0]' --min-score 0.9 | tr '\n' ' ')" "a c "
    is "$(soma -o json query words --vector '[1, 0, 0]' --group-by lang | jq -c '[.results[0].hits[] | [.id, .group.lang]]')" '[["a","en"],["b","de"]]'
    expect 0 soma -o json query words --vector '[1, 0, 0]' --where '{"lang": "en"}' --explain
    is "$(jq -c '.explain | [.records, .matches, .estimated_matches, .filter_source, .rounds]' "$scratch/out")" '[4,3,3,"bitmaps",1]'
    expect 0 soma query words --vector '[1, 0, 0]' --max-distance 0.0001 --explain
    out_has "--max-distance left out others"
    expect 0 soma query words --vector '[1, 0, 0]' --where '{"lang": "en"}' --explain
    out_has "fewer        all that match are here"
    out_has "3 (estimated 3) by bitmaps"
    is "$(soma -q query words --vector '[1, 0, 0]' --where-document '{"$regex": "^s"}' | tr '\n' ' ')" "b d "
    is "$(soma count words --where-document '{"$contains": "second"}' --where '{"lang": "en"}')" 1
    is "$(soma -o json facet words lang | jq -c '[.matched, .without, (.counts[] | [.value, .count])]')" '[4,0,["en",3],["de",1]]'
    is "$(soma -q scan words --order-by year --descending | tr '\n' ' ')" "c b a d "
    is "$(soma -q scan words --order-by year --where '{"lang": "en"}' | tr '\n' ' ')" "d a c "
    expect 2 soma query words
    err_has "there is nothing to look for"
    expect 2 soma query words --vector '[1, 0, 0]' --text a --text b
    expect 2 soma query words --like a --vector '[1, 0, 0]'
    expect 3 soma query words --like nobody
    expect 2 soma query words --text a --where-document '{"$regex": "("}'
    err_has "where_document"
    expect 2 soma query words --text a --fusion-k 0.5
    expect 2 soma query words --text a --group-by lang --group-size 1000
    soma collection rm -q words >"$scratch/out"
}

test_get_says_what_is_missing() {
    fresh some
    three_records | soma upsert -q some -
    expect 3 soma get some a nobody
    out_has first
    err_has "cannot get record nobody"
    expect 0 soma delete some a nobody
    out_is "deleted 1 records, 1 ids named none"
    soma collection rm -q some >"$scratch/out"
}

test_collections_are_listed_shown_and_edited() {
    expect 0 soma collection create one --dim 8 --metric l2 --metadata '{"model": "m", "n": 1}'
    expect 6 soma collection create one --dim 8 --metric l2
    err_has "hint: 'soma collection show NAME'"
    expect 0 soma collection create one --dim 8 --metric l2 --exist-ok
    expect 6 soma collection create one --dim 9 --metric l2 --exist-ok
    expect 0 soma collection edit one --name two --metadata '{"n": null, "k": [1, 2]}'
    is "$(soma -o json collection show two | jq -cS '[.metadata, .metric, .dimension]')" '[{"k":[1,2],"model":"m"},"l2",8]'
    is "$(soma collection ls -q)" two
    is "$(soma -o json collection ls | jq -r '.[].name')" two
    expect 0 soma collection rm two
    is "$(soma -o json collection ls)" "[]"
    expect 3 soma collection show two
}

test_an_alias_is_another_name_that_turns_in_one_step() {
    fresh first
    fresh second
    three_records | head -n 1 | soma upsert -q first -
    expect 0 soma -o json collection alias first now
    is "$(jq -c .aliases "$scratch/out")" '["now"]'
    is "$(soma count now)" 1
    is "$(soma -q query now --vector '[1, 0, 0]')" a
    three_records | soma upsert -q now -
    is "$(soma count first)" 3
    expect 0 soma collection alias second now
    is "$(soma count now)" 0
    is "$(soma -o json collection show first | jq -c .aliases)" '[]'
    expect 6 soma collection create now --dim 3
    err_has "alias"
    expect 6 soma collection alias first second
    expect 3 soma collection alias nowhere now
    expect 2 soma collection alias first '.now'
    expect 6 soma collection edit first --name now
    soma collection rm -q second >"$scratch/out"
    expect 3 soma count now
    expect 3 soma collection unalias now
    expect 0 soma collection alias first now
    expect 0 soma collection unalias now
    expect 3 soma count now
    soma collection rm -q first >"$scratch/out"
}

test_a_clone_has_the_records_and_a_life_of_its_own() {
    fresh whole
    three_records | soma upsert -q whole -
    expect 0 soma -o json collection clone whole copy
    is "$(jq -c '[.name, .record_count, .aliases]' "$scratch/out")" '["copy",3,[]]'
    cmp <(soma export whole) <(soma export copy) || fail "the copy differs"
    is "$(soma -q query copy --text second)" b
    three_records | soma -o json upsert copy - >"$scratch/out"
    is "$(jq .unchanged "$scratch/out")" 3
    soma delete -q copy b
    is "$(soma count whole)" 3
    is "$(soma -q query whole --text second)" b
    is "$(soma -q query copy --text second | wc -l)" 0
    is "$(soma -q query copy --vector '[0, 1, 0]' -k 1 --where '{"lang": "de"}' | wc -l)" 0
    expect 6 soma collection clone whole copy
    expect 3 soma collection clone nowhere copy2
    soma collection rm -q copy whole >"$scratch/out"
}

test_a_check_says_what_agrees_and_what_does_not() {
    fresh checked
    three_records | soma upsert -q checked -
    expect 0 soma collection check checked
    out_has "recall@10    1.0000 of 3 rows"
    expect 0 soma -o json collection check checked --sample 2
    is "$(jq -c '[.agrees, .records, .rows, .rows_indexed, .sampled, .recall == 1, .findings]' "$scratch/out")" '[true,3,3,0,2,true,[]]'
    sqlite3 "$scratch/data/soma.db" "UPDATE document SET text = 'other' WHERE text LIKE '%second%'"
    expect 1 soma collection check checked
    out_has "CONTENT_DAMAGED"
    expect 1 soma -o json collection check checked
    is "$(jq -c '[.agrees, (.findings[] | [.kind, .count, .ids])]' "$scratch/out")" '[false,["CONTENT_DAMAGED",1,["b"]]]'
    expect 2 soma collection check checked --sample 1001
    expect 3 soma collection check nowhere
    soma collection rm -q checked >"$scratch/out"
}

test_a_collection_that_fits_into_no_memory_is_said_so() {
    soma collection create -q wide --dim 4096
    python3 -c '
for i in range(100):
    print("{\"id\": \"r%d\", \"embedding\": [1%s]}" % (i, ", 0" * 4095))' | soma upsert -q wide -
    stop_server TERM
    SOMA_MEMORY_BUDGET=1M start_server
    expect 7 soma query wide --vectors <(printf '[1%s]' "$(printf ', 0%.0s' {1..4095})")
    err_has "the collection needs 1651648 bytes of memory, and all collections together may take 1048576"
    err_has "give the server more memory"
    expect 0 soma -o json get wide r7 --include metadata
    expect 3 soma query nowhere --vector '[1]'
    err_has "no collection 'nowhere'"
    stop_server TERM
    start_server
    expect 0 soma query wide --vectors <(printf '[1%s]' "$(printf ', 0%.0s' {1..4095})")
    soma collection rm -q wide >"$scratch/out"
}

test_a_wrong_line_is_named_and_nothing_of_its_piece_is_written() {
    fresh bad
    { three_records && echo '{"id": "d", "embedding": [1, 2]}'; } >"$scratch/bad.jsonl"
    expect 2 soma upsert bad "$scratch/bad.jsonl"
    err_has "bad.jsonl:4: embedding: has 2 numbers"
    is "$(soma count bad)" 0
    echo '{"id": "d", "embedding": [1, 2, NaN]}' >"$scratch/bad.jsonl"
    expect 2 soma upsert bad "$scratch/bad.jsonl"
    err_has "bad.jsonl:1: character"
    echo '{"id": "d", "embedding": [0, 0, 0]}' >"$scratch/bad.jsonl"
    expect 2 soma upsert bad "$scratch/bad.jsonl"
    err_has "bad.jsonl:1: cannot upsert: embedding"
    printf '{"id": "%600s", "embedding": [1, 0, 0]}\n' x >"$scratch/bad.jsonl"
    expect 2 soma upsert bad "$scratch/bad.jsonl"
    err_has "bad.jsonl:1: cannot upsert: id"
    printf '{"id": "\377", "embedding": [1, 0, 0]}\n' >"$scratch/bad.jsonl"
    expect 2 soma upsert bad "$scratch/bad.jsonl"
    expect 1 soma upsert bad "$scratch/nowhere.jsonl"
    is "$(soma count bad)" 0
    soma collection rm -q bad >"$scratch/out"
}

test_wrong_values_are_named() {
    fresh wrong
    expect 2 soma collection create x
    expect 2 soma collection create x --dim 0
    expect 2 soma collection create x --dim 5000
    err_has dimension
    expect 2 soma collection create x --dim 3 --metric manhattan
    expect 2 soma collection create '.x' --dim 3
    err_has name
    expect 2 soma query wrong --vector '[1, 2]'
    err_has "hint: 'soma collection show NAME'"
    expect 2 soma query wrong --vector '[1, 2, '
    expect 2 soma query wrong --vector '[0, 0, 0]'
    expect 2 soma query wrong --vector '[1, 2, 3]' -k 0
    expect 2 soma query wrong --vector '[1, 2, 3]' --where '{"a": {"$near": 1}}'
    err_has "hint: 'soma help filters'"
    expect 2 soma query wrong --vector '[1, 2, 3]' --include everything
    expect 2 soma count wrong --where '{'
    expect 2 soma delete wrong
    expect 2 soma delete wrong a --where '{}'
    expect 3 soma count nowhere
    expect 3 soma upsert nowhere -
    expect 3 soma query nowhere --vector '[1]'
    soma collection rm -q wrong >"$scratch/out"
}

run_tests
