#!/bin/sh
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
exits 64 "files and a model directory" "$BIN/sk-bleu-eval" "$T" -r "$T/two"
exits 64 "an unknown tokeniser" "$BIN/sk-bleu-eval" -r "$T/two" --tokenize mecab

# --- metrics -------------------------------------------------------------------
exits 0 "three metrics" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/ref" --metrics bleu chrf ter
is "$(cat "$T/out")" "BLEU${tab}69.06
chrF2${tab}58.95
TER${tab}47.06" "a line for each"
is "$(cut -d '|' -f 1 "$T/err" | tr '\n' ' ')" "BLEU chrF2 TER " "a signature for each"
like "$(cat "$T/err")" '^BLEU\|nrefs:1\|.* = 85\.7/72\.2/66\.7/66\.7 \(BP = 0\.953 ratio = 0\.955 hyp_len = 21 ref_len = 22\)$' \
    "BLEU's with its parts"
is "$(bleu -i "$T/hyp" -r "$T/ref" -m ter chrf | cut -f 1 | tr '\n' ' ')" "TER chrF2 " "in the order given, and no others"
is "$(bleu -i "$T/hyp" -r "$T/ref" -m chrf --chrf-word-order 2 --chrf-beta 3)" "chrF3++${tab}58.66" "chrF++, beta"
is "$(bleu -i "$T/hyp" -r "$T/ref" -m rouge1 rouge2 rougel | cut -f 1 | tr '\n' ' ')" "ROUGE-1 ROUGE-2 ROUGE-L " "ROUGE"
# Each option of a metric changes what sacreBLEU 2.6.0 prints for these lines in the same way.
printf 'It'\''s  5.3 \346\227\245\346\234\254\343\200\202 a, B\n' >"$T/h1"
printf 'it'\''s 5.3 \346\227\245\346\234\254\350\252\236\343\200\202 A b! &amp; c\n' >"$T/r1"
printf 'The "cat"\n' >"$T/h2"
printf 'the dog, and a cat &quot;cat&quot;\n' >"$T/r2"
metric() { # HYPOTHESES REFERENCES DIGITS OPTION...
    h=$1
    r=$2
    digits=$3
    shift 3
    is "$(bleu -i "$T/$h" -r "$T/$r" -w 4 "$@" | cut -f 2)" "$digits" "$*"
}
metric h2 r2 17.0357 --smooth-method exp
metric h2 r2 11.3924 --smooth-method floor
metric h2 r2 16.3917 --smooth-method add-k --smooth-value 0.5
metric h2 r2 0.0000 --smooth-method none
echo "a b" >"$T/h3"
echo "a b c d" >"$T/r3"
metric h3 r3 0.0000 --tokenize 13a
metric h3 r3 36.7879 --effective-order
metric h1 r1 35.2147 --metrics chrf
metric h1 r1 43.2302 --metrics chrf --chrf-char-order 3
metric h1 r1 30.6440 --metrics chrf --chrf-whitespace
metric h1 r1 43.3446 --metrics chrf --chrf-lowercase
metric h1 r1 35.1980 --metrics chrf --chrf-eps-smoothing
metric h1 r1 71.4286 --metrics ter
metric h1 r1 55.5556 --metrics ter --ter-normalized
metric h1 r1 42.8571 --metrics ter --ter-no-punct
metric h1 r1 41.6667 --metrics ter --ter-normalized --ter-asian-support
metric h1 r1 85.7143 --metrics ter --ter-case-sensitive
exits 64 "an unknown metric" "$BIN/sk-bleu-eval" -r "$T/two" --metrics bleu meteor
like "$(cat "$T/err")" "meteor" "it is named"
exits 64 "a metric twice" "$BIN/sk-bleu-eval" -r "$T/two" --metrics bleu bleu
exits 64 "a smoothing value without its method" "$BIN/sk-bleu-eval" -r "$T/two" --smooth-value 0.5

