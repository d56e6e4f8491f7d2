# shellcheck shell=sh disable=SC2016
# digits.sh - sourced after tap.sh by tests that train on random digits: data and
# thresholds of Sockeye's system tests, which copy or sort them.

# digits NAME LINES EVERY SEED LONGEST : NAME.src, NAME.copy, NAME.sort; one line in EVERY is blank (0: none)
digits() {
    awk -v name="$T/$1" -v lines="$2" -v every="$3" -v seed="$4" -v longest="$5" 'BEGIN {
        srand(seed)
        for (i = 0; i < lines; i++) {
            n = every && i % every == 1 ? 0 : 1 + int(rand() * longest); s = t = ""
            split("", count)
            for (j = 0; j < n; j++) { w = int(rand() * 10); s = s (j ? " " : "") w; count[w]++ }
            for (w = 0; w < 10; w++) while (count[w]-- > 0) t = t (t == "" ? "" : " ") w
            print s > (name ".src"); print s > (name ".copy"); print t > (name ".sort")
        }
    }'
}
digits train 10000 100 13 10
digits val 100 0 17 10
digits test 110 11 19 11

# task DIR KIND UPDATES PERPLEXITY BLEU "TRANSLATE OPTION..." OPTION... : trains on KIND, copy or
# sort, to a validation perplexity of at most PERPLEXITY and a test BLEU of at least BLEU
task() {
    name=$1 kind=$2 updates=$3 perplexity=$4 bleu=$5 how=$6
    shift 6
    exits 0 "$name: trains" "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.$kind" -vs "$T/val.src" \
        -vt "$T/val.$kind" -o "$T/$name" --max-seq-len 11 --batch-type sentence --batch-size 16 \
        --checkpoint-frequency 1000 --initial-learning-rate 0.001 --label-smoothing 0 --max-updates "$updates" \
        --threads 1 --use-cpu --quiet "$@"
    best=$(awk '{ sub(/.*perplexity-val=/, ""); if (!best || $1 < best) best = $1 } END { print best + 0 }' \
        "$T/$name/metrics")
    ok "$name: validation perplexity $best, at most $perplexity" awk -v b="$best" -v most="$perplexity" \
        'BEGIN { exit !(b > 0 && b <= most) }'
    # shellcheck disable=SC2086  # a list of options
    "$BIN/sk-translate" -m "$T/$name" -i "$T/test.src" -o "$T/$name.out" --use-cpu --quiet $how
    paste -d '|' "$T/test.src" "$T/$name.out" "$T/test.$kind" | grep -v '^|' >"$T/$name.pairs"
    cut -d '|' -f 2 "$T/$name.pairs" >"$T/$name.hyp"
    cut -d '|' -f 3 "$T/$name.pairs" >"$T/$name.ref"
    "$BIN/sk-bleu-eval" --hypotheses "$T/$name.hyp" --references "$T/$name.ref" >"$T/bleu" 2>/dev/null
    ok "$name: BLEU $(cut -f 2 "$T/bleu"), at least $bleu" awk -v least="$bleu" '{ exit !($2 >= least) }' "$T/bleu"
}
lstm() {
    task "$@" --encoder rnn --decoder rnn --num-layers 1 --rnn-num-hidden 64 --num-embed 32 --rnn-attention-type mlp
}
