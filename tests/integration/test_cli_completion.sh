#!/usr/bin/env bash
# What shells offer, and the manual page.
# harness.sh assigns; $ in single quotes is for the other shell.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
for shell in tmux zsh fish; do
    command -v "$shell" >/dev/null || { echo "$shell is missing" >&2; exit 1; }
done
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

test_a_name_puts_no_candidate_of_its_own_among_them() {
    local bad
    bad=$(soma submit -q --queue night --name $'x\nINJECTED;id\t\e]0;y\a' -- true)
    is "$(offered logs '')" "$bad $id "
    is "$(soma complete -- logs "$bad" | cut -f 2 | sed 's/^[a-z]* //')" 'x INJECTED;id ?]0;y?'
    soma wait "$bad"
    expect 0 soma rm "$bad"
}

test_without_a_server_it_is_silent_and_soon_done() {
    expect 0 timeout 10 "$soma_program" --server "ipc://$scratch/nobody" complete -- logs ''
    out_is ""
    err_is ""
}

# --- each shell, in a terminal, with the keys that people press

terminal() { tmux -S "$scratch/tmux.sock" "$@"; }
screen_has() { terminal capture-pane -p | grep -qF -- "$1"; }

# open_shell COMMAND LINE: starts it in a terminal and has it load the completion.
open_shell() {
    mkdir -p "$scratch/home"
    terminal -f /dev/null new-session -d -x 120 -y 24 -c "$PWD/../../client/package/completions" \
        "env HOME='$scratch/home' XDG_CONFIG_HOME='$scratch/home' PATH='$(dirname "$soma_program"):$PATH' LC_ALL=C.UTF-8 TERM=screen $1"
    terminal send-keys -l "$2; echo is ''ready" && terminal send-keys Enter
    until_true screen_has 'is ready'
}
close_shell() { terminal kill-server 2>/dev/null; }

# completes TYPED WHOLE: typed and Tab, the line comes to be WHOLE.
completes() {
    terminal send-keys C-u C-l
    terminal send-keys -l "$1" && terminal send-keys Tab
    until_true screen_has "$2"
}

# A command, a collection, a job's id, a queue's name.
offers_what_there_is() {
    completes 'soma collection sh' 'soma collection show'
    completes 'soma query do' 'soma query docs'
    completes "soma logs ${id:0:8}" "soma logs $id"
    completes 'soma queue pause n' 'soma queue pause night'
}

test_bash_asks_it() {
    open_shell "bash --norc --noprofile" '. ./soma.bash'
    offers_what_there_is
    close_shell
}

test_zsh_asks_it() {
    open_shell "zsh -f" 'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D'
    offers_what_there_is
    close_shell
}

test_fish_asks_it() {
    open_shell "fish --no-config" 'source ./soma.fish'
    offers_what_there_is
    close_shell
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
