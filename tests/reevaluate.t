#!/bin/sh
# Checkpoints that are withdrawn and made anew while or after they are
# evaluated: a score belongs to the parameters whose checksum it carries.
# sanitized
. "$(dirname "$0")/tap.sh"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
m=$T/model
exits 0 "a training of four checkpoints" "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" \
    -o "$m" --use-cpu --threads 1 --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
    --transformer-feed-forward-num-hidden 16 --batch-size 200 --checkpoint-frequency 10 --max-updates 40 \
    --initial-learning-rate 0.01 -q
eval_() { "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1 "$@"; }
sum_of() { LC_ALL=C grep -ao '"xxh3-file":"[0-9a-f]*"' "$1" | head -n 1 | tr -d '"' | sed 's/.*://'; }
recorded() { sed -n 's/.*"params": "\(.*\)".*/\1/p' "$m/eval/0000$1.json"; }
# replace N : checkpoint N gets the parameters of checkpoint 4
replace() {
    cp "$m/params.00004" "$m/new"
    mv "$m/new" "$m/params.0000$1"
}
cp "$m/validation.src" "$T/short.src"
cp "$m/validation.trg" "$T/short.trg"
# A text that takes long enough, some seconds; and back.
copies=800
long_text() {
    for side in src trg; do
        i=0
        while [ $i -lt "$copies" ]; do
            cat "$T/short.$side"
            i=$((i + 1))
        done >"$m/validation.$side"
    done
}
short_text() { cp "$T/short.src" "$m/validation.src" && cp "$T/short.trg" "$m/validation.trg"; }
slow="--beam-size 10 --length-penalty-alpha 9 -q"
# started N : an evaluation of N has begun, in the background: $pid
started() {
    # shellcheck disable=SC2086
    "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1 -c "$1" $slow >"$T/score" 2>"$T/err" &
    pid=$!
    until [ -e "$m/eval/0000$1.claim" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    sleep 0.3
    ok "checkpoint $1 is being translated" kill -0 $pid
}

long_text
started 1
replace 1
status=0
wait $pid || status=$?
is $status 0 "the checkpoint changed meanwhile"
# shellcheck disable=SC2086
exits 0 "the one it became" "$BIN/sk-translate" -m "$m" -c 4 -i "$m/validation.src" -o "$T/four" --use-cpu \
    $slow
same "$m/eval/00001.out" "$T/four" "is what was translated"
is "$(recorded 1)" "$(sum_of "$m/params.00004")" "and recorded"

started 2
mv "$m/params.00002" "$T/two"
status=0
wait $pid || status=$?
is $status 75 "a checkpoint that is withdrawn meanwhile"
like "$(cat "$T/err")" "checkpoint 2 was withdrawn while it was translated" "is named"
is "$(cd "$m/eval" && ls 00002.out 00002.json 2>/dev/null)" "" "and not recorded"
mv "$T/two" "$m/params.00002"
short_text

exits 0 "a record" eval_ -c 3
is "$(recorded 3)" "$(sum_of "$m/params.00003")" "of the parameters"
cp "$m/eval/00003.out" "$T/old"
replace 3
exits 0 "does not stand in the way of other ones" eval_ -c 3
like "$(cat "$T/err")" "eval/00003.json was of other parameters: it is replaced" "it is replaced"
is "$(recorded 3)" "$(sum_of "$m/params.00004")" "by one of the present parameters"
exits 0 "as they translate" "$BIN/sk-translate" -m "$m" -c 4 -i "$T/text" -o "$T/four" --use-cpu -q
same "$m/eval/00003.out" "$T/four" "the translations too"
bleu=$(sed -n 's/.*"bleu-val": \([0-9.e-]*\).*/\1/p' "$m/eval/00003.json")
is "$(sed -n 's/^3	.*bleu-val=\([^	]*\).*/\1/p' "$m/metrics")" "$bleu" "and the metrics"
before=$(cksum "$m/eval/00003.json" "$m/eval/00003.out")
exits 0 "with another search" eval_ -c 3 --beam-size 2
is "$(cksum "$m/eval/00003.json" "$m/eval/00003.out")" "$before" "a record of these parameters stays"

# --- what is not there, what is left behind ---------------------------------------
exits 66 "no such checkpoint" eval_ -c 99
is "$(ls "$m/eval/00099.claim" 2>/dev/null)" "" "leaves no claim"
uuid=01234567-89ab-4cde-8f01-23456789abcd
leave() { touch "$m/eval/.00002.out.$uuid.tmp" "$m/eval/.00004.out.$uuid.tmp" "$m/eval/.00001.json.$uuid.tmp" "$m/eval/.mine"; }
leave
exits 0 "an evaluation" eval_ -c 2
is "$(cd "$m/eval" && ls -d .[0-9m]*)" ".mine" "removes what was left, since nobody trains or has a claim"
long_text
started 4
leave
exits 0 "a training" "$BIN/sk-train-shard" --config "$m/args" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -q
is "$(cd "$m/eval" && ls -d .[0-9m]*)" ".00004.out.$uuid.tmp
.mine" "what is not claimed"
wait $pid
short_text
exits 0 "a negative --max-output-length-num-stds" eval_ -c 4 --max-output-length-num-stds -5 --length-penalty-alpha 9
exits 0 "is twice the source's length" "$BIN/sk-translate" -m "$m" -c 4 -i "$T/text" -o "$T/long" --use-cpu -q \
    --max-output-length-num-stds -1 --length-penalty-alpha 9
ok "at most" awk 'FNR == NR { n[FNR] = NF; next } NF > 2 * (n[FNR] + 1) + 1 { exit 1 }' "$T/text" "$T/long"
ok "and reached" awk 'FNR == NR { n[FNR] = NF; next } NF >= 2 * n[FNR] { good = 1 } END { exit !good }' "$T/text" "$T/long"
done_testing
