#!/bin/sh
# sk-translate - lines in, lines out: order, company, pieces, streams, errors.
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
    --validation-source "$T/val.src" --validation-target "$T/val.trg" --output "$m" --use-cpu --num-layers 1 \
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
    --batch-size 400 --initial-learning-rate 0.01 --checkpoint-frequency 50 --threads 1 --max-updates 100 \
    --max-seq-len 12 --num-words 0:7
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

# On a terminal: a live line.
if command -v python3 >/dev/null; then
    { cat "$T/in"; echo; cat "$T/in"; echo; cat "$T/in"; echo; } >"$T/much"
    TERM=xterm python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))' "$BIN/sk-translate" -m "$m" --use-cpu \
        --threads 1 --batch-size 1 -i "$T/much" -o "$T/other" >"$T/terminal" 2>&1 </dev/null
    like "$(tr '\r' '\n' <"$T/terminal")" "^[0-9]+ lines translated, [0-9.]+/s, [0-9]+%, [0-9]+:[0-9]{2}:[0-9]{2} left" \
        "a terminal sees lines, rate and time left"
    cat "$T/plain" "$T/plain" "$T/plain" >"$T/want"
    same "$T/other" "$T/want" "which changes nothing"
else
    skip "python3 is not installed"
fi

# --- what a line holds ----------------------------------------------------------------
translate --output-type benchmark <"$T/in" >"$T/got"
is "$(sed -n 30p "$T/got" | sed 's/translation_time=.*//')" \
    "input=a3 a4${tab}output=$(sed -n 30p "$T/plain")${tab}input_tokens=2${tab}output_tokens=$(sed -n 30p "$T/plain" | wc -w | tr -d ' ')${tab}" \
    "benchmark: input, output and their lengths"
like "$(sed -n 30p "$T/got")" "${tab}translation_time=[0-9]+\.[0-9]{4}\$" "and the time"
is "$(grep -c '<unk>' "$T/plain")" "$(grep -c . <<END
$(grep '<unk>' "$T/plain")
END
)" "the model knows a word it cannot write"
translate --strip-unknown-words --output-type translation_with_score <"$T/in" >"$T/got"
sed 's/<unk> *//g; s/ *$//' "$T/plain" >"$T/want"
cut -f 2 "$T/got" >"$T/other"
same "$T/other" "$T/want" "--strip-unknown-words takes <unk> out"
cut -f 1 "$T/got" >"$T/other"
same "$T/other" "$T/score" "and leaves scores as they are"
translate --output-type json <"$T/in" | sed -n 26p >"$T/got"
is "$(cat "$T/got")" '{"score": null, "sentence_id": 26, "translation": ""}' "json of an empty line"
translate --output-type json <"$T/in" | sed -n 30p >"$T/got"
like "$(cat "$T/got")" "^\{\"score\": [0-9.e-]+, \"sentence_id\": 30, \"translation\": \"$(sed -n 30p "$T/plain")\"\}\$" \
    "json of another"

# --- n best ------------------------------------------------------------------------------
cat >"$T/nbest.py" <<'END'
import json, sys
# The best of each list as "score<TAB>text"; then what is wrong with the lists.
most, best = int(sys.argv[1]), open(sys.argv[2], "w")
sizes = set()
for number, line in enumerate(sys.stdin, 1):
    o = json.loads(line, parse_constant=lambda c: sys.exit("no JSON: " + c))
    texts, scores = o["translations"], o["scores"]
    score = "-inf" if o["score"] is None else "%.3f" % o["score"]
    best.write(score + "\t" + o["translation"] + "\n")
    sizes.add(len(texts))
    if o["sentence_id"] != number: print(number, "has another id")
    if texts[0] != o["translation"] or scores[0] != o["score"]: print(number, "the first is not the best")
    if len(texts) != len(scores) or len(texts) > most: print(number, "has wrong lengths")
    if scores[0] is not None and scores != sorted(scores): print(number, "is not sorted")
    if len(texts) != len(set(texts)): print(number, "says something twice")
    if list(o) != sorted(o): print(number, "keys are not sorted")
if max(sizes) != most: print("lists have", sizes)
END
if command -v python3 >/dev/null; then
    for n in 2 4; do
        translate --nbest-size $n --batch-size 3 <"$T/in" >"$T/nbest"
        is "$(python3 "$T/nbest.py" $n "$T/other" <"$T/nbest")" "" "--nbest-size $n: sorted lists, as JSON"
        same "$T/other" "$T/both" "the best is the one that is given alone"
    done
    translate --nbest-size 4 --threads 2 --batch-size 40 <"$T/in" >"$T/other"
    same "$T/other" "$T/nbest" "the same bytes with other batches and threads"
    translate --nbest-size 5 <"$T/with-long" | tail -n 1 >"$T/got"
    is "$(python3 -c 'import json, sys; o = json.load(sys.stdin); print(len(o["translations"]), o["translation"])' <"$T/got")" \
        "5 $(translate <"$T/with-long" | tail -n 1)" "n best of a line in pieces"
