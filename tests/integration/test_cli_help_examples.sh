#!/usr/bin/env bash
# Every example of the help is typed as it stands, at a server and among files that have what it names.
# harness.sh assigns; $ in single quotes is for the shell that an example is typed into.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1
home=$scratch/home
mkdir "$home"
export HOME=$home XDG_CONFIG_HOME=$home/config PATH="$build/bin:$PATH"

# Other people's programs, and what a context or a running job would give.
cat >"$scratch/shell" <<'SHELL'
zstd() { cat "${@:2}"; }
embed() { cat records.jsonl; }
pass() { soma token create -q --scope read "shown$RANDOM"; }
SHELL

# A folder with every file that an example reads.
make_files() {
    echo 'print("trained")' | tee train.py >job.py
    printf 'all:\n\techo made\n' >src/Makefile
    echo 'true' | tee sync.sh >report.sh
    printf '{"id": "a1", "embedding": [0.1, 0.2], "document": "durable jobs", "metadata": {"lang": "en", "year": 1999, "author": "x", "tags": ["t"]}}\n' |
        tee records.jsonl | gzip >records.jsonl.gz
    touch '1.md'
    /usr/bin/python3 -c 'import numpy; numpy.save("vectors.npy", numpy.ones((1, 2), "f4")); numpy.save("queries.npy", numpy.ones((1, 2), "f4"))'
    echo a2 >names.txt
    soma token create -q --scope read shown >prod.token
    chmod 600 prod.token
    soma collection create docs --dim 2 >/dev/null
    soma collection snapshot docs docs.snapshot 2>/dev/null && cp docs.snapshot docs.snapshot.zst
    soma queue resume batch >/dev/null
    soma token create --scope read ci >/dev/null
    soma --namespace team-a token create --scope read laptop >/dev/null
}

# The collection that examples speak of, as it was before the last one.
make_docs() {
    soma -q collection rm docs docs-copy docs-2024 documents >/dev/null 2>&1
    soma collection create docs --dim 2 >/dev/null
    soma collection create docs-2024 --dim 2 >/dev/null
    cat records.jsonl - <<<'{"id": "a2", "embedding": [1, 1]}' | soma upsert docs - >/dev/null
    rm -f docs.jsonl names.txt.* vectors.npy.*
}

# $id is a job that has ended, with an artifact.
finished_job() {
    id=$(soma submit -q -A 'out/*' --language sh -c 'mkdir out; echo p >out/plot.png; echo said')
    soma wait "$id"
}
running_job() { id=$(soma submit -q -c 'import time; time.sleep(600)') && until_true state_is "$id" running; }

# What an example needs beyond the scene.
prepare() {
    case $1 in
    *'collection create docs '* | *'restore docs '* | *'alias docs-2024 docs') soma collection rm docs >/dev/null ;;
    *'unalias docs') soma collection rm docs >/dev/null && soma collection alias docs-2024 docs >/dev/null ;;
    *'insert docs'*) soma delete docs a1 a2 >/dev/null ;;
    *' ci)') soma token revoke ci >/dev/null ;;
    *'context add'*) rm -rf "$XDG_CONFIG_HOME" ;;
    *prod*) soma context add prod --replace --server "$SOMA_SERVER" >/dev/null ;;
    *'progress --job'* | *'cancel'*) running_job ;;
    esac
}

# type_example TEXT: into a bash; some go on until Ctrl-C.
type_example() {
    local limit=60
    [[ $1 == *' watch'* ]] && limit=2
    (SOMA_PROGRESS=/dev/null timeout -s INT "$limit" bash -c ". '$scratch/shell'; set -o pipefail; id=$id; $1") \
        >"$scratch/out" 2>"$scratch/err" </dev/null
}

# How an example may end that does not end with 0 here.
wanted_status() {
    case $1 in
    *' watch'*) echo 130 124 ;;
    *' top'*) echo 2 ;; # no terminal
    *tcp://127.0.0.1:7766' ping'*) echo 5 ;;
    *) echo 0 ;;
    esac
}

examples_of() {
    # shellcheck disable=SC2086
    soma help $1 | sed -n '/^Examples$/,/^$/{/^  /s/^  //p}'
}

test_every_example_is_taken() {
    local command example count=0 status reference=$PWD/../../docs/CLI.md id=
    mkdir "$home/data" "$home/src" && cd "$home" && make_files
    while read -r command; do
        while IFS= read -r example; do
            [[ $example != *docs* ]] || make_docs
            [[ $example != *'$id'* ]] || finished_job
            prepare "$example"
            type_example "$example"
            status=$?
            [[ " $(wanted_status "$example") " == *" $status "* ]] || fail "exit status $status: $example
$(head -c 400 "$scratch/err")"
            count=$((count + 1))
        done < <(examples_of "$command")
    done < <(sed -n 's/^### soma //p' "$reference")
    [ "$count" -gt 90 ] || fail "only $count examples were found"
    echo "# $count examples"
}

run_tests
