# sk-translate - lines in, lines out: order, company, pieces, streams, errors.
# sanitized
. "$(dirname "$0")/tap.sh"

tab=$(printf '\t')
awk 'BEGIN { srand(5); for (i = 0; i < 400; i++) { n = 1 + int(6 * rand()); s = t = ""
    for (k = 0; k < n; k++) { w = int(8 * rand()); s = s " a" w; t = t " b" w }
    print substr(s, 2) "\t" substr(t, 2) } }' >"$T/pairs"
cut -f1 "$T/pairs" >"$T/train.src"
cut -f2 "$T/pairs" >"$T/train.trg"
head -n 20 "$T/train.src" >"$T/val.src"
head -n 20 "$T/train.trg" >"$T/val.trg"
m=$T/model
ok "a model is trained" "$BIN/sk-train-shard" --source "$T/train.src" --target "$T/train.trg" \
    --validation-source "$T/val.src" --validation-target "$T/val.trg" --output "$m" --use-cpu --num-layers 1 \
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
    --batch-size 400 --initial-learning-rate 0.01 --checkpoint-frequency 50 --threads 1 --max-updates 100 \
    --max-seq-len 12
translate() { "$BIN/sk-translate" -m "$m" --use-cpu --threads 1 "$@" 2>"$T/err"; }

# --- lines and their company --------------------------------------------------------
{
    head -n 25 "$T/train.src"
    printf '\n   \n\302\240\na1 unseen <unk> a2\n\ta3   a4 \r\n'
    printf 'a1 a2 a3 a4 a5 a6 a7 a0 a1 a2 a3 a4\n'
    printf 'a5'
} >"$T/in"
translate <"$T/in" >"$T/plain"
is "$(wc -l <"$T/plain" | tr -d ' ')" 32 "a line out for each line in"
is "$(sed -n '26,28p' "$T/plain" | tr '\n' '|')" "|||" "lines without words give empty lines"
ok "lines with words give words" test "$(sed -n 29p "$T/plain")" -a "$(sed -n 32p "$T/plain")"
like "$(cat "$T/err")" "translated 32 lines .* lines/s" "the rate is reported"
for how in "--batch-size 1" "--batch-size 7 --chunk-size 11" "--chunk-size 1" "--threads 2 --batch-size 5"; do
    # shellcheck disable=SC2086  # several options
    translate $how <"$T/in" >"$T/other"
    same "$T/other" "$T/plain" "the same with $how"
done
sed '$a\' "$T/in" | sed '1!G;h;$!d' >"$T/reversed.in"
translate -i "$T/reversed.in" | sed '1!G;h;$!d' >"$T/other"
same "$T/other" "$T/plain" "the same in reversed order, from a file"
translate --output-type translation_with_score --batch-size 4 <"$T/in" >"$T/both"
translate --output-type score <"$T/in" >"$T/score"
cut -f2 "$T/both" >"$T/other"
same "$T/other" "$T/plain" "translation_with_score: the same translations"
cut -f1 "$T/both" >"$T/other"
same "$T/other" "$T/score" "and the same scores, whatever the batch"
like "$(sed -n 1p "$T/score")" '^[0-9]+\.[0-9]{3}$' "a score is positive, with three decimals"
is "$(sed -n 26p "$T/both")" "-inf$tab" "that of an empty line is -inf"
translate -b 1 <"$T/in" >"$T/greedy"
is "$(wc -l <"$T/greedy" | tr -d ' ')" 32 "greedy search"
translate -b 300 <"$T/val.src" >"$T/other"
is "$(wc -l <"$T/other" | tr -d ' ')" 20 "a beam wider than the vocabulary"

