#!/bin/bash
# Installs into a scratch directory and builds a consumer against it in every way that is offered: CMake and pkg-config,
# shared and static; then runs each.
#
#   install.sh BUILD VERSION LIBDIR CC CFLAGS
set -euo pipefail
build=$1 version=$2 libdir=$3 cc=$4
read -ra flags <<<"$5"
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root

cmake --install "$build" --prefix "$root" >/dev/null

# Global symbols that are not ours have no business in either library.
strangers() {
    nm "$@" | awk 'NF == 3 && $2 ~ /[TDBRWV]/ && $3 !~ /^(soma_[a-z0-9][a-z0-9_]*(@@SOMA_1)?|SOMA_1)$/ { print $3; bad = 1 } END { exit bad }'
}
if [[ "$5" != *-fsanitize* && "$5" != *--coverage* ]]; then
    strangers -D --defined-only "$root/$libdir/libsoma.so"
    strangers -g --defined-only "$root/$libdir/libsoma.a"
fi

[ -s "$root/share/man/man3/soma_job_submit_async.3.gz" ] || { echo "install: no manual pages" >&2; exit 1; }

export PKG_CONFIG_PATH=$root/$libdir/pkgconfig
[ "$(pkg-config --modversion soma)" = "$version" ]
define="-DEXPECTED_VERSION=\"$version\""
read -ra shared < <(pkg-config --cflags --libs soma)
"$cc" "${flags[@]}" "$define" "$here/consumer.c" -o "$scratch/pc-shared" "${shared[@]}"
read -ra static < <(pkg-config --static --cflags --libs soma)
"$cc" "${flags[@]}" "$define" "$here/consumer.c" -o "$scratch/pc-static" "${static[@]/#-lsoma/-l:libsoma.a}"

cmake -S "$here/project" -B "$scratch/project" -DCMAKE_PREFIX_PATH="$root" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="$5 -DEXPECTED_VERSION='\"$version\"'" >/dev/null
cmake --build "$scratch/project" >/dev/null

export LD_LIBRARY_PATH=$root/$libdir
for program in pc-shared pc-static project/shared project/static; do
    "$scratch/$program" >/dev/null || { echo "install: $program fails" >&2; exit 1; }
done
ldd "$scratch/pc-shared" >"$scratch/shared.libraries"
ldd "$scratch/pc-static" >"$scratch/static.libraries"
grep -qF "$root/$libdir/libsoma.so.1" "$scratch/shared.libraries"
if grep -F libsoma "$scratch/static.libraries"; then exit 1; fi
