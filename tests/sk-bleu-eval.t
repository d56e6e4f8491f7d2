# sk-bleu-eval - digits of sacreBLEU 2.6.0 on files; checkpoints of a model.
# sanitized
. "$(dirname "$0")/tap.sh"

bleu() { "$BIN/sk-bleu-eval" "$@" 2>"$T/err"; }
tab=$(printf '\t')

# --- files ---------------------------------------------------------------------
printf 'Hello, World! 3.5 %% of "all" cats.\nThe cat is here\nunchanged line of text .\n' >"$T/hyp"
printf 'Hello , world! 3.5%% of &quot;all&quot; cats .\r\nThe Cat is there.\nunchanged line of text .\n' >"$T/ref"
printf '\357\273\277Hello, World! 3.5 %% of "all" cats.\nThe cat\ris here\nunchanged line of text .' >"$T/odd"

is "$(bleu --hypotheses "$T/hyp" --references "$T/ref")" "BLEU${tab}69.06" "13a is the default"
like "$(cat "$T/err")" 'nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:sk-[0-9]' "the signature is on standard error"
is "$(bleu -i "$T/hyp" -r "$T/ref" --tokenize 13a --lowercase -w 4)" "BLEU${tab}89.3055" "13a, lower case"
is "$(bleu -i "$T/hyp" -r "$T/ref" --tokenize none --width 4)" "BLEU${tab}31.8340" "none"
is "$(bleu -i "$T/hyp" -r "$T/ref" --tokenize none --lowercase --width 4)" "BLEU${tab}40.0292" "none, lower case"
is "$(bleu -i "$T/odd" -r "$T/ref" --width 4)" "BLEU${tab}66.7280" "a BOM is text, a carriage return ends no line"
is "$(bleu -i "$T/odd" -r "$T/ref" --tokenize none --width 4)" "BLEU${tab}31.8340" "the same, none"
gzip -k "$T/ref"
is "$(bleu -r "$T/ref.gz" -w 4 --tokenize none <"$T/hyp")" "BLEU${tab}31.8340" "hypotheses from standard input, references from gz"
is "$(bleu -i "$T/hyp" "$T/ref" -r "$T/ref")" "BLEU${tab}69.06${tab}$T/hyp
BLEU${tab}100.00${tab}$T/ref" "several files: a line for each, named"

printf 'one\ntwo\n' >"$T/two"
exits 65 "files of different length are refused" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/two"
like "$(cat "$T/err")" "hyp has 3 lines, but .*two has 2" "both lengths are named"
is "$(cat "$T/out")" "" "and nothing is printed"
exits 65 "the other way round" "$BIN/sk-bleu-eval" -i "$T/two" -r "$T/hyp"
like "$(cat "$T/err")" "two has 2 lines, but .*hyp has 3" "both lengths are named"
printf 'good\nbad \377 byte\n' >"$T/bad"
exits 65 "invalid UTF-8 is refused" "$BIN/sk-bleu-eval" -i "$T/bad" -r "$T/two"
like "$(cat "$T/err")" "bad.*2" "file and line are named"
: >"$T/empty"
exits 65 "empty files are refused" "$BIN/sk-bleu-eval" -i "$T/empty" -r "$T/empty"
exits 66 "a missing file" "$BIN/sk-bleu-eval" -i "$T/absent" -r "$T/two"
like "$(cat "$T/err")" "absent" "it is named"
exits 64 "no references" "$BIN/sk-bleu-eval" -i "$T/two"
exits 64 "files and a model directory" "$BIN/sk-bleu-eval" -r "$T/two" "$T"
exits 64 "an unknown tokeniser" "$BIN/sk-bleu-eval" -r "$T/two" --tokenize intl

data=$SHARED/data/multi30k
if [ -r "$data/val.de.gz" ]; then
    is "$(bleu -i "$data/val.bpe8000.de.gz" -r "$data/val.de.gz" --tokenize none -w 4)" "BLEU${tab}66.4709" \
        "Multi30k: subwords against words, none"
    is "$(bleu -i "$data/test_2016_flickr.bpe8000.en.gz" -r "$data/test_2016_flickr.en.gz" -w 4)" "BLEU${tab}71.1501" \
        "Multi30k: subwords against words, 13a"
else
    skip "no Multi30k in $data"
fi

