# For tests of the real programs, sourced: a server on a scratch directory, and how tests speak.
#
# A test is a function whose name is a sentence that begins with test_; run_tests runs all of them, each against the same server.
# shellcheck shell=bash
set -uo pipefail

# A test may be run as an ordinary user too, who need not be able to read where it stands.
if [ "${1:-}" = --as-user ] && [ "$(id -u)" = 0 ]; then
    stage=$(mktemp -d /tmp/soma-stage.XXXXXX)
    mkdir "$stage/bin"
    cp "$(basename "$0")" harness.sh "$stage"
    cp "$SOMA_BUILD"/bin/* "$stage/bin"
    chmod -R a+rX "$stage"
    setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent SOMA_BUILD="$stage" bash "$stage/$(basename "$0")"
    status=$?
    rm -rf "$stage"
    exit "$status"
fi

build=${SOMA_BUILD:?the build directory}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/soma-test.XXXXXX")
# A server of root runs jobs as another user, who has to get to their directories.
chmod 711 "$scratch"
somad_pid=
failures=0

soma_program=$build/bin/soma
somad_program=$build/bin/somad
export SOMA_SERVER="ipc://$scratch/somad.sock"
unset SOMA_TOKEN NO_COLOR

soma() { "$soma_program" "$@"; }

start_server() {
    "$somad_program" --data "$scratch/data" --listen "$SOMA_SERVER" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true soma --timeout 1s ping
}

# stop_server SIGNAL: gives the server's exit status.
stop_server() {
    local status
    kill "-$1" "$somad_pid"
    wait "$somad_pid" 2>/dev/null
    status=$?
    somad_pid=
    return "$status"
}

# start_server_for_calling_jobs: one whose jobs reach it. Where this machine has no namespaces, a sandbox leaves them no socket.
start_server_for_calling_jobs() {
    start_server || return 1
    if ! soma -o json info | jq -e '.enforcement[] | select(.name == "namespaces").enforced' >/dev/null; then
        echo "# no namespaces here: jobs that call the server are without a sandbox"
        stop_server TERM
        export SOMA_SANDBOX=off
        start_server
    fi
}

# For what a test itself has to end.
at_exit() { :; }

clean_up() {
    local status=$?
    trap - EXIT
    at_exit
    if [ -n "$somad_pid" ]; then
        soma ps -q --all --state queued,running 2>/dev/null | xargs -r "$soma_program" cancel --force >/dev/null 2>&1
        kill -TERM "$somad_pid" 2>/dev/null
        wait "$somad_pid" 2>/dev/null
    fi
    if [ "$status" -ne 0 ] && [ -s "$scratch/somad.log" ]; then
        echo "# the server's last words:" && tail -n 20 "$scratch/somad.log"
    fi
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT

# until_true COMMAND…: waits until it succeeds, 20 s at most.
until_true() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 400 ]; then
            fail "waited in vain for: $*"
            return 1
        fi
        sleep 0.05
    done
}

fail() {
    printf '    %s: %s\n' "${FUNCNAME[1]}" "$1" >&2
    failed=1
}

# expect STATUS COMMAND…: runs it, with its output in $scratch/out and $scratch/err.
expect() {
    local wanted=$1 status
    shift
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
    [ "$status" -eq "$wanted" ] ||
        fail "exit status $status, not $wanted: $*
$(head -c 600 "$scratch/out")
$(head -c 600 "$scratch/err")"
}

out_is() { [ "$(cat "$scratch/out")" = "$1" ] || fail "stdout is '$(head -c 300 "$scratch/out")', not '$1'"; }
err_is() { [ "$(cat "$scratch/err")" = "$1" ] || fail "stderr is '$(head -c 300 "$scratch/err")', not '$1'"; }
out_has() { grep -qF -- "$1" "$scratch/out" || fail "stdout has no '$1' in '$(head -c 300 "$scratch/out")'"; }
err_has() { grep -qF -- "$1" "$scratch/err" || fail "stderr has no '$1' in '$(head -c 300 "$scratch/err")'"; }
is() { [ "$1" = "$2" ] || fail "'$1' is not '$2'"; }

# state_of ID: the job's state.
state_of() { soma -o json show "$1" | jq -r .state; }
state_is() { [ "$(state_of "$1")" = "$2" ]; }

run_tests() {
    local name
    for name in $(compgen -A function test_); do
        failed=0
        "$name"
        if [ "$failed" -eq 0 ]; then
            echo "ok   ${name#test_}"
        else
            echo "FAIL ${name#test_}"
            failures=$((failures + 1))
        fi
    done
    [ "$failures" -eq 0 ]
}
