#!/usr/bin/env bash
# Does what the last stage of the Dockerfile says, in the folder ROOT with the packages of MADE, and uses what comes of it.
#
#   container.sh DOCKERFILE MADE ROOT
set -euo pipefail
dockerfile=$1 made=$2 root=$3
log=$made/container.log
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true' EXIT
fail() {
    echo "container: $1" >&2
    cat "$log" >&2 2>/dev/null || true
    exit 1
}
variables=()
inside() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" "$@"; }

user=root entry=()
copy_packages() {
    local last=${!#} pattern
    mkdir -p "$root$last"
    for pattern in "${@:2:$#-2}"; do
        # shellcheck disable=SC2086
        cp "$made"/${pattern##*/} "$root$last" || fail "COPY $pattern: no such package"
    done
}

while read -r word rest; do
    case $word in
    FROM | VOLUME | '#'* | '') ;;
    COPY)
        read -ra words <<<"$rest"
        [ "${words[0]}" = --from=build ] || fail "COPY of something else: $rest"
        copy_packages "${words[@]}"
        ;;
    RUN) inside env DEBIAN_FRONTEND=noninteractive sh -ec "$rest" >"$log" 2>&1 || fail "RUN $rest" ;;
    ENV)
        read -ra words <<<"$rest"
        variables+=("${words[@]}")
        ;;
    USER) user=$rest ;;
    ENTRYPOINT) mapfile -t entry < <(jq -r '.[]' <<<"$rest") ;;
    *) fail "the test knows no $word" ;;
    esac
done < <(tac "$dockerfile" | sed '/^FROM/q' | tac)

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() {
    chroot --userspec "$user:$user" "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" PORT="$port" "${entry[@]}" "$@" >>"$log" 2>&1 &
    server=$!
    for _ in $(seq 400); do
        [ "$(python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:$port/readyz').read().decode())" 2>/dev/null)" != ready ] || return 0
        sleep 0.05
    done
    fail "it is not ready on \$PORT"
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "the server's end is no good one"
    server=
}
start
id=$(inside soma submit -q -c 'print(6 * 7)')
inside soma wait "$id" || fail "a job fails"
stop
start --max-running 3
[ "$(inside soma logs "$id")" = 42 ] || fail "the output is lost"
grep -q 'max-running' <(tr '\0' ' ' <"/proc/$server/cmdline") || fail "the flag does not arrive"
stop
inside dpkg --purge soma-server soma-client >"$log" 2>&1 || fail "dpkg --purge fails"
echo "container: built, ready on \$PORT, used, stopped and started again"
