#!/usr/bin/env bash
# libsoma's binary interface against the one that is committed: symbols.txt says which functions leave the library, abi.xml (of
# libabigail) what they take and give. Programs in the field are compiled against it.
#
#   abi.sh BUILD             compares; shows what has changed
#   abi.sh BUILD --write     takes the new one. What is added at the end of a struct that begins with struct_size, and a new
#                            function, is for everybody; whatever else abidiff calls changed wants a new SOMA_SOVERSION once
#                            the old one was released.
set -euo pipefail
library=$(realpath "$1")/client/lib/libsoma.so
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@@.*/, "", $3); print $3 }' | sort >"$scratch/symbols"
describe() {
    abidw --headers-dir ../../client/include/soma --headers-dir ../../common/include/soma --drop-private-types \
        --exported-interfaces-only --drop-undefined-syms --no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed \
        --no-write-default-sizes --type-id-style hash "$library"
}
if [ "${2:-}" = --write ]; then
    cp "$scratch/symbols" symbols.txt
    describe >abi.xml
    exit
fi
diff -u symbols.txt "$scratch/symbols" || { echo "abi: other functions leave libsoma than tests/wire/symbols.txt says" >&2; exit 1; }
readelf -d "$library" | grep -qF 'soname: [libsoma.so.1]' || { echo "abi: another soname" >&2; exit 1; }
# The description is of one architecture.
[ "$(uname -m)" = x86_64 ] || exit 0
describe >"$scratch/abi.xml"
abidiff --no-show-locs abi.xml "$scratch/abi.xml" >"$scratch/report" || { cat "$scratch/report" >&2
    echo "abi: see 'tests/wire/abi.sh BUILD --write'" >&2; exit 1; }