else
    skip "python3 is not installed"
fi
exits 64 "more than the beam has" "$BIN/sk-translate" -m "$m" --nbest-size 6 </dev/null
like "$(cat "$T/err")" "beam of 5" "which is said"
translate --nbest-size 2 --output-type score </dev/null
like "$(cat "$T/err")" "warning: .*writing json" "n best are JSON whatever else is asked for, with a warning"
translate --nbest-size 2 --beam-search-stop first </dev/null
like "$(cat "$T/err")" "warning: .*searching to the end" "they need the whole search"

# --- JSON in ---------------------------------------------------------------------------------
cat >"$T/json.in" <<'END'
{"text": "a1 a2", "id": 7, "x": {"b": [0.1, 1e300, -3, true, null, "\u00fc\n"], "a": {}}, "score": "mine"}
{"text": "a1 a2"
["a1"]
{"words": "a1 a2"}
{"text": 3, "id": "three"}

{"text": "a1 a2", "constraints": [["b1"]]}
{"text": "", "constraints": [], "avoid": null, "error": "mine"}
{"text": "a3\ta4"}
{"text": "a1 \u0000 a2"}
END
one=$(printf 'a1 a2\n' | translate)
translate --json-input --output-type json <"$T/json.in" >"$T/got"
is "$?$(wc -l <"$T/got" | tr -d ' ')" 010 "a line for each, good or bad"
like "$(sed -n 1p "$T/got")" "^\{\"id\": 7, \"score\": [0-9.]+, \"sentence_id\": 1, \"translation\": \"$one\", \"x\": \{\"a\": \{\}, \"b\": \[0.1, 1e\+300, -3, true, null, \"ü\\\\n\"\]\}\}\$" \
    "other keys are passed through"
is "$(sed -n 3p "$T/got")" '{"error": "no JSON object", "score": null, "sentence_id": 3, "translation": ""}' \
    "what is no object has an error"
is "$(grep -c '"error": "' "$T/got")" 7 "so have all that cannot be translated"
like "$(sed -n 5p "$T/got")" '"id": "three"' "they keep their keys"
like "$(sed -n 7p "$T/got")" '"constraints\\" is no list of strings' "so has what is asked for in a wrong way"
is "$(sed -n 8p "$T/got")" '{"score": null, "sentence_id": 8, "translation": ""}' "an empty text is none"
like "$(sed -n 9p "$T/got")" "\"translation\": \"$(sed -n 30p "$T/plain")\"" "white space is white space"
is "$(grep -c 'warning: input line [0-9]* is not translated' "$T/err")" 7 "each has a warning with its number"
translate --json-input <"$T/json.in" >"$T/got"
is "$(sed -n '2,7p' "$T/got" | tr -d '\n')$(sed -n 1p "$T/got")" "$one" "as text they are empty lines"
translate --json-input --output-type score <"$T/json.in" >"$T/got"
is "$(sed -n 2p "$T/got")" "-inf" "without a score"
if command -v python3 >/dev/null; then
    python3 -c 'print("[" * 100000 + "]" * 100000); print("{\"text\": \"a1\", \"n\": " + "9" * 400 + "}")
print("{\"text\": \"" + "a1 " * 20000 + "\"}"); print("{\"text\": \"\\ud800\"}")
print("{\"text\": \"a1\"} \u00e9"); print("{\"text\": \"a1\", \"\\u001b\\t\\\\\": \"\\u0001\\\"/\"}")' >"$T/hostile"
    translate --json-input --output-type json <"$T/hostile" >"$T/got"
    is "$?$(wc -l <"$T/got" | tr -d ' ')$(grep -c '"error"' "$T/got")" 064 "depths, numbers, lengths and half characters"
    is "$(sed -n '6s/, "score.*//p' "$T/got")" '{"\u001b\t\\": "\u0001\"/"' "what must be escaped is"
    is "$(python3 -c 'import json, sys; print(sum(type(json.loads(l)) is dict for l in sys.stdin))' <"$T/got")" 6 "all is JSON"
fi

# --- several models together ------------------------------------------------------------------
cp -r "$m" "$T/twin"
translate -m "$m" "$T/twin" -c best best --output-type translation_with_score <"$T/in" >"$T/got"
same "$T/got" "$T/both" "a model with its twin is the model, to the digit"
translate -c 2 2 --ensemble-mode log_linear <"$T/in" >"$T/got"
same "$T/got" "$T/plain" "log_linear as well"
translate -c 1 --output-type score <"$T/in" >"$T/first"
translate -c 1 2 --output-type score <"$T/in" >"$T/linear"
translate -c 1 2 --output-type score --ensemble-mode log_linear <"$T/in" >"$T/log-linear"
is "$(for a in first linear log-linear; do for b in linear log-linear score; do
    cmp -s "$T/$a" "$T/$b" && [ $a != $b ] && echo "$a $b"; done; done)" "" "two different ones make other scores, each mode its own"
