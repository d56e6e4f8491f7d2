#!/bin/sh
# The order of the layers: a file includes its own folder and lower ones, and
# headers of big libraries only where they belong.
. "$(dirname "$0")/tap.sh"

# violations DIR: "file includes header" for each include that is not allowed,
# then "files N".
violations() {
    (cd "$1" && find src bin lockd -name '*.[ch]' -o -name '*.cu' 2>/dev/null | LC_ALL=C sort) >"$T/files"
    (cd "$1" && xargs grep -HE '^[[:space:]]*#[[:space:]]*include' <"$T/files") | awk '
        BEGIN {
            # What a folder may include besides itself; all of them see base.
            sees["base"] = " "
            sees["text"] = sees["math"] = sees["lockd"] = " base "
            sees["model"] = " base text math "
            sees["search"] = sees["score"] = sees["model"] "model "
            sees["modeldir"] = sees["search"] "search score "
            sees["train"] = sees["modeldir"] "modeldir lockd "
            sees["bin"] = sees["train"] "train "
            # Libraries that only some folders know.
            only["^(cuda|cublas|curand|nvml)"] = "^src/math/cuda/|^src/train/exchange/|^lockd/"
            only["^nccl"] = "^src/train/exchange/"
            only["^uc[pstm]/"] = "^src/train/exchange/"
            only["^(dnnl|oneapi)"] = "^src/math/cpu/"
        }
        {
            file = $0; sub(/:.*/, "", file)
            header = $0; sub(/^[^"<]*["<]/, "", header); sub(/[">].*/, "", header)
            if ($0 ~ /include[[:space:]]*</) {
                for (library in only)
                    if (header ~ library && file !~ only[library]) print file " includes " header
                next
            }
            from = file; sub(/^src\//, "", from); sub(/\/.*/, "", from)
            to = header; sub(/\/.*/, "", to)
            if (header !~ /\// || !(to in sees) || (to != from && index(sees[from], " " to " ") == 0))
                print file " includes " header
        }'
    echo "files $(wc -l <"$T/files")"
}

found=$(violations .)
is "$(printf '%s\n' "$found" | grep -v '^files ')" "" "every file includes its own folder and lower ones"
like "$found" '^files ([5-9]|[1-9][0-9])[0-9]$|^files [1-9][0-9][0-9]' "all files were looked at"

# The check finds what is planted, and nothing else.
plant() { # FILE INCLUDE
    rm -rf "$T/tree"
    mkdir -p "$T/tree"
    cp -R src "$T/tree/src"
    mkdir -p "$T/tree/bin" "$T/tree/lockd" "$T/tree/$(dirname "$1")"
    printf '/* planted */\n#include <stdio.h>\n#  include %s\n' "$2" >"$T/tree/$1"
    is "$(violations "$T/tree" | grep -v '^files ')" "${3-$1 includes $(echo "$2" | tr -d '"<>')}" \
        "$1 with $2 is ${3+allowed}${3-found}"
}
plant src/base/planted.c '"text/lines.h"'
plant src/text/planted.h '"math/ops.h"'
plant src/math/cpu/planted.c '"text/vocab.h"'
plant src/math/planted.c '"model/params.h"'
plant src/model/planted.c '"search/beam.h"'
plant src/search/planted.c '"score/bleu.h"'
plant src/score/planted.c '"modeldir/paths.h"'
plant src/modeldir/planted.c '"train/state.h"'
plant src/train/planted.c '"bin/main.h"'
plant lockd/planted.c '"text/lines.h"'
plant src/text/planted.c '"lines.h"'
plant src/text/planted.c '"../math/ops.h"'
plant src/nowhere/planted.c '"base/msg.h"'
plant src/model/planted.c '<dnnl.h>'
plant bin/planted.c '<cuda_runtime.h>'
plant src/math/cpu/planted.c '<nccl.h>'
plant src/math/cpu/planted.c '"math/ops.h"' ''
plant lockd/planted.c '"base/file.h"' ''
plant bin/planted.c '"train/trainer.h"' ''

done_testing
