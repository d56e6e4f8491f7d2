#!/bin/sh
# sk-score - scores of given translations: those that sk-translate reports,
# whatever stands beside them; strange lines keep their place.
# sanitized
. "$(dirname "$0")/tap.sh"

tab=$(printf '\t')
awk 'BEGIN { srand(5); for (i = 0; i < 400; i++) { n = 1 + int(6 * rand()); s = t = ""
    for (k = 0; k < n; k++) { w = int(8 * rand()); s = s " a" w; t = t " b" w; if (w == 3) t = t " b" w }
    print substr(s, 2) "\t" substr(t, 2) } }' >"$T/pairs"
cut -f1 "$T/pairs" >"$T/train.src"
cut -f2 "$T/pairs" >"$T/train.trg"
head -n 20 "$T/train.src" >"$T/val.src"
head -n 20 "$T/train.trg" >"$T/val.trg"
m=$T/model
ok "a model is trained" "$BIN/sk-train-shard" --source "$T/train.src" --target "$T/train.trg" \
    --validation-source "$T/val.src" --validation-target "$T/val.trg" --output "$m" --use-cpu --num-layers 2 \
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
    --batch-size 400 --initial-learning-rate 0.01 --checkpoint-frequency 50 --threads 1 --max-updates 100 \
    --max-seq-len 12 --num-words 0:7
score() { "$BIN/sk-score" -m "$m" --use-cpu --threads 1 "$@" 2>"$T/err"; }

# --- translations of its own -----------------------------------------------------------
{
    head -n 150 "$T/train.src"
    printf '\na1 unseen a2\n\302\240\n\ta3   a4 \na1 a2 a3 a4 a5 a6 a7 a0 a1 a2 a3 a4\n'
} >"$T/source"
for search in "-b 5" "-b 1 -c 1" "--length-penalty-alpha 0.5 --length-penalty-beta 4" "--length-penalty-alpha 0"; do
    # shellcheck disable=SC2086  # several options
    "$BIN/sk-translate" -m "$m" --use-cpu -q $search --output-type translation_with_score <"$T/source" >"$T/both"
    cut -f 1 "$T/both" >"$T/want"
    cut -f 2 "$T/both" >"$T/target"
    # shellcheck disable=SC2086
    score ${search#-b [15]} -s "$T/source" -t "$T/target" >"$T/got"
    same "$T/got" "$T/want" "the scores that sk-translate $search reports for its translations"
done
is "$(grep -c '<unk>' "$T/target" | grep -c '^0$')" 0 "some of which have unknown words"
is "$(sed -n '151p;153p' "$T/got" | tr '\n' ' ')" "-inf -inf " "lines without words on both sides: -inf, as there"
like "$(cat "$T/err")" "scored 155 pairs in .* pairs/s" "the rate is reported"

# --- number types ----------------------------------------------------------------------
"$BIN/sk-translate" -m "$m" --use-cpu -q --dtype bfloat16 --output-type translation_with_score <"$T/source" >"$T/both"
cut -f 1 "$T/both" >"$T/want"
cut -f 2 "$T/both" >"$T/target"
score -s "$T/source" -t "$T/target" --dtype bfloat16 >"$T/got"
same "$T/got" "$T/want" "in bfloat16 the scores that sk-translate reports in bfloat16"
score -s "$T/source" -t "$T/target" >"$T/other"
ok "and not those of float32, the default" sh -c "! cmp -s '$T/got' '$T/other'"

# --- company, forms ---------------------------------------------------------------------
score -s "$T/train.src" -t "$T/train.trg" >"$T/plain"
is "$(wc -l <"$T/plain" | tr -d ' ')" 400 "a score for each pair"
like "$(sed -n 1p "$T/plain")" '^[0-9]+\.[0-9]{3}$' "with three decimals"
for how in "--batch-size 1" "--batch-size 50" "--batch-size 100000 --threads 2"; do
    # shellcheck disable=SC2086
    score $how -s "$T/train.src" -t "$T/train.trg" >"$T/got"
    same "$T/got" "$T/plain" "the same with $how"
done
gzip -c "$T/train.src" >"$T/train.src.gz"
score -s "$T/train.src.gz" -t - -o "$T/got" <"$T/train.trg" >"$T/nothing"
same "$T/got" "$T/plain" "from gz and standard input into a file"
is "$(cat "$T/nothing"; find "$T" -name "*.tmp" | wc -l)" 0 "and nowhere else"
score --score-type logprob -s "$T/train.src" -t "$T/train.trg" | sed 's/^-//' >"$T/got"
same "$T/got" "$T/plain" "logprob is the negative"
score --output-type pair_with_score -s "$T/train.src" -t "$T/train.trg" >"$T/got"
paste "$T/plain" "$T/train.src" "$T/train.trg" >"$T/want"
same "$T/got" "$T/want" "pair_with_score: score, source, target"
# For alpha 0 the sum, else over the number of words.
score --length-penalty-alpha 0 -s "$T/train.src" -t "$T/train.trg" | paste - "$T/plain" "$T/train.trg" | awk -F "$tab" \
    '{ d = $1 - $2 * split($3, w, " "); if (d > 0.01 || d < -0.01) print NR, $0 }' >"$T/got"
is "$(cat "$T/got")" "" "scores are sums of log probabilities over lengths"
score -c 1 -s "$T/train.src" -t "$T/train.trg" >"$T/one"
score -c "$m/params.00001" -s "$T/train.src" -t "$T/train.trg" >"$T/got"
same "$T/got" "$T/one" "another checkpoint, by number and by file"
ok "the first one finds the text less probable" test "$(awk '{ s += $1 } END { print int(1000 * s) }' "$T/one")" -gt \
    "$(awk '{ s += $1 } END { print int(1000 * s) }' "$T/plain")"

mkfifo "$T/ask" "$T/answer"
yes a1 2>/dev/null | head -n 3 >"$T/three"
"$BIN/sk-score" -m "$m" --use-cpu --threads 1 -q -s "$T/three" -t "$T/ask" >"$T/answer" &
pid=$!
exec 4<"$T/answer" 3>"$T/ask"
echo b1 >&3
like "$(timeout 60 head -n 1 <&4)" '^[0-9.]+$' "a line from a pipe is answered before the next one comes"
printf 'b2\nb3\n' >&3
exec 3>&-
wait "$pid"
is $? 0 "the end of the pipe ends the program"
exec 4<&-

# --- strange pairs ----------------------------------------------------------------------------
thirteen='a1 a2 a3 a4 a5 a6 a7 a0 a1 a2 a3 a4 a5'
{ echo a1; echo; echo "$thirteen"; echo a2; echo a3; echo; } >"$T/source"
{ echo b1; echo b1; echo b1; echo; echo "$thirteen" | tr a b; echo; } >"$T/target"
score -s "$T/source" -t "$T/target" >"$T/got"
is "$?" 0 "strange pairs are no error"
is "$(sed 's/^[0-9].*/number/' "$T/got" | tr '\n' ' ')" "number inf inf inf inf -inf " \
    "no source, too long a source, no translation, too long a translation, nothing"
like "$(score --length-penalty-beta 1 -s "$T/source" -t "$T/target" 2>"$T/nothing" | sed -n 4p)" "^[0-9.]+$" \
    "no translation has a score where the penalty is not nothing"
like "$(cat "$T/err")" "warning: line 2 is not scored: it has words, but no source" "the first of each kind is named"
like "$(cat "$T/err")" "warning: line 3 is not scored: it is longer" "(too long)"
like "$(cat "$T/err")" "warning: 3 of 6 pairs are not scored \(inf\): 1 without a source, 2 longer" "and they are counted"
score --score-type logprob -s "$T/source" -t "$T/target" >"$T/got"
is "$(sed 's/^-[0-9].*/number/' "$T/got" | tr '\n' ' ')" "number -inf -inf -inf -inf inf " "negatives of those"
printf 'a1 \377\na2\n' >"$T/bad"
printf 'b1\nb2\n' >"$T/two"
score -s "$T/bad" -t "$T/two" >"$T/got"
is "$?$(grep -c inf "$T/got")$(grep -c 'warning: .*UTF-8' "$T/err")" 001 "invalid UTF-8 is replaced, with one warning"
: >"$T/empty"
score -s "$T/empty" -t "$T/empty" >"$T/got"
is "$?$(cat "$T/got")" 0 "no pairs, no scores"

# On a terminal: a live line.
if command -v python3 >/dev/null; then
    TERM=xterm python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))' "$BIN/sk-score" -m "$m" --use-cpu \
        --batch-size 1 -s "$T/val.src" -t "$T/val.trg" -o "$T/other" >"$T/terminal" 2>&1 </dev/null
    like "$(tr '\r' '\n' <"$T/terminal")" "^[0-9]+ pairs scored, [0-9.]+/s, [0-9]+%, [0-9]+:[0-9]{2}:[0-9]{2} left" \
        "a terminal sees pairs, rate and time left"
