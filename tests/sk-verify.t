#!/bin/sh
# sk-verify: exact repetition says whether a checkpoint's bits are right.
# sanitized
# shellcheck disable=SC2119,SC2120
. "$(dirname "$0")/tap.sh"

awk -v dir="$T" 'BEGIN {
    srand(5)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 20 : 150); i++) {
            n = 1 + int(rand() * 7); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 15); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
train() {
    "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/m" \
        --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
        --transformer-feed-forward-num-hidden 32 --batch-size 50 --max-seq-len 12 --checkpoint-frequency 4 \
        --initial-learning-rate 0.3 --learning-rate-warmup 3 --learning-rate-reduce-num-not-improved 1 \
        --learning-rate-decay-param-reset --transformer-dropout-prepost 0.2 --threads 1 --use-cpu --quiet "$@"
}
verify() { exits "$1" "$2" env TMPDIR="$T/tmp" "$BIN/sk-verify" "$T/m" --threads 1 -q $3; }
mkdir "$T/tmp"
exits 0 "a run" train --max-updates 22 --keep-last-states 2
is "$(cd "$T/m" && echo state.0*)" "state.00004 state.00005 state.00006" "keeps states; the last checkpoint may be withdrawn"
find "$T/m" -type f | LC_ALL=C sort | xargs cksum >"$T/before"
verify 0 "its last checkpoint" ""
is "$(cat "$T/out")" "$T/m/params.00006	right" "is right, though it is off the interval"
verify 0 "one before" "-c 5"
is "$(cat "$T/out")" "$T/m/params.00005	right" "is right"
verify 0 "all from the beginning" "-c 6 --from 0"
verify 0 "without a state" "-c 3"
exits 0 "and says what it does" env TMPDIR="$T/tmp" "$BIN/sk-verify" "$T/m" --threads 1 -c 6
like "$(cat "$T/err")" 'from checkpoint 5 to 6, the 22th, again' "from which to which"
verify 64 "from one without a state" "-c 6 --from 2"
verify 64 "from a later one" "-c 2 --from 5"
verify 66 "one that is not there" "-c 9"
rm "$T/train.src" "$T/train.trg" "$T/val.src" "$T/val.trg"
verify 0 "the text is not needed" "-c 6"
find "$T/m" -type f | LC_ALL=C sort | xargs cksum >"$T/after"
same "$T/before" "$T/after" "nothing in the directory changes"
is "$(ls -A "$T/tmp")" "" "and nothing is left elsewhere"

# Another run's parameters under a name of this one.
cp "$T/m/params.00004" "$T/m/params.00005"
verify 1 "a forged checkpoint" "-c 5 --from 4"
is "$(cat "$T/out")" "$T/m/params.00005	wrong" "is wrong"
exits 1 "and it is said" env TMPDIR="$T/tmp" "$BIN/sk-verify" "$T/m" --threads 1 -c 5 --from 4
like "$(cat "$T/err")" 'params.00005: [a-z_0-9]+\[[0-9]+\] is [-0-9.e]+, but should be [-0-9.e]+' "where"
printf 'x' | dd of="$T/m/params.00003" bs=1 seek=2000 conv=notrunc 2>/dev/null
verify 65 "a damaged checkpoint" "-c 3"
exits 66 "no directory" "$BIN/sk-verify" "$T/absent"
exits 64 "no operand" "$BIN/sk-verify"
done_testing
