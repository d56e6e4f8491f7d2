#!/bin/sh
# valgrind has nothing to say of a training and a translation, in check-long also of a
# resume, an evaluation, an average: no byte is used before it was set, none is lost.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
[ -z "${SAN:-}" ] || skip_all "sanitizers and valgrind do not go together"
command -v valgrind >/dev/null || skip_all "valgrind is not installed (Debian package valgrind)"
valgrind -q true 2>/dev/null || skip_all "valgrind does not run here (Debian package libc6-dbg may be missing)"

awk 'BEGIN { srand(7); for (i = 0; i < 60; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
head -n 6 "$T/text" >"$T/few"
# checked PROGRAM OPTION... : status 9 if there is anything to say
checked() {
    program=$1
    shift
    valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect "$BIN/$program" "$@"
}
train() {
    checked sk-train-shard -s "$T/text" -t "$T/text" -vs "$T/few" -vt "$T/few" -o "$T/m" --use-cpu --threads 2 -q \
        --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 --batch-size 200 \
        --transformer-feed-forward-num-hidden 8 --checkpoint-frequency 2 "$@"
}
exits 0 "a training" train --max-updates 5
exits 0 "sk-translate" checked sk-translate -m "$T/m" -i "$T/few" -o "$T/out" --use-cpu --threads 2 -q
if [ -n "${SK_LONG:-}" ]; then
    exits 0 "it goes on" train --max-updates 8
    exits 0 "sk-bleu-eval" checked sk-bleu-eval "$T/m" -c 2 --use-cpu --threads 2 -q
    exits 0 "sk-average" checked sk-average "$T/m" -n 2 -o "$T/mean"
    exits 0 "sk-status" checked sk-status "$T/m"
fi
done_testing
