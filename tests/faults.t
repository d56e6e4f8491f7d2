#!/bin/sh
# Programs that are killed, or whose disk fails, at any of their calls that change
# files: the old file or the new one is there, whole; given again they do what
# they were to do, and nothing lies about. kill.t has the trainer.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
. tests/faults.sh
[ -n "${SAN:-}" ] && skip_all "a preloaded library and sanitizers do not go together"

awk 'BEGIN { srand(7); for (i = 0; i < 60; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
head -n 6 "$T/text" >"$T/few"
m=$T/model
exits 0 "a training of three checkpoints" "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/few" -vt "$T/few" \
    -o "$m" --use-cpu --threads 1 --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 \
    --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 2 --max-updates 6 -q
FAULTS=$T/folder

# --- one file, which is there already -----------------------------------------
fresh() {
    rm -rf "$FAULTS"
    mkdir "$FAULTS"
    echo old >"$FAULTS/$file"
}
torn() { [ "$(cat "$FAULTS/$file")" = old ] || cmp -s "$FAULTS/$file" "$T/new" || echo "$file"; }
result() { (cd "$FAULTS" && cksum "$file" && ls -A); }
# one FILE COMMAND OPTION... FILE
one() {
    file=$1
    shift
    printf '"%s" ' "$@" >"$T/command"
    act() { eval "$(cat "$T/command")"; }
    fresh
    act >"$T/out" 2>"$T/err"
    cp "$FAULTS/$file" "$T/new"
    faults "${1##*/}"
}
one vocab.json "$BIN/sk-vocab" -q -i "$T/text" -o "$FAULTS/vocab.json"
one average "$BIN/sk-average" "$m" -n 2 --strategy last -o "$FAULTS/average"
one out "$BIN/sk-translate" -q --use-cpu --threads 1 -m "$m" -i "$T/few" -o "$FAULTS/out"
one scores "$BIN/sk-score" -q --use-cpu --threads 1 -m "$m" -s "$T/few" -t "$T/few" -o "$FAULTS/scores"
if command -v gnuplot >/dev/null; then
    one plot.svg "$BIN/sk-status" "$m" --plot "$FAULTS/plot.svg"
else
    skip "gnuplot is not installed"
fi

# --- evaluators ------------------------------------------------------------------
fresh() {
    rm -rf "$FAULTS"
    cp -R "$m" "$FAULTS"
}
# The metrics without times; of before: and without scores.
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' "$1/metrics"; }
eval_result() {
    cd "$FAULTS" && steady . && cksum eval/*.out && grep -hvE '"(decode-walltime-val|avg-sec-per-sent-val)"' eval/*.json &&
        find . ! -name '*tfevents*' | LC_ALL=C sort
}
result() { (eval_result); }
torn() {
    for file in "$FAULTS"/params.0* "$FAULTS"/state.0*; do
        cmp -s "$file" "$m/${file##*/}" || echo "${file##*/}"
    done
    for file in "$FAULTS"/eval/*.out; do
        [ ! -e "$file" ] || [ ! -e "$T/all" ] || cmp -s "$file" "$T/all/${file##*/}" || echo "${file##*/}"
    done
    for file in "$FAULTS"/eval/*.json; do
        [ ! -e "$file" ] || python3 -m json.tool "$file" >/dev/null 2>&1 || echo "${file##*/}"
    done
    before_scores "$FAULTS" >"$T/metrics"
    before_scores "$m" | cmp -s - "$T/metrics" || echo metrics
}
before_scores() { steady "$1" | sed -E 's/	(bleu|chrf|ter|rouge.)-val=[^	]*//g'; }
evaluate() { "$BIN/sk-bleu-eval" "$FAULTS" --use-cpu --threads 1 -q --poll-interval 0.05 "$@"; }
rm -rf "$FAULTS"
cp -R "$m" "$FAULTS"
evaluate --once >"$T/out" 2>"$T/err"
cp -R "$FAULTS/eval" "$T/all"
act() { evaluate --once; }
faults "sk-bleu-eval --once" 15
act() { evaluate --watch; }
faults "sk-bleu-eval --watch" 53

# --- prepared data ----------------------------------------------------------------
fresh() { rm -rf "$FAULTS"; }
result() { (cd "$FAULTS" && cksum corpus vocab* checksums data.info && ls -A); }
act() { "$BIN/sk-prepare-data" -s "$T/text" -t "$T/text" -o "$FAULTS" -q; }
rm -rf "$FAULTS"
act
result >"$T/new"
# Without data.info the rest is nothing.
torn() { [ ! -e "$FAULTS/data.info" ] || { result | cmp -s - "$T/new" || echo half-made; }; }
faults sk-prepare-data
done_testing