translate -m "$T/twin" "$m" -c 2 1 --batch-size 3 --threads 2 --output-type score <"$T/in" >"$T/got"
same "$T/got" "$T/linear" "the same in whatever order, batch and threads"
like "$(cat "$T/err")" "translating with $T/twin/params.00002" "all are named"
exits 64 "three checkpoints for two models" "$BIN/sk-translate" -m "$m" "$T/twin" -c 1 2 2 </dev/null
awk '/: 5,/ { five = $0; next } /: 6,/ { six = $0; sub(/: 6/, ": 5", six); sub(/: 5/, ": 6", five); print six; print five; next }
    { print }' "$m/vocab.trg.0.json" >"$T/twin/vocab.trg.0.json"
exits 78 "other words" "$BIN/sk-translate" -m "$m" "$T/twin" </dev/null
like "$(cat "$T/err")" "$m and $T/twin have different target vocabularies" "both models are named"
exits 66 "one of them is missing" "$BIN/sk-translate" -m "$m" "$T/absent" </dev/null

# --- the search ------------------------------------------------------------------------------------
translate --beam-search-stop first --output-type score <"$T/in" >"$T/got"
is "$(paste "$T/got" "$T/score" | awk '$1 < $2 { worse++ } $1 > $2 { better++ } END { print worse + 0, (better > 0) }')" "0 1" \
    "--beam-search-stop first finds the same or worse"
translate --beam-prune 0.001 --length-penalty-alpha 4 --output-type score <"$T/in" >"$T/got"
translate --length-penalty-alpha 4 --output-type score <"$T/in" >"$T/wide"
is "$(paste "$T/got" "$T/wide" | awk '$1 < $2 { worse++ } $1 > $2 { better++ } END { print worse + 0, (better > 0) }')" "0 1" \
    "so does --beam-prune"
translate --beam-prune 1000 --length-penalty-alpha 4 --output-type score <"$T/in" >"$T/got"
same "$T/got" "$T/wide" "unless its threshold is far"
translate --length-penalty-alpha 0 <"$T/in" >"$T/got"
short=$(wc -w <"$T/got")
ok "--length-penalty-alpha 0 makes shorter translations" test "$short" -lt "$(translate --length-penalty-alpha 4 <"$T/in" | wc -w)"
translate --length-penalty-alpha 0 --output-type score <"$T/val.src" >"$T/got"
translate --length-penalty-beta 100000 --output-type score <"$T/val.src" >"$T/other"
is "$(paste "$T/got" "$T/other" | awk '$1 - $2 > 0.002 || $2 - $1 > 0.002')" "" "--length-penalty-beta 100000 leaves sums as they are"
translate --max-output-length-num-stds 20 --length-penalty-alpha 5 <"$T/in" >"$T/got"
translate --max-output-length-num-stds 0 --length-penalty-alpha 5 <"$T/in" >"$T/other"
ok "--max-output-length-num-stds lets translations be longer" test "$(wc -w <"$T/got")" -gt "$(wc -w <"$T/other")"

# --- parameters and errors -------------------------------------------------------------
translate -c 2 <"$T/in" >"$T/second"
translate -c "$m/params.00002" <"$T/in" >"$T/other"
same "$T/second" "$T/other" "a checkpoint by number and by file"
translate -c best <"$T/in" >"$T/other"
same "$T/plain" "$T/other" "params.best is the default"

# --- number types ----------------------------------------------------------------------
translate --output-type translation_with_score --dtype float32 <"$T/in" >"$T/float32"
translate --output-type translation_with_score <"$T/in" >"$T/other"
same "$T/other" "$T/float32" "products are float32 by default"
for type in bfloat16 bfloat16-amx int8; do
    translate --output-type translation_with_score --dtype $type <"$T/in" >"$T/$type"
    ok "$type gives other scores" sh -c "! cmp -s '$T/$type' '$T/float32'"
    paste "$T/float32" "$T/$type" >"$T/both"
    ok "near those of float32" awk -F "$tab" 'NF == 4 && $2 == $4 { n++; if (($1 - $3) ^ 2 > 0.0004) bad = 1 }
        END { exit bad || n < 25 }' "$T/both"
    for how in "--batch-size 1" "--threads 2 --batch-size 5" "--threads 8"; do
        # shellcheck disable=SC2086  # several options
        translate --output-type translation_with_score --dtype $type $how <"$T/in" >"$T/other"
        same "$T/other" "$T/$type" "$type: the same with $how"
    done
done
ok "int8 is not bfloat16" sh -c "! cmp -s '$T/int8' '$T/bfloat16'"
exits 64 "an unknown number type" "$BIN/sk-translate" -m "$m" --dtype int4 </dev/null

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
exits 64 "an unknown output type" "$BIN/sk-translate" -m "$m" --output-type jsonl </dev/null
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
