#!/bin/sh
# sk-modeldir(5) against a real model directory: no file, key or value of it
# that the page does not name; its examples do what they say.
. "$(dirname "$0")/tap.sh"

page=bin/sk-modeldir.5
# The page as plain words; NNNNN stands for numbers.
sed 's/\\f.//g; s/\\-/-/g; s/^\.[A-Z]* //; s/"//g' "$page" >"$T/page"
sed -n '/^\.TP/{n;p;}' "$page" | sed 's/^\.[A-Z]* //; s/\\f.//g; s/"//g; s/ , / /g; s/params\. NNNNN/params.NNNNN/
    s/state\. NNNNN/state.NNNNN/; s/eval\/ NNNNN /eval\/NNNNN/; s/tfevents\. /tfevents./' | tr -s ' ' '\n' >"$T/tags"
named() { grep -qE "(^|[^a-zA-Z_-])$1([^a-zA-Z_-]|\$)" "$T/page"; }

# Every path that the programs know.
sed -n 's/^#define SK_MD_[A-Z_]* "\(.*\)"/\1/p' src/modeldir/paths.h >"$T/names"
ok "paths.h names paths" test "$(wc -l <"$T/names")" -ge 15
while read -r name; do
    ok "$name is described" named "$name"
done <"$T/names"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
m=$T/model
train() {
    "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$m" --use-cpu --threads 1 \
        --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 \
        --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 2 --max-updates 5 "$@"
}
exits 0 "a training of three checkpoints" train
exits 0 "one of them is evaluated" "$BIN/sk-bleu-eval" "$m" --checkpoint 2 --use-cpu --threads 1
# shellcheck disable=SC2012
files=$(cd "$m" && find . -type f -o -type l | sed 's|^\./||; s/[0-9]\{5\}/NNNNN/; s/tfevents\..*/tfevents.*/' | sort -u)
ok "there are files" test "$(echo "$files" | wc -l)" -ge 18
for f in $files; do
    ok "$f is described" grep -qxF "$f" "$T/tags"
done

# Keys and names in text files.
keys() {
    grep -o '"[a-z_-]*":' "$m/config.json" | tr -d '":'
    grep -o '"[a-z_-]*":' "$m"/eval/00002.json | tr -d '":'
    tr '\t' '\n' <"$m/metrics" | sed -n 's/=.*//p'
    cut -f 1 "$m/progress" "$m/finished"
}
keys | sort -u >"$T/keys"
ok "there are keys" test "$(wc -l <"$T/keys")" -ge 50
while read -r key; do
    ok "$key is described" named "$key"
done <"$T/keys"
like "$(LC_ALL=C head -c 400 "$m/params.00001" | tr -d '\000')" '"xxh3-file":"[0-9a-f]{32}"' "params carry their checksum"

# The examples of the page.
example() { # FIRST WORD
    awk -v first="$1" '/^\.SH EXAMPLES/ { on = 1 } on && ($1 == first || more) { print; more = /\\e$/ }' "$ROOT/$page" |
        sed 's/\\e/\\/g; s/\\-/-/g'
}
(cd "$T" && eval "$(example sed)") >"$T/curve"
is "$(cut -d ' ' -f 1 "$T/curve" | tr '\n' ' ')" "1 2 3 " "the curve has all checkpoints"
is "$(sed -n 's/^2 //p' "$T/curve")" "$(sed -n 's/^2	.*perplexity-val=\([^	]*\).*/\1/p' "$m/metrics")" "and their perplexities"
ok "waiting for the end ends" timeout 10 sh -c "cd '$T' && $(example until)"
mkdir "$T/moved"
ok "the model is packed" sh -c "cd '$T' && $(example tar) && tar -xf model.tar -C moved"
"$BIN/sk-translate" -m "$m" --use-cpu --threads 1 -q <"$T/text" >"$T/here"
"$BIN/sk-translate" -m "$T/moved/model" --use-cpu --threads 1 -q <"$T/text" >"$T/there"
ok "it has translated" test -s "$T/here"
same "$T/here" "$T/there" "a copy translates the same"

done_testing
