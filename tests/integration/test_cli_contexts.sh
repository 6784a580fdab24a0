#!/usr/bin/env bash
# Named servers, what holds where several places say something, and what 'soma config show' says of it.
# shellcheck disable=SC1091,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

export XDG_CONFIG_HOME=$scratch/config
file=$scratch/config/soma/contexts
socket=$SOMA_SERVER
tcp=tcp://127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
SOMA_LISTEN="$socket;$tcp" "$somad_program" --data "$scratch/data" >>"$scratch/somad.log" 2>&1 &
somad_pid=$!
until_true soma --timeout 1s ping
secret=$(soma token create -q --scope read reader)

fresh() {
    rm -rf "$scratch/config"
    unset SOMA_SERVER SOMA_CONTEXT SOMA_TOKEN SOMA_NAMESPACE SOMA_TOKEN_FILE
}

# origin_of SETTING [OPTIONS]: "VALUE (ORIGIN)".
origin_of() {
    local name=$1
    shift
    soma "$@" -o json config show --origin | jq -r --arg name "$name" '.[$name] | "\(.value) (\(.origin))"'
}

test_a_context_names_a_server_and_is_used() {
    fresh
    expect 0 soma context add here --server "$socket" --use
    expect 0 soma context add other --server ipc:///nowhere/sock
    is "$(soma context ls -q | tr '\n' ' ')" "here other "
    soma context ls | grep -q '^\* *here ' || fail "$(soma context ls)"
    expect 0 soma ping
    expect 5 soma --context other --timeout 1s ping
    SOMA_CONTEXT=other expect 5 "$soma_program" --timeout 1s ping
    expect 0 soma context use other
    expect 5 soma --timeout 1s ping
    expect 0 soma --context here ping
    expect 0 soma context use --none
    is "$(origin_of context)" "none (default)"
}

test_the_file_is_the_users_alone_and_written_whole() {
    fresh
    umask 000
    expect 0 soma context add one --server "$socket" --namespace team-a
    is "$(stat -c %a "$file")" 600
    is "$(find "$scratch/config" -type f | wc -l)" 1
    umask 022
    is "$(grep -v '^#' "$file" | tr '\n' '|')" "|[one]|server = $socket|namespace = team-a|"
}

test_a_token_is_kept_and_never_shown() {
    fresh
    expect 4 soma --server "$tcp" ps
    echo "$secret" | soma context add reader --server "$tcp" --token-file - --use
    expect 0 soma ps
    expect 4 soma submit -c 'print(1)'
    soma context show reader | grep -q 'kept secret' || fail "$(soma context show reader)"
    [[ "$(soma context show reader) $(soma -o json context show) $(soma config show --origin) $(soma -o json context ls)" == *"$secret"* ]] && fail "the secret is shown"
    echo "$secret" >"$scratch/token"
    (cd "$scratch" && soma context add file --server "$tcp" --token-file token)
    is "$(soma -o json context show file | jq -r '."token-file"')" "$scratch/token"
    expect 0 soma --context file ps
    rm "$scratch/token"
    expect 2 soma --context file ps
    grep -q "cannot read a token from $scratch/token" "$scratch/err" || fail "$(cat "$scratch/err")"
}

test_an_option_wins_over_the_environment_and_that_over_the_context() {
    fresh
    soma context add base --server "$socket" --namespace of-context --use
    is "$(origin_of server)" "$socket (context base)"
    is "$(origin_of namespace)" "of-context (context base)"
    export SOMA_NAMESPACE=of-environment
    is "$(origin_of namespace)" "of-environment (environment, SOMA_NAMESPACE)"
    is "$(origin_of namespace --namespace of-option)" "of-option (option --namespace)"
    is "$(origin_of context)" "base (soma context use)"
    is "$(SOMA_CONTEXT=base origin_of context)" "base (environment, SOMA_CONTEXT)"
    is "$(origin_of timeout --timeout 5s)" "5s (option --timeout)"
}

