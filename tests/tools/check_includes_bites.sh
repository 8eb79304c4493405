#!/bin/sh
# The include checker passes a tree that obeys and fails one that does not, with the place and the reason.
# usage: check_includes_bites.sh CHECKER
checker=$1
tree=$(mktemp -d "${TMPDIR:-/tmp}/mien-test-XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
failures=0

# put FILE LINE...: a source with these lines
put() {
    file=$tree/$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$@" >"$file"
}

# refused FILE LINE MESSAGE: with this one line in FILE the checker fails and says exactly that
refused() {
    put "$1" '/* a comment */' "$2"
    answer=$("$checker" "$tree")
    if [ $? -eq 0 ] || [ "$answer" != "$1:2: $3" ]; then
        echo "$1 with $2: '$answer' (wanted '$1:2: $3')"
        failures=$((failures + 1))
    fi
    rm "$tree/$1"
}

put src/base/mem.c '#include "base/mem.h"' '#include "mien.h"' '#include <stdio.h>'
put src/task/lsd.c '#include "nn/model.h"' '#include "graph/graph.h"' '#include "image/image.h"' '#include "base/mem.h"'
put src/backend/cpu/conv.c '#include "graph/backend.h"' '#include <oneapi/dnnl/dnnl.h>' '#  include "backend/cpu/cpu_int.h"'
put src/format/onnx.c '#include "graph/graph.h"'
put src/format/onnx_ops.c '#include "graph/op.h"' '#include "format/onnx_int.h"'
put src/api/train.c '#include "train/train.h"' '#include "backend/cpu/cpu.h"'
put src/cli/main.c '#include "mien.h"' '#include "cli/cli.h"'
put examples/classify.c '#include <mien.h>'
if ! answer=$("$checker" "$tree"); then
    echo "a good tree was refused: $answer"
    failures=$((failures + 1))
fi

refused src/base/bad.c '#include "format/csv.h"' 'room base may not include room format'
refused src/image/bad.h ' #	include "format/csv.h"' 'room image may not include room format'
refused src/format/bad.c '#include "graph/graph.h"' 'room format may not include room graph'
refused src/format/onnx_bad.c '#include "nn/model.h"' 'room format may not include room nn'
refused src/graph/op/bad.c '#include <backend/cpu/cpu.h>' 'room graph may not include room backend'
refused src/nn/bad.c '#include "data/dataset.h"' 'room nn may not include room data'
refused src/cli/bad.c '#include "base/mem.h"' 'room cli may not include room base'
refused examples/bad.c '#include "base/mem.h"' 'room examples may not include room base'
refused src/data/bad.c '#include "image/image_int.h"' 'room data may not include image/image_int.h, which is private to room image'
refused src/base/bad.c '#include "mem.h"' '"mem.h" is not written room/file.h'
refused src/base/bad.c '#include "../format/csv.h"' '"../format/csv.h" is not written room/file.h'

put src/attic/old.c '#include <stdio.h>'
answer=$("$checker" "$tree")
if [ $? -eq 0 ] || [ "$answer" != 'src/attic/old.c:1: room attic is not in the table of tools/check-includes' ]; then
    echo "a room that the table lacks: '$answer'"
    failures=$((failures + 1))
fi
rm -r "$tree/src" "$tree/examples"
mkdir "$tree/src" "$tree/examples"
if "$checker" "$tree" >/dev/null; then
    echo "a tree without sources was passed"
    failures=$((failures + 1))
fi
[ $failures -eq 0 ]
