#!/bin/sh
# The RNN through the programs: what each of its options does, exact resume,
# translating and scoring, digits that it must learn to copy.
# In memory, if possible: waiting for a disk is most of the time.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/digits.sh"

head -n 300 "$T/train.src" >"$T/few.src"
head -n 300 "$T/train.sort" >"$T/few.sort"

# train DIR OPTION... : some updates on few sentences
train() {
    train_dir=$1
    shift
    "$BIN/sk-train-shard" -s "$T/few.src" -t "$T/few.sort" -vs "$T/val.src" -vt "$T/val.sort" -o "$train_dir" \
        --encoder rnn --decoder rnn --num-layers 2 --rnn-num-hidden 16 --num-embed 8:6 --max-seq-len 11 \
        --batch-size 100 --checkpoint-frequency 2 --max-updates 2 --initial-learning-rate 0.01 \
        --rnn-decoder-hidden-dropout 0 --threads 1 --use-cpu --quiet "$@"
}
# counts PARAMS BASE OPTION : OPTION makes other parameters than BASE alone does, checkpoint PARAMS
n=0
counts() {
    n=$((n + 1))
    # shellcheck disable=SC2086  # lists of words
    exits 0 "$2 $3" train "$T/with.$n" --keep-initializations $2 $3
    # shellcheck disable=SC2086
    [ -z "$2" ] || exits 0 "$2 alone" train "$T/without.$n" --keep-initializations $2
    [ -n "$2" ] || ln -s base "$T/without.$n"
    if cmp -s "$T/with.$n/params.$1" "$T/without.$n/params.$1"; then fail "$3 counts"; else pass "$3 counts"; fi
}
exits 0 "trains" train "$T/base" --keep-initializations
counts 00000 '' '--rnn-cell-type gru'
counts 00000 '' '--rnn-num-hidden 18'
counts 00000 '' '--num-embed 8:7'
counts 00000 '' '--rnn-attention-type bilinear'
counts 00000 '' '--rnn-attention-num-hidden 5'
counts 00000 '' '--rnn-attention-in-upper-layers'
counts 00000 '' '--layer-normalization'
counts 00000 '' '--rnn-decoder-state-init zero'
counts 00000 '' '--rnn-forget-bias 1'
counts 00000 '' '--rnn-h2h-init orthogonal_stacked'
counts 00000 '' '--rnn-h2h-init default'
counts 00000 '' '--weight-tying --weight-tying-type src_trg --num-embed 8'
counts 00001 '' '--rnn-decoder-state-init avg'
counts 00001 '' '--rnn-residual-connections'
counts 00001 '--rnn-residual-connections --num-layers 3' '--rnn-first-residual-layer 3'
counts 00001 '--rnn-attention-type dot' '--rnn-scale-dot-attention'
counts 00001 '' '--rnn-dropout-inputs 0.2:0'
counts 00001 '' '--rnn-dropout-inputs 0:0.2'
counts 00001 '' '--rnn-dropout-states 0.2:0'
counts 00001 '' '--rnn-dropout-states 0:0.2'
counts 00001 '' '--rnn-decoder-hidden-dropout 0.2'
counts 00001 '' '--embed-dropout 0.2'
for part in decoder outer_layers embeddings output_proj; do
    counts 00001 '' "--fixed-param-strategy all_except_$part"
done
exits 64 "an odd number of units" train "$T/no" --rnn-num-hidden 17
exits 64 "an encoder and a decoder of two kinds" train "$T/no" --decoder transformer
exits 64 "the first layer has no residual connection" train "$T/no" --rnn-first-residual-layer 1
exits 64 "tying needs width" train "$T/no" --weight-tying
exits 78 "another cell" train "$T/base" --keep-initializations --rnn-cell-type gru
like "$(cat "$T/err")" "rnn-cell-type: was 'lstm', now 'gru'" "is another run"
exits 0 "--dry-run" train "$T/dry" --dry-run
# memory OPTION... : what a dry run says and what training takes
memory() {
    "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.sort" -vs "$T/val.src" -vt "$T/val.sort" -o "$T/memory" \
        --encoder rnn --decoder rnn --max-seq-len 30 --threads 2 --use-cpu --overwrite-output --max-updates 12 \
        --initial-learning-rate 0.0001 "$@" 2>"$T/err" | sed -n 's/^memory	//p'
}
for how in "--num-layers 2 --rnn-num-hidden 256 --batch-size 2000 --rnn-dropout-states 0.1" \
    "--num-layers 3 --rnn-num-hidden 128 --rnn-cell-type gru --layer-normalization --batch-type sentence --batch-size 150" \
    "--num-layers 1 --rnn-num-hidden 300 --batch-size 1000 --dtype bfloat16 --rnn-attention-num-hidden 700"; do
    # shellcheck disable=SC2086
    said=$(memory $how --dry-run)
    # shellcheck disable=SC2086
    memory $how >"$T/out"
    most=$(sed -nE 's/^Memory: at most ([0-9.]+) MB were taken$/\1/p' "$T/err")
    if [ -n "${SAN:-}" ] || [ "$BIN" != "$ROOT/bin" ]; then
        skip "memory of instrumented programs"
    else
        ok "$how: $said bytes are predicted, $most MB taken" awk -v p="$said" -v m="$most" \
            'BEGIN { m *= 1e6; exit !(p > 0.9 * m && p < 1.1 * m) }'
    fi