else
    skip "python3 is not installed"
fi

# --- errors -------------------------------------------------------------------------------------
exits 65 "a translation is missing" "$BIN/sk-score" -m "$m" --use-cpu -s "$T/train.src" -t "$T/val.trg" -o "$T/never"
like "$(cat "$T/err")" "val.trg has only 20 lines, $T/train.src has more" "which is said"
ok "leaves no output" test ! -e "$T/never"
exits 65 "a source is missing" "$BIN/sk-score" -m "$m" --use-cpu -s "$T/val.src" -t "$T/train.trg" -o "$T/never"
like "$(cat "$T/err")" "val.src has only 20 lines" "which is said"
exits 66 "a missing text" "$BIN/sk-score" -m "$m" --use-cpu -s "$T/absent" -t "$T/val.trg"
exits 66 "a missing model" "$BIN/sk-score" -m "$T/absent" --use-cpu -s "$T/val.src" -t "$T/val.trg"
exits 66 "a missing checkpoint" "$BIN/sk-score" -m "$m" -c 9 --use-cpu -s "$T/val.src" -t "$T/val.trg"
exits 64 "no source" "$BIN/sk-score" -m "$m" -t "$T/val.trg"
exits 64 "both from standard input" "$BIN/sk-score" -m "$m" -s - -t - </dev/null
if [ -w /dev/full ]; then
    status=0
    "$BIN/sk-score" -m "$m" --use-cpu -s "$T/val.src" -t "$T/val.trg" >/dev/full 2>"$T/err" || status=$?
    is "$status" 74 "a full disk is an I/O error"
else
    skip "no /dev/full"
fi
done_testing
