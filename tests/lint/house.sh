#!/usr/bin/env bash
# The house rules of docs/ARCHITECTURE.md that a script can hold: who may include whom, sizes, names of machines.
set -u
cd "$(dirname "$0")/../.." || exit 1
failures=0

fail() {
    printf 'house: %s\n' "$1" >&2
    failures=$((failures + 1))
}

files() { git ls-files -co --exclude-standard "$@"; }

# only_in WHAT PATTERN ALLOWED FOLDER…: includes that match PATTERN stand only in files whose path matches ALLOWED.
only_in() {
    local what=$1 pattern=$2 allowed=$3 hit
    shift 3
    while IFS= read -r hit; do
        [[ ${hit%%:*} =~ $allowed ]] || fail "$what does not belong here: $hit"
    done < <(files "$@" | grep '\.[ch]$' | xargs -r grep -nE "^ *# *include +[<\"]$pattern")
}

only_in "nng" 'nng/' '^(server/rpc/(listener|connections|http)\.c|client/lib/connection\.c|common/tls/tls\.c)$' common server client
only_in "sqlite3" 'sqlite3' '^server/store/' common server client
only_in "generated protobuf" 'soma/v1/' '^(server/(rpc|services)/|client/lib/|common/wire/)' common server client
only_in "the server" '(measures|rpc|services|access|jobs|vectors|store|upkeep|inspection|runner|config|somad)/' '^server/' common client
only_in "the client" '(lib|cli|soma/(soma|client|collections|jobs|records|server)\.h)' '^client/' common server
only_in "anything but soma.h and its own" '(base|wire|lib)/' '^(common|server|client/lib)/' common server client
only_in "a part of soma.h" 'soma/(client|collections|jobs|queues|records|server|tokens)\.h' '^client/include/soma/' client
only_in "a path upwards" '\.\./' '^$' common server client tests
# Inside the server: services -> domain -> store; nothing looks up.
only_in "a service" 'services/' '^server/(services|somad)/' server
only_in "the listener's room" 'rpc/' '^server/(rpc|services|somad)/' server
only_in "a domain" '(access|jobs|vectors)/' '^server/(access|jobs|vectors|services|store|upkeep|inspection|somad)/' server
only_in "an operator's work" 'upkeep/' '^server/(upkeep|somad)/' server
only_in "what an inspection is" 'inspection/' '^server/(inspection|services|upkeep)/' server

while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 500 ] || fail "$file has $lines lines, more than 500"
    awk -v file="$file" '
        /^\{/ { start = FNR }
        /^\}/ { if (start && FNR - start > 60) { printf "house: %s:%d: a function of %d lines, more than 60\n", file, start, FNR - start; bad = 1 } start = 0 }
        length > 0 && /(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)/ { printf "house: %s:%d: unfinished\n", file, FNR; bad = 1 }
        END { exit bad }' "$file" >&2 || failures=$((failures + 1))
done < <(files '*.c' '*.h')

if [ "$failures" -gt 0 ]; then
    echo "house: $failures rules broken" >&2
    exit 1
fi
