#!/usr/bin/env bash
# The command line itself: what it refuses before it asks a server, help, and how it speaks of the server.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

test_wrong_command_lines_exit_with_2_and_a_hint() {
    expect 2 soma
    expect 2 soma sumbit
    err_is "soma: unknown command 'sumbit'
hint: did you mean 'soma submit'?"
    # What is for shells alone is offered to nobody.
    expect 2 soma completion bash
    err_has "hint: 'soma help' lists all commands"
    expect 2 soma collection rename docs papers
    err_has "did you mean 'soma collection edit'?"
    # Whatever it offers is there.
    local words
    while read -r words; do
        # shellcheck disable=SC2086
        expect 0 soma help $words
    done < <(for words in ls kill status 'token rm' 'queue list' jobs top; do
        # shellcheck disable=SC2086
        soma $words 2>&1 | sed -n "s/.*did you mean 'soma \(.*\)'?/\1/p"
    done)
    expect 2 soma run --tiem-limit 5s -- true
    err_has "unknown option --tiem-limit"
    err_has "did you mean --time-limit?"
    expect 2 soma wait
    err_has "usage: soma wait ID…"
    expect 2 soma submit
    expect 2 soma submit --priority 5000 -- true
    expect 2 soma submit --time-limit soon -- true
    expect 2 soma submit --delay 1m --at 2031-01-01T00:00:00Z -- true
    expect 2 soma submit --env NOVALUE -- true
    expect 2 soma submit file-without-ending
    expect 2 soma logs --offset 5 x
    expect 2 soma -o xml ps
    expect 2 soma ps --state runing
    expect 2 soma ps --nonsense
    err_has "'soma help ps'"
    expect 2 soma token create --scope reed x
    err_has "read,submit,write-vectors,admin"
    expect 2 soma progress 101
    expect 2 soma progress 40
}

test_a_server_that_is_not_there_is_named() {
    expect 5 soma --server "ipc://$scratch/nobody.sock" ping
    err_has "hint: is somad running?"
    expect 125 soma --server "ipc://$scratch/nobody.sock" --timeout 3s run -- true
    expect 2 soma --server nonsense ping
    err_has "tcp://HOST:PORT"
}

test_output_that_cannot_be_written_is_a_failure() {
    soma help >/dev/full 2>"$scratch/err"
    is $? 1
    err_has "No space left"
}

test_help_comes_from_the_table_and_the_reference_is_up_to_date() {
    expect 0 soma help
    expect 0 soma help run
    is "$(sed -n 3p "$scratch/out")" "Examples"
    expect 0 soma collection create --help
    out_has "--metric NAME"
    expect 0 soma help exit-codes
    out_has " 125  "
    soma help reference | cmp - ../../docs/CLI.md || fail "docs/CLI.md is not what 'soma help reference' prints"
    expect 2 soma help rnu
}

# The overview, every group, command and topic of it, as help and as --help; the server's; but not the two that make documents.
test_help_fits_eighty_columns() {
    local words topics
    topics=$(soma help | sed -n '/^More:/,$p' | tail -n +2 | tr -d '|' | tr -s ' ' '\n' | grep -vE '^(reference|man)?$')
    [ "$(wc -w <<<"$topics")" -ge 5 ] || fail "few topics: $topics"
    while read -r words; do
        # shellcheck disable=SC2086
        expect 0 soma help $words
        is "$(LC_ALL=C.UTF-8 grep -E '^.{81}' "$scratch/out")" ""
    done < <(echo; soma complete -- '' | cut -f 1; sed -n 's/^### soma //p' ../../docs/CLI.md; echo "$topics")
    expect 0 soma collection create --help
    is "$(LC_ALL=C.UTF-8 grep -E '^.{81}' "$scratch/out")" ""
    expect 0 "$somad_program" --help
    is "$(LC_ALL=C.UTF-8 grep -E '^.{81}' "$scratch/out")" ""
}

# Nothing on stdout that a program could take for an answer: "[]" is one.
test_without_a_server_no_command_prints_json() {
    local words format
    while read -r words; do
        for format in json jsonl; do
            # shellcheck disable=SC2086
            soma --server "ipc://$scratch/nobody.sock" --timeout 1s -o "$format" $words >"$scratch/out" 2>"$scratch/err" </dev/null
            case $? in
            5 | 125) ;;
            *) fail "$words: $(cat "$scratch/err")" ;;
            esac
            out_is ""
            jq -e '.code == "UNAVAILABLE"' "$scratch/err" >/dev/null || fail "$words: $(cat "$scratch/err")"
        done
    done <<'WORDS'
ps
show a
show a b
watch
artifacts a
wait a b
cancel a b
retry a
rm a b
prune
queue ls
queue show a
token ls
collection ls
collection show a
facet docs lang
count docs
get docs a
scan docs
query docs --vector [1]
delete docs a
stats
info
ping
check
WORDS
}

test_ping_info_and_stats_answer() {
    expect 0 soma ping
    expect 0 soma -o json info
    is "$(jq -r '.limits.frame_bytes' "$scratch/out")" 8388608
    expect 0 soma info
    expect 0 soma -o json stats
    is "$(jq -r type "$scratch/out")" object
}

run_tests
