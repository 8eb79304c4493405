#!/bin/sh
# Each public header compiles with nothing before it, twice in one file, without a warning.
# usage: compiles_alone.sh LANGUAGE STANDARD INCLUDE_DIR [COMPILER]     exit 77: no compiler for the language
language=$1 standard=$2 include=$3 compiler=$4
if [ -z "$compiler" ] || ! command -v "$compiler" >/dev/null; then
    echo "skipped: no compiler for $language"
    exit 77
fi
for header in mien.h mien_bench.h; do
    printf '#include "%s"\n#include "%s"\nint main(void) { return MIEN_OK; }\n' $header $header |
        "$compiler" -x "$language" "-std=$standard" -pedantic -Wall -Wextra -Werror "-I$include" -fsyntax-only - || exit 1
done