done
sed 's/"rnn"/"cnn"/' "$T/base/config.json" >"$T/config.json" && cp "$T/config.json" "$T/with.1/config.json"
exits 65 "an architecture that is not known" "$BIN/sk-translate" -m "$T/with.1" -i "$T/val.src"
sed 's/"num_hidden": 18/"num_hidden": 20/' "$T/with.2/config.json" >"$T/config.json"
cp "$T/config.json" "$T/with.2/config.json"
exits 65 "sizes that are not the parameters'" "$BIN/sk-translate" -m "$T/with.2" -i "$T/val.src"

# --- threads, resume ------------------------------------------------------------
all="--rnn-dropout-inputs 0.1 --rnn-dropout-states 0.1 --rnn-decoder-hidden-dropout 0.2 --embed-dropout 0.1
    --layer-normalization --rnn-residual-connections --max-updates 7 --checkpoint-frequency 3"
# shellcheck disable=SC2086
exits 0 "seven updates with all dropouts" train "$T/all" $all
# shellcheck disable=SC2086
exits 0 "with three threads" train "$T/threads" $all --threads 3
same "$T/all/params.00003" "$T/threads/params.00003" "the same bits"
for dtype in bfloat16 bfloat16-amx; do
    # shellcheck disable=SC2086
    exits 0 "$dtype" train "$T/$dtype" $all --dtype $dtype
    # shellcheck disable=SC2086
    exits 0 "$dtype with three threads" train "$T/$dtype.threads" $all --threads 3 --dtype $dtype
    same "$T/$dtype/params.00003" "$T/$dtype.threads/params.00003" "the same bits"
done
# shellcheck disable=SC2086
for updates in 2 5 7; do exits 0 "up to $updates updates" train "$T/parts" $all --max-updates $updates; done
same "$T/all/params.00003" "$T/parts/params.00003" "in three parts: the same bits"
if [ -z "${SAN:-}" ]; then
    export SK_FAULT_UNDER="$T/killed"
    bad=
    for call in 3 9 14 19 24 29 34 39 44; do
        rm -rf "$T/killed"
        # shellcheck disable=SC2086
        (export SK_FAULT=before SK_FAULT_AT="$call" LD_PRELOAD="$PRELOAD/preload_fault.so"; train "$T/killed" $all) 2>/dev/null
        # shellcheck disable=SC2086
        train "$T/killed" $all 2>/dev/null && cmp -s "$T/all/params.00003" "$T/killed/params.00003" || bad="$bad $call"
    done
    is "$bad" "" "killed and started again: the same bits"
fi

# --- digits: tests/digits.t has the other tasks -----------------------------------
lstm copy copy 2000 1.03 98 ""
grep . "$T/test.src" >"$T/lines"

# --- translating, scoring: company changes nothing ----------------------------------
translate() { "$BIN/sk-translate" -m "$T/copy" --use-cpu --quiet "$@"; }
{ cat "$T/lines"; echo; echo "7 unknown 3"; echo "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7"; } >"$T/in"
exits 0 "with scores" translate --output-type translation_with_score -i "$T/in" -o "$T/want" --threads 1
is "$(wc -l <"$T/want")" "$(wc -l <"$T/in")" "a line for each line"
for how in "--batch-size 1" "--batch-size 7 --chunk-size 11" "--threads 3"; do
    # shellcheck disable=SC2086
    exits 0 "$how" translate --output-type translation_with_score -i "$T/in" -o "$T/got" $how
    same "$T/got" "$T/want" "the same"
done
translate -m "$T/copy" "$T/copy" --output-type translation_with_score -i "$T/lines" -o "$T/got"
head -n 100 "$T/want" >"$T/first"
is "$(cut -f 2 "$T/got")" "$(cut -f 2 "$T/first")" "twice the same model: the same translations"
exits 0 "n-best" translate --nbest-size 3 -i "$T/lines" -o "$T/got"
is "$(grep -c '"translations": \[.*,.*,' "$T/got")" 100 "three each"
cut -f 2 "$T/first" >"$T/translations"
cut -f 1 "$T/first" >"$T/scores"
exits 0 "scores" "$BIN/sk-score" -m "$T/copy" -s "$T/lines" -t "$T/translations" -o "$T/got" --use-cpu --quiet
same "$T/got" "$T/scores" "sk-score says what sk-translate says"
exits 0 "averages" "$BIN/sk-average" "$T/copy" -n 2 -o "$T/average"
exits 0 "and translates with that" translate -c "$T/average" -i "$T/lines" -o "$T/got"
done_testing
