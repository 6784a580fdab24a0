#!/usr/bin/env bash
# What shells offer, and the manual page.
# harness.sh assigns; $ in single quotes is for the other shell.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

soma collection create docs --dim 2 >/dev/null
soma collection create words --dim 2 >/dev/null
id=$(soma submit -q --queue night -- true)
soma wait "$id"

# offered WORD…: the candidates for the last word, in one line.
offered() { soma complete -- "$@" | cut -f 1 | tr '\n' ' '; }

test_commands_are_offered_by_their_beginning() {
    is "$(offered que)" "queue query "
    is "$(offered collection c)" "create clear clone check "
    is "$(offered nothing '')" ""
    is "$(soma complete -- '' | cut -f 1 | sort | uniq -d)" ""
    expect 1 grep -q complete <(soma help)
}

test_operands_are_what_the_server_has() {
    is "$(offered query '')" "docs words "
    is "$(offered collection rm docs w)" "words "
    is "$(offered logs '')" "$id "
    is "$(offered cancel other "${id:0:5}")" "$id "
    is "$(offered queue pause '')" "night "
    is "$(offered ps --parent '')" "$id "
    # A record's id, or a file, is for somebody else to offer.
    is "$(offered get docs '')$(offered upsert docs '')" ""
}

test_options_are_offered_with_what_they_mean() {
    is "$(offered ps --st)" "--state "
    is "$(soma complete -- ps --quie | cut -f 2)" "print no more than needed: ids, and no progress"
}

test_without_a_server_it_is_silent_and_soon_done() {
    expect 0 timeout 10 "$soma_program" --server "ipc://$scratch/nobody" complete -- logs ''
    out_is ""
    err_is ""
}

test_bash_asks_it() {
    local words
    words=$(PATH="$build/bin:$PATH" bash -c '
        . ../../client/package/completions/soma.bash
        COMP_WORDS=(soma collection show d) COMP_CWORD=3
        _soma
        echo "${COMPREPLY[@]}"')
    is "$words" docs
}

test_the_manual_pages_have_every_command_and_no_mistake() {
    local name page
    soma help man >"$scratch/soma.1"
    for page in $(soma help man pages); do
        soma help man "$page" >"$scratch/soma-$page.1"
        grep -q "^soma.-$page(1)" "$scratch/soma.1" || fail "soma(1) does not name soma-$page(1)"
    done
    for name in $(soma complete -- '' | cut -f 1); do
        grep -q "^\.B soma $name" "$scratch/soma.1" || fail "$name is not in soma(1)"
        grep -q "^\.SS soma $name" "$scratch"/soma-*.1 || fail "$name is in no manual page"
    done
    for page in "$scratch"/soma*.1; do
        expect 0 groff -man -ww -z -K utf8 "$page"
        err_is ""
    done
    expect 2 soma help man nothing
}

run_tests