# --- checkpoints -------------------------------------------------------------------
# Eight words and their translations, in order: learned in a few seconds.
awk 'BEGIN { srand(7); for (i = 0; i < 400; i++) { n = 1 + int(6 * rand()); s = t = ""
    for (k = 0; k < n; k++) { w = int(8 * rand()); s = s " a" w; t = t " b" w }
    print substr(s, 2) "\t" substr(t, 2) } }' >"$T/pairs"
cut -f1 "$T/pairs" >"$T/train.src"
cut -f2 "$T/pairs" >"$T/train.trg"
head -n 40 "$T/train.src" >"$T/val.src"
head -n 40 "$T/train.trg" >"$T/val.trg"
m=$T/model
train() {
    "$BIN/sk-train-shard" --source "$T/train.src" --target "$T/train.trg" --validation-source "$T/val.src" \
        --validation-target "$T/val.trg" --output "$m" --use-cpu --num-layers 1 --transformer-model-size 16 \
        --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 --batch-size 400 \
        --initial-learning-rate 0.01 --checkpoint-frequency 40 --threads 1 --max-updates "$1"
}
ok "a model is trained" train 120

exits 0 "the best checkpoint is translated and scored" "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1
score=$(sed -n "1s/^BLEU$tab//p" "$T/out")
like "$score" '^[0-9]+\.[0-9][0-9]$' "BLEU is the first line of standard output"
n=$(readlink "$m/params.best" | sed 's/.*\.//')      # 00003
ok "translations are stored" test -s "$m/eval/$n.out"
is "$(wc -l <"$m/eval/$n.out" | tr -d ' ')" 40 "one line for each line of the validation text"
is "$(bleu -i "$m/eval/$n.out" -r "$m/validation.trg" --tokenize none)" "BLEU${tab}$score" \
    "the score is that of the stored translations"
like "$(cat "$m/eval/$n.json")" '"bleu-val": 0\.[0-9]+|"bleu-val": 1\.0' "bleu-val is stored, 0 to 1"
like "$(grep "^$(echo "$n" | sed 's/^0*//')$tab" "$m/metrics")" "${tab}bleu-val=[0-9.e-]+($tab|$)" \
    "and taken over into metrics, since nobody trains"
before=$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")
exits 0 "again" "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1
is "$(sed -n "1s/^BLEU$tab//p" "$T/out")" "$score" "the same score"
is "$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")" "$before" "and nothing has changed"
exits 0 "with other options" "$BIN/sk-bleu-eval" "$m" --beam-size 1 --use-cpu --threads 1
is "$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")" "$before" "nothing is stored"
like "$(cat "$T/err")" "not stored" "and it says so"

exits 0 "several checkpoints" "$BIN/sk-bleu-eval" "$m" --checkpoint 1 2 --use-cpu --threads 1 --batch-size 3
is "$(cut -f1,3 "$T/out" | tr '\n\t' '  ')" "BLEU 1 BLEU 2 " "a line for each, with its number"
ok "both are stored" test -s "$m/eval/00001.json" -a -s "$m/eval/00002.json"

# What a killed evaluator leaves: translations without a record.
cp "$m/eval/00001.out" "$T/00001.out"
rm "$m/eval/00001.json"
echo garbage >"$m/eval/00001.out"
exits 0 "an evaluation that was killed is done again" "$BIN/sk-bleu-eval" "$m" -c 1 --use-cpu --threads 2
same "$m/eval/00001.out" "$T/00001.out" "the same translations, with other batches and threads"

# Translations that no longer are what the record says are not scored.
echo garbage >"$m/eval/00001.out"
exits 0 "damaged translations are made anew" "$BIN/sk-bleu-eval" "$m" -c 1 --use-cpu --threads 1
like "$(cat "$T/err")" "not stored" "and not stored over the record"
printf '{"format": 1, "checkpoint": 2}\n' >"$m/eval/00002.json"
exits 65 "a damaged record is refused" "$BIN/sk-bleu-eval" "$m" -c 2 --use-cpu --threads 1
like "$(cat "$T/err")" "eval/00002.json" "and named"

exits 66 "a checkpoint that is not there" "$BIN/sk-bleu-eval" "$m" -c 77 --use-cpu --threads 1
like "$(cat "$T/err")" "00077" "it is named"
exits 66 "a folder without a model" "$BIN/sk-bleu-eval" "$T" --use-cpu
exits 64 "a checkpoint that is no number" "$BIN/sk-bleu-eval" "$m" -c last --use-cpu

done_testing