# --- lines, systems, references ----------------------------------------------------
is "$(bleu -i "$T/hyp" -r "$T/ref" --sentence --metrics bleu ter | cut -f 2)" "87.50
25.00
0.00" "--sentence: a line for each line, a column for each metric"
is "$(bleu -i "$T/hyp" -r "$T/ref" --sentence | wc -l | tr -d ' ')" 3 "and nothing else on standard output"
like "$(cat "$T/err")" 'eff:yes' "BLEU of lines counts effective orders"
is "$(bleu -i "$T/hyp" "$T/ref" -r "$T/ref" -s -w 0 | cut -f 2 | tr '\n' ' ')" "100 100 100 " "a column for each file"
is "$(bleu -i "$T/hyp" "$T/ref" "$T/odd" -r "$T/ref" --mean)" "BLEU${tab}78.59${tab}sd=18.57" "mean and standard deviation"
is "$(bleu -i "$T/hyp" -r "$T/ref" --mean)" "BLEU${tab}69.06${tab}sd=-" "one file has none"
printf 'a b c d\tx\na b\n' >"$T/tabs"
printf 'a b c d\na b\n' >"$T/left"
printf 'x\n\n' >"$T/right"
printf 'x\na b\n' >"$T/out2"
is "$(bleu -i "$T/out2" -r "$T/left" -w 4 -m ter)" "TER${tab}66.6667" "one reference"
is "$(bleu -i "$T/out2" -r "$T/left" "$T/right" -w 4 -m ter)" "TER${tab}0.0000" "two"
is "$(bleu -i "$T/out2" -r "$T/left" "$T/right" -w 4 -m bleu ter --variable-references | tail -n 1)" "TER${tab}0.0000" "two or one"
like "$(cat "$T/err")" 'nrefs:var' "the signature says so"
is "$(bleu -i "$T/left" -r "$T/left" "$T/right" -w 1 -m ter) $(bleu -i "$T/left" -r "$T/left" "$T/right" -w 1 -m ter \
    --variable-references)" "TER${tab}0.0 TER${tab}0.0" "an empty reference is the worst or none"
is "$(bleu -i "$T/out2" -r "$T/left" "$T/right" -m chrf) $(bleu -i "$T/out2" -r "$T/left" "$T/right" -m chrf \
    --variable-references)" "chrF2${tab}100.00 chrF2${tab}100.00" "chrF takes the best"
printf 'a b c d\tx\na b\t\n' >"$T/both"
is "$(bleu -i "$T/out2" -r "$T/both" --num-refs 2 -m ter -w 4)" "TER${tab}0.0000" "references separated by tabs"
like "$(cat "$T/err")" 'nrefs:2' "are two"
exits 65 "a line has one only" "$BIN/sk-bleu-eval" -i "$T/out2" -r "$T/tabs" --num-refs 2
like "$(cat "$T/err")" "tabs:2: 1 fields, but 2 references" "it is named"
is "$(bleu -i "$T/out2" -r "$T/tabs" --num-refs 2 -m ter --variable-references)" "TER${tab}0.00" "unless they may vary"
exits 65 "a line without any" "$BIN/sk-bleu-eval" -i "$T/out2" -r "$T/right" --variable-references
like "$(cat "$T/err")" "right:2: none of the references" "is named"
exits 64 "tabs in one of several files" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/ref" "$T/ref" --num-refs 2
exits 64 "standard input twice" "$BIN/sk-bleu-eval" -i - -r -
exits 64 "no operand" "$BIN/sk-bleu-eval" </dev/null
is "$(bleu -i "$T/hyp" -r "$T/two" --not-strict -m ter)" "$(head -n 2 "$T/hyp" | bleu -r "$T/two" -m ter)" \
    "--not-strict: the longer file is cut"
exits 65 "the second of two references is short" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/ref" "$T/two"
like "$(cat "$T/err")" "hyp has 3 lines, but .*two has 2" "both are named"
exits 65 "the second of two hypotheses is long" "$BIN/sk-bleu-eval" -i "$T/two" "$T/hyp" -r "$T/two"
like "$(cat "$T/err")" "two has 2 lines, but .*hyp has 3" "both are named"
is "$(cat "$T/out")" "" "nothing is printed"
printf 'a\0b\n\0\n' >"$T/nul"
is "$(bleu -i "$T/nul" -r "$T/nul" -m chrf ter)" "chrF2${tab}100.00
TER${tab}0.00" "NUL bytes are text"
head -c 1048577 /dev/zero | tr '\0' x >"$T/long"
exits 65 "a line over a mebibyte" "$BIN/sk-bleu-eval" -i "$T/long" -r "$T/long"
like "$(cat "$T/err")" "long:1: a line of 1048577 bytes" "it is named"

