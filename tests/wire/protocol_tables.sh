#!/usr/bin/env bash
# Holds the tables of a document (docs/PROTOCOL.md, docs/METRICS.md) to the code: protocol_tables.sh PRINT_TABLES DOCUMENT [--write]
set -eu
print_tables=$1
document=$2

section() { # what stands between the marks of table $1
    sed -n "/<!-- $1: begin -->/,/<!-- $1: end -->/p" "$document" | sed '1d;$d'
}

write() {
    sed -i "/<!-- $1: begin -->/,/<!-- $1: end -->/{/<!-- $1: begin -->/{p;r /dev/stdin
};/<!-- $1: end -->/p;d}" "$document" < <("$print_tables" "$1")
}

tables=$(sed -n 's/^<!-- \([a-z]*\): begin -->$/\1/p' "$document")
[ -n "$tables" ]
for table in $tables; do
    if [ "${3:-}" = --write ]; then write "$table"; fi
    if ! diff <("$print_tables" "$table") <(section "$table"); then
        echo "table '$table' of $document is not what the code says; $0 ... --write mends it" >&2
        exit 1
    fi
done