test_no_token_goes_to_another_server_than_its_own() {
    fresh
    soma context add plain --server "$socket"
    echo "$secret" | soma context add secret --server "$tcp" --token-file - --namespace team-a --use
    is "$(origin_of token --server "$socket")" "none (default)"
    is "$(origin_of namespace --server "$socket")" "the token's, or default (default)"
    is "$(SOMA_SERVER=$socket origin_of token)" "none (default)"
    is "$(SOMA_SERVER=$socket SOMA_TOKEN=x origin_of token --context plain)" "none (default)"
    is "$(SOMA_SERVER=$tcp origin_of server --context plain)" "$socket (context plain)"
    is "$(origin_of token --context secret --server "$socket")" "none (default)"
    is "$(origin_of namespace --context secret --server "$socket")" "team-a (context secret)"
    is "$(origin_of token --context secret --server "$tcp")" "(kept secret) (context secret)"
    echo "$secret" >"$scratch/token"
    soma context add file --server "$socket" --token-file "$scratch/token"
    expect 4 soma --context file --server "$tcp" ps
    expect 0 soma --context file --server "$tcp" --token-file "$scratch/token" ps
}

# What is said of the environment is also what is sent.
test_a_named_context_sends_nothing_of_the_environment() {
    fresh
    soma context add bare --server "$tcp"
    soma context add here --server "$socket"
    SOMA_TOKEN=$secret expect 4 soma --context bare ps
    SOMA_SERVER=$tcp SOMA_TOKEN=$secret expect 0 soma ps
    SOMA_NAMESPACE='no namespace' expect 2 soma --server "$socket" ps
    SOMA_NAMESPACE='no namespace' expect 0 soma --context here ps
    SOMA_NAMESPACE='no namespace' expect 0 soma --context here --namespace team-a ps
}

test_what_cannot_be_is_refused() {
    fresh
    expect 2 soma context add noserver
    expect 2 soma context add 'bad name' --server "$socket"
    expect 2 soma context add long --server "ipc:///$(printf 'x%.0s' {1..200})"
    expect 2 soma context add odd --server 'ipc:///a ;b'
    expect 2 soma context add gone --server "$socket" --token-file "$scratch/no-such-file"
    [ ! -e "$file" ] || fail "something was written"
    expect 3 soma context use nobody
    expect 3 soma context show
    expect 3 soma --context nobody ps
    grep -q "there is no context 'nobody'" "$scratch/err" || fail "$(cat "$scratch/err")"
    soma context add twice --server "$socket"
    expect 6 soma context add twice --server "$tcp"
    expect 0 soma context add twice --server "$tcp" --replace
    is "$(soma -o json context show twice | jq -r .server)" "$tcp"
    expect 0 soma context rm twice
    expect 3 soma context rm twice
}

test_a_broken_file_is_said_with_its_line() {
    fresh
    mkdir -p "$scratch/config/soma"
    printf '[one]\nserver = x\nnonsense\n' >"$file"
    expect 1 soma ps
    grep -q "$file:3: no line of a context" "$scratch/err" || fail "$(cat "$scratch/err")"
    SOMA_SERVER=$socket expect 0 soma ping
}

test_shells_are_offered_contexts() {
    fresh
    soma context add alpha --server "$socket"
    soma context add beta --server "$tcp"
    is "$(soma complete -- context use b)" "beta"$'\t'"$tcp"
    is "$(soma complete -- ps --context a)" "alpha"$'\t'"$socket"
}

test_somad_says_what_holds_for_each_key_and_from_where() {
    printf 'workers = 3\nlog-level = debug\n' >"$scratch/somad.conf"
    SOMA_MAX_RUNNING=7 expect 0 "$somad_program" --data /x --listen ipc:///y --socket-mode 640 --config "$scratch/somad.conf" --print-config
    is "$(grep -B 1 -xE '(data|socket-mode|workers|log-level|max-running|slow-ms|#http) = .*' "$scratch/out" | grep -v '^--' | paste -d ' ' - - | sort | tr '\n' '|')" \
        "# $scratch/somad.conf log-level = debug|# $scratch/somad.conf workers = 3|# command line data = /x|# command line socket-mode = 0640|# default slow-ms = 1000|# environment max-running = 7|# not set #http = |"
    # What it prints means the same again.
    cp "$scratch/out" "$scratch/again.conf"
    expect 0 "$somad_program" --config "$scratch/again.conf" --print-config
    is "$(grep -v '^#' "$scratch/out")" "$(grep -v '^#' "$scratch/again.conf")"
}

at_exit() { export SOMA_SERVER=$socket; }
run_tests
