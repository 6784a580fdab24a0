#!/bin/bash
# Makes libsoma.a: one object that holds the library and all that is private to it (nng among it), in which only the
# symbols of soma/soma.h are global. So it neither meets nor gives away another nng in the same program.
#
#   archive.sh LD OBJCOPY AR OUTPUT INPUT…     INPUT: objects, and archives of which what is needed is taken
set -eu
ld=$1 objcopy=$2 ar=$3 output=$4
shift 4
"$ld" -r -o "$output.o" --start-group "$@" --end-group
"$objcopy" --localize-hidden "$output.o"
rm -f "$output"
"$ar" rcsD "$output" "$output.o"
rm -f "$output.o"
