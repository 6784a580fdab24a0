#!/usr/bin/env bash
# The library's manual pages: one for each function that leaves libsoma, without a warning of groff's; what stands in SYNOPSIS agrees
# with the headers, what stands in EXAMPLES and in libsoma(3) compiles.
#
#   man_pages.sh FOLDER CC
set -euo pipefail
folder=$1 cc=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
    echo "man_pages: $1" >&2
    exit 1
}
compile() { "$cc" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$source/client/include" -I"$source/common/include" -fsyntax-only "$@"; }

while read -r function; do
    [ -s "$folder/$function.3.gz" ] || fail "$function has no page"
done <"$source/tests/wire/symbols.txt"

# section PAGE NAME: its lines, as roff has them.
section() { zcat "$1" | awk -v name="$2" '/^\.SH / { inside = $0 == ".SH " name; next } inside'; }
plain() { sed -e '/^\.[A-Za-z]/d' -e 's/^\\&//' -e 's/\\-/-/g' -e 's/\\e/\\/g'; }

pages=0
for page in "$folder"/*.3.gz; do
    [ ! -L "$page" ] || continue
    pages=$((pages + 1))
    zcat "$page" | groff -K utf8 -man -Tutf8 -ww >/dev/null 2>"$scratch/warnings"
    [ ! -s "$scratch/warnings" ] || fail "$page: $(cat "$scratch/warnings")"
    section "$page" SYNOPSIS | plain >"$scratch/synopsis.c"
    grep -q '^#include <soma/soma.h>$' "$scratch/synopsis.c" || fail "$page has no synopsis"
    compile "$scratch/synopsis.c" || fail "$page: the synopsis is not what the headers say"
    section "$page" EXAMPLES | plain >"$scratch/example.c"
    [ ! -s "$scratch/example.c" ] || compile "$scratch/example.c" || fail "$page: the example does not compile"
done
[ "$pages" -ge 9 ] || fail "$pages pages"

{
    printf '#include <soma/soma.h>\n#include <stdio.h>\n#include <string.h>\nint report(struct soma_error *err);\nint example(void)\n{\n'
    section "$folder/libsoma.3.gz" DESCRIPTION | awk '/^\.EX/ { inside = 1; next } /^\.EE/ { exit } inside' | plain
    printf 'return 0;\n}\n'
} >"$scratch/overview.c"
grep -q soma_client_open "$scratch/overview.c" || fail "libsoma(3) shows no example"
compile "$scratch/overview.c" || fail "the example of libsoma(3) does not compile"
