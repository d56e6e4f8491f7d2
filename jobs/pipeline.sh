#!/bin/sh
# pipeline.sh - from text to the score of a test set; start it again at any time.
#
#   DATA=data SOURCE=de TARGET=en WORK=work pipeline.sh [option of sk-train...]
#
# DATA holds train.de, train.en, dev.de, dev.en, test.de and test.en (for these
# SOURCE and TARGET), cut into words or subwords; all results go to WORK. A step
# whose result is there is skipped, so that the same command goes on after a
# crash, a signal or a full disk; remove a result to have it made again. The exit
# code is that of the step which failed: 75 means the same command again, later.
#
# Copy it and edit the steps, or only set the variables. Without a GPU give
# --use-cpu. Under Slurm: sbatch --gres=gpu:1 --requeue pipeline.sh ...
set -eu

: "${DATA:=data}" "${SOURCE:=de}" "${TARGET:=en}" "${WORK:=work}" "${AVERAGE:=4}"
mkdir -p "$WORK"
say() { echo "pipeline: $*" >&2; }
there() { # FILE: is it there, so that its step is skipped?
    [ ! -e "$1" ] || say "$1 is there"
}
# A command that gets the signals which we get, and ends before us.
beside() {
    "$@" &
    pid=$!
    trap 'kill -TERM $pid 2>/dev/null || :' TERM INT USR1
    status=0
    while kill -0 $pid 2>/dev/null; do
        status=0
        wait $pid || status=$?
    done
    trap - TERM INT USR1
    return $status
}
# Also of sk-translate and sk-bleu-eval.
cpu=
for option; do [ "$option" != --use-cpu ] || cpu=--use-cpu; done

vocab=$WORK/vocab.json
there "$vocab"
[ -e "$vocab" ] || sk-vocab -i "$DATA/train.$SOURCE" "$DATA/train.$TARGET" -o "$vocab"

# A watcher of its own translates the dev text with each checkpoint; training is
# done when it has translated all.
model=$WORK/model trained=$WORK/trained
there "$trained"
[ -e "$trained" ] || {
    beside sk-train -s "$DATA/train.$SOURCE" -t "$DATA/train.$TARGET" -vs "$DATA/dev.$SOURCE" -vt "$DATA/dev.$TARGET" \
        -o "$model" --source-vocab "$vocab" --target-vocab "$vocab" --shared-vocab --monitor-bleu 500 "$@"
    : >"$trained"
}

average=$WORK/params.average
there "$average"
[ -e "$average" ] || sk-average "$model" -n "$AVERAGE" --metric bleu -o "$average"

output=$WORK/test.out
there "$output"
[ -e "$output" ] || sk-translate -m "$model" -c "$average" $cpu -i "$DATA/test.$SOURCE" -o "$output"

score=$WORK/score
there "$score"
[ -e "$score" ] || {
    sk-bleu-eval --hypotheses "$output" --references "$DATA/test.$TARGET" --tokenize none >"$score.part"
    mv "$score.part" "$score"
}
cat "$score"
