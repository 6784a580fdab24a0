#!/usr/bin/env bash
# Holds the tables of docs/PROTOCOL.md to the code: protocol_tables.sh PRINT_TABLES DOCUMENT [--write]
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

for table in reasons limits; do
    if [ "${3:-}" = --write ]; then write "$table"; fi
    if ! diff <("$print_tables" "$table") <(section "$table"); then
        echo "table '$table' of $document is not what the code says; $0 ... --write mends it" >&2
        exit 1
    fi
done