# --- pieces ---------------------------------------------------------------------------
awk 'BEGIN { for (i = 0; i < 30; i++) printf "a%d ", i * i % 8; print "" }' >"$T/long"
xargs -n 12 <"$T/long" >"$T/pieces"
{ cat "$T/val.src" "$T/long"; } >"$T/with-long"
translate <"$T/with-long" | tail -n 1 >"$T/got"
like "$(cat "$T/err")" "warning: .*line 21 has 30 words.* 12 .* 3 pieces" "a long line is cut, and its number named"
translate <"$T/pieces" | paste -s -d ' ' - >"$T/want"
same "$T/got" "$T/want" "its pieces are translated and joined"
xargs -n 4 <"$T/long" >"$T/pieces"
translate --max-input-len 5 <"$T/long" >"$T/got"
translate <"$T/pieces" | paste -s -d ' ' - >"$T/want"
same "$T/got" "$T/want" "--max-input-len 5 cuts after four words"

# --- streams ---------------------------------------------------------------------------
mkfifo "$T/ask" "$T/answer"
"$BIN/sk-translate" -m "$m" --use-cpu --threads 1 -q <"$T/ask" >"$T/answer" &
pid=$!
exec 3>"$T/ask" 4<"$T/answer"
sed -n 1p "$T/in" >&3
first=$(timeout 60 head -n 1 <&4)
is "$first" "$(sed -n 1p "$T/plain")" "a line from a pipe is answered before the next one comes"
sed -n 2p "$T/in" >&3
is "$(timeout 60 head -n 1 <&4)" "$(sed -n 2p "$T/plain")" "and so is the next one"
exec 3>&-
wait "$pid"
is $? 0 "the end of the pipe ends the program"
exec 4<&-
gzip -c "$T/in" >"$T/in.gz"
translate -i "$T/in.gz" -o "$T/file" >"$T/nothing"
same "$T/file" "$T/plain" "from gz to a file"
is "$(cat "$T/nothing"; find "$T" -name "*.tmp" | wc -l)" 0 "and nowhere else"
translate </dev/null >"$T/got"
is "$?$(cat "$T/got")" 0 "no input, no output"
printf 'a1 \377 a2\na3 a\0004 a5\n' >"$T/bad"
translate -i "$T/bad" >"$T/got"
is "$?$(wc -l <"$T/got" | tr -d ' ')$(grep -c warning "$T/err")" 021 "invalid UTF-8 is replaced, with one warning"

# --- parameters and errors -------------------------------------------------------------
translate -c 2 <"$T/in" >"$T/second"
translate -c "$m/params.00002" <"$T/in" >"$T/other"
same "$T/second" "$T/other" "a checkpoint by number and by file"
translate -c best <"$T/in" >"$T/other"
same "$T/plain" "$T/other" "params.best is the default"

exits 66 "a missing model" "$BIN/sk-translate" -m "$T/absent" --use-cpu </dev/null
exits 66 "a missing checkpoint" "$BIN/sk-translate" -m "$m" -c 9 --use-cpu </dev/null
like "$(cat "$T/err")" "00009" "it is named"
exits 66 "a missing input" "$BIN/sk-translate" -m "$m" -i "$T/absent" -o "$T/never" --use-cpu
ok "leaves no output" test ! -e "$T/never"
head -c 60 "$T/in.gz" >"$T/cut.gz"
exits 65 "a truncated gz" "$BIN/sk-translate" -m "$m" -i "$T/cut.gz" -o "$T/never" --use-cpu
ok "leaves no output" test ! -e "$T/never"
is "$(find "$T" -name "*.tmp" | wc -l)" 0 "and nothing else"
exits 64 "no model" "$BIN/sk-translate" </dev/null
exits 64 "a beam of 0" "$BIN/sk-translate" -m "$m" -b 0 </dev/null
exits 64 "pieces without words" "$BIN/sk-translate" -m "$m" -n 1 </dev/null
exits 64 "an unknown output type" "$BIN/sk-translate" -m "$m" --output-type json </dev/null
if [ -w /dev/full ]; then
    status=0
    "$BIN/sk-translate" -m "$m" --use-cpu <"$T/in" >/dev/full 2>"$T/err" || status=$?
    is "$status" 74 "a full disk is an I/O error"
else
    skip "no /dev/full"
fi
head -c 200 "$m/params.00002" >"$T/torn"
exits 65 "a torn params file" "$BIN/sk-translate" -m "$m" -c "$T/torn" --use-cpu </dev/null
like "$(cat "$T/err")" "torn" "it is named"
done_testing