# --- chance ------------------------------------------------------------------------
cat "$T/hyp" "$T/hyp" "$T/ref" "$T/hyp" >"$T/hyp12"
cat "$T/ref" "$T/ref" "$T/ref" "$T/ref" >"$T/ref12"
exits 0 "confidence" "$BIN/sk-bleu-eval" -i "$T/hyp12" -r "$T/ref12" --confidence
like "$(cat "$T/out")" "^BLEU${tab}[0-9.]+${tab}mean=[0-9.]+${tab}ci=[0-9.]+\$" "an interval"
like "$(cat "$T/err")" 'nrefs:1\|bs:1000\|seed:12345\|' "the signature says how"
cp "$T/out" "$T/first"
exits 0 "again, threads" "$BIN/sk-bleu-eval" -i "$T/hyp12" -r "$T/ref12" --confidence --threads 3
same "$T/out" "$T/first" "the same"
exits 0 "another seed" "$BIN/sk-bleu-eval" -i "$T/hyp12" -r "$T/ref12" --confidence --seed 1
ok "not the same" test "$(cat "$T/out")" != "$(cat "$T/first")"
exits 0 "fewer resamples" "$BIN/sk-bleu-eval" -i "$T/hyp12" -r "$T/ref12" --confidence --samples 50
ok "not the same either" test "$(cat "$T/out")" != "$(cat "$T/first")"
like "$(cat "$T/err")" 'bs:50\|' "the signature says so"
exits 0 "paired" "$BIN/sk-bleu-eval" -i "$T/hyp12" "$T/ref12" "$T/hyp12" -r "$T/ref12" --paired
like "$(tail -n 1 "$T/out")" "hyp12${tab}mean=[0-9.]+${tab}ci=[0-9.]+${tab}p=0\.0010\$" \
    "equal systems: no resample differs by more, p = 1/1001"
is "$(cut -f 1 "$T/out" | tr '\n' ' ')$(grep -c p= "$T/out")" "BLEU BLEU BLEU 2" "the baseline has no p"
exits 64 "paired with one file" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/ref" --paired
exits 64 "mean and confidence" "$BIN/sk-bleu-eval" -i "$T/hyp" -r "$T/ref" --mean --confidence
exits 64 "lines of a checkpoint" "$BIN/sk-bleu-eval" "$T" --sentence

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
for name in bleu chrf ter rouge1 rouge2 rougel; do
    value=$(grep "^$(echo "$n" | sed 's/^0*//')$tab" "$m/metrics" | tr '\t' '\n' | sed -n "s/^$name-val=//p")
    like "$value" '^[0-9.e-]+$' "$name-val is in metrics, since nobody trains"
    want=$(bleu -i "$m/eval/$n.out" -r "$m/validation.trg" --metrics "$name" --tokenize none --offset 0.01 -w 8 | cut -f 2)
    is "$(awk "BEGIN { print $value * 100 - $want < 1e-6 && $want - $value * 100 < 1e-6 }")" 1 "it is that of the translations"
done
exits 0 "other metrics of it" "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1 --metrics chrf bleu --chrf-word-order 1 --lowercase
is "$(cut -f 1 "$T/out" | tr '\n' ' ')" "chrF2+ BLEU " "are printed"
is "$(cat "$T/out")" "$(bleu -i "$m/eval/$n.out" -r "$m/validation.trg" --tokenize none --metrics chrf bleu --chrf-word-order 1 \
    --lowercase)" "as of its translations"
like "$(cat "$T/err")" 'chrF2\+\|nrefs:1\|.*nw:1' "with their signatures"
before=$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")
exits 0 "again" "$BIN/sk-bleu-eval" "$m" --use-cpu --threads 1
is "$(sed -n "1s/^BLEU$tab//p" "$T/out")" "$score" "the same score"
is "$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")" "$before" "and nothing has changed"
exits 0 "with other options" "$BIN/sk-bleu-eval" "$m" --beam-size 1 --use-cpu --threads 1
is "$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")" "$before" "nothing is stored"
like "$(cat "$T/err")" "not stored" "and it says so"
exits 0 "with other numbers" "$BIN/sk-bleu-eval" "$m" --dtype bfloat16 --use-cpu --threads 1
is "$(cksum "$m/eval/$n.json" "$m/eval/$n.out" "$m/metrics")" "$before" "nothing is stored"
like "$(tr '\n' ' ' <"$T/err")" "bfloat16.*not stored" "and the device says what it multiplies"

exits 0 "several checkpoints" "$BIN/sk-bleu-eval" "$m" --checkpoint 1 2 --use-cpu --threads 1 --batch-size 3
is "$(cut -f1,3 "$T/out" | tr '\n\t' '  ')" "BLEU 1 BLEU 2 " "a line for each, with its number"
ok "both are stored" test -s "$m/eval/00001.json" -a -s "$m/eval/00002.json"
grep -v '"dtype"' "$m/eval/00002.json" >"$T/old.json"
cp "$T/old.json" "$m/eval/00002.json"
exits 0 "a record of before there were number types" "$BIN/sk-bleu-eval" "$m" -c 2 --use-cpu --threads 1
like "$(cat "$T/err")" "scored as stored" "is one of float32"
rm "$m/eval/00002.json"
exits 0 "bfloat16" "$BIN/sk-bleu-eval" "$m" -c 2 --use-cpu --threads 1 --dtype bfloat16
like "$(cat "$m/eval/00002.json")" '"dtype": "bfloat16"' "is recorded"

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
