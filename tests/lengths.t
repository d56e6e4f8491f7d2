#!/bin/sh
# What decides about the length of translations: the length penalty and the
# longest output, in sk-translate and sk-bleu-eval.
. "$(dirname "$0")/tap.sh"

awk -v dir="$T" 'BEGIN {
    srand(9)
    for (i = 0; i < 60; i++) {
        s = t = ""
        for (j = 1 + int(rand() * 5); j > 0; j--) s = s " s" int(rand() * 9)
        for (j = 1 + int(rand() * 9); j > 0; j--) t = t " t" int(rand() * 9)
        print s > (dir "/src")
        print t > (dir "/trg")
    }
}'
exits 0 "a model" "$BIN/sk-train-shard" -s "$T/src" -t "$T/trg" -vs "$T/src" -vt "$T/trg" -o "$T/m" --num-layers 1 \
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 16 \
    --batch-size 200 --max-updates 1 --threads 1 --quiet
words() { wc -w <"$1" | tr -d ' '; }
translate() { # FILE OPTION...
    translate_to=$1
    shift
    "$BIN/sk-translate" -m "$T/m" -i "$T/src" -o "$translate_to" --use-cpu --threads 1 -q "$@"
}
evaluate() { # FILE OPTION... : with a search of its own, not what was found before
    evaluate_to=$1
    shift
    rm -rf "$T/m/eval"
    "$BIN/sk-bleu-eval" "$T/m" --checkpoint 1 --use-cpu --threads 1 -q "$@" && cp "$T/m/eval/00001.out" "$evaluate_to"
}
for run in translate evaluate; do
    exits 0 "$run: a strong length penalty" $run "$T/long" --length-penalty-alpha 5
    exits 0 "$run: none" $run "$T/short" --length-penalty-alpha 0
    ok "$run: longer translations with it" [ "$(words "$T/long")" -gt "$(words "$T/short")" ]
    exits 0 "$run: hardly any, the length added being large" $run "$T/added" --length-penalty-alpha 5 \
        --length-penalty-beta 1000
    ok "$run: shorter again" [ "$(words "$T/added")" -lt "$(words "$T/long")" ]
    exits 0 "$run: longest output without margin" $run "$T/cut" --length-penalty-alpha 5 --max-output-length-num-stds 0
    ok "$run: shorter translations" [ "$(words "$T/cut")" -lt "$(words "$T/long")" ]
done
done_testing
