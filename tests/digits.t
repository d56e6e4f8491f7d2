#!/bin/sh
# Random digits that the Transformer and the RNN must learn to copy and to sort,
# as well as Sockeye's system tests ask. All of them under SK_LONG; without it
# one (tests/rnn.t has another).
# In memory, if possible: waiting for a disk is most of the time.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/digits.sh"

small="--num-layers 2 --transformer-model-size 32 --transformer-feed-forward-num-hidden 64"
none="--transformer-dropout-attention 0 --transformer-dropout-act 0 --transformer-dropout-prepost 0"
# shellcheck disable=SC2086  # lists of options
task transformer-sort sort 6000 1.03 97 "" $small --transformer-attention-heads 2 $none
exits 0 "with scores" "$BIN/sk-translate" -m "$T/transformer-sort" -i "$T/test.src" -o "$T/scored" --use-cpu --quiet \
    --output-type translation_with_score --batch-size 7
cut -f 2 "$T/scored" >"$T/out"
same "$T/out" "$T/transformer-sort.out" "in other batches: the same"
if [ -n "${SK_LONG:-}" ]; then
    lstm lstm-copy copy 4000 1.03 98 "" --gradient-clipping-type norm --gradient-clipping-threshold 10
    lstm lstm-copy-pieces copy 5000 1.01 99 "--max-input-len 4"
    lstm lstm-copy-words copy 5000 1.01 99 "--beam-prune 1" --batch-type word --batch-size 80 --layer-normalization
    # shellcheck disable=SC2086
    task transformer-copy copy 4000 1.02 98 "--beam-size 1" $small --transformer-attention-heads 4
    lstm lstm-sort sort 7000 1.03 97 ""
    lstm lstm-sort-words sort 6000 1.03 97 "" --batch-type word --batch-size 80
fi
done_testing
