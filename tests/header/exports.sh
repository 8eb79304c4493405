#!/bin/sh
# The shared library exports every function that the public headers declare with MIEN_API, and nothing besides.
# usage: exports.sh COMPILER INCLUDE_DIR LIBRARY
folder=$(mktemp -d "${TMPDIR:-/tmp}/mien-test-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT

# Each declaration is one record up to its semicolon; the function is the word before the first bracket that is left.
for header in mien.h mien_bench.h; do
    sed '/^ *# *define  *MIEN_\(API\|MUST_USE\) /d' "$2/$header" >"$folder/$header"
done
"$1" -E -P -DMIEN_API=EXPORTED -DMIEN_MUST_USE= -x c "$folder/mien_bench.h" 2>/dev/null | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n 's/^.*EXPORTED\([^(]*\)(.*/\1/p' | sed 's/.*[ *]//' | sort -u >"$folder/declared"
nm -D --defined-only "$3" | awk '$2 ~ /[TDBRVW]/ { print $3 }' | sed 's/@.*//' | sort -u >"$folder/all"
grep -v '^_' "$folder/all" >"$folder/exported" # the linker's and the sanitizers' own begin with _

if ! grep -q '^mien_error$' "$folder/declared"; then
    echo "no declarations found in mien.h"
    exit 1
fi
missing=$(comm -23 "$folder/declared" "$folder/exported")
extra=$(comm -13 "$folder/declared" "$folder/exported")
[ -z "$missing" ] || echo "declared, but not exported:" $missing
[ -z "$extra" ] || echo "exported, but not declared:" $extra
echo "$(wc -l <"$folder/declared") functions"
[ -z "$missing$extra" ]
