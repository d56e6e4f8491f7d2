#!/bin/sh
# Source factors: trained, translated with, scored with.
# sanitized
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
export UCX_NET_DEVICES=lo

# What a word becomes is half in its factor.
awk -v dir="$T" 'BEGIN {
    srand(9)
    split("train 700 val 40 test 40", f, " ")
    for (k = 1; k in f; k += 2)
        for (i = 0; i < f[k + 1]; i++) {
            n = 2 + int(rand() * 5); s = g = h = t = z = ""
            for (j = 0; j < n; j++) {
                w = int(rand() * 12); c = int(rand() * 3); d = int(rand() * 2); b = j ? " " : ""
                s = s b "s" w; g = g b "f" c; h = h b "h" d; t = t b "t" w "." c; z = z b "s" w "|f" c "|h" d
            }
            print s > (dir "/" f[k] ".src"); print g > (dir "/" f[k] ".1"); print h > (dir "/" f[k] ".2")
            print t > (dir "/" f[k] ".trg"); print z > (dir "/" f[k] ".zipped")
        }
}'
cat >"$T/train" <<EOF
#!/bin/sh
dir=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/\$dir" \\
    --num-layers 1 --transformer-model-size 24:32 --transformer-attention-heads 4 --use-cpu \\
    --transformer-feed-forward-num-hidden 64 --max-seq-len 12 --threads 1 --batch-size 300 \\
    --initial-learning-rate 0.006 --transformer-dropout-prepost 0 --transformer-dropout-act 0 \\
    --transformer-dropout-attention 0 --rnn-num-hidden 32 "\$@"
EOF
chmod +x "$T/train"
column() { sed -nE "s/.*	$2=([^	]*).*/\\1/p" "$T/$1/metrics" | tail -n 1; }
result() { (cd "$T/$1" && cksum params.0* && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics && readlink params.best); }
one="-sf $T/train.1 -vsf $T/val.1"
two="--source-factors $T/train.1 $T/train.2 --validation-source-factors $T/val.1 $T/val.2"

# --- training -----------------------------------------------------------------------
set -- --checkpoint-frequency 125 --max-updates 250
# shellcheck disable=SC2086
{
    exits 0 "concat" "$T/train" concat "$@" $two --source-factors-num-embed 6 2
    exits 0 "sum" "$T/train" sum "$@" $one --source-factors-combine sum
    exits 0 "rnn" "$T/train" rnn "$@" $one --source-factors-num-embed 8 --encoder rnn --decoder rnn \
        --num-embed 16 --rnn-decoder-hidden-dropout 0 --max-updates 500
}
exits 0 "without" "$T/train" without "$@"
# shellcheck disable=SC2086
for model in "few $two --source-factors-num-embed 6 2" few-without; do
    exits 0 "a small vocabulary" "$T/train" $model --num-words 8:0 --max-updates 1
done
is "$(grep '^.*Vocabulary coverage' "$T/few/log" | sed 's/.*coverage: source \([0-9.]*% of tokens\).*/\1/')" \
    "$(grep '^.*Vocabulary coverage' "$T/few-without/log" | sed 's/.*coverage: source \([0-9.]*% of tokens\).*/\1/')" \
    "what of the text is known is said of its words"
for model in concat sum rnn; do
    ok "$model: what the factor says is learned" awk -v with="$(column $model perplexity-val)" \
        -v without="$(column without perplexity-val)" 'BEGIN { exit !(with < 1.6 && without > 2) }'
done
like "$(cat "$T/concat/log")" '^.*Model parameters: source_embed_factor1_weight: \(6, 2\)$' "Sockeye's names and shapes"
is "$(tr -d ' \n' <"$T/concat/vocab.src.2.json" | sed 's/"[^"]*"/X/g' | tr -cd X | wc -c)" 6 "a vocabulary for each factor"
same "$T/concat/validation.src" "$T/val.zipped" "evaluators get words with factors"
is "$(ls "$T/concat/data")" "$(printf 'checksums\ncombinations.json\ncorpus\nvalidation')" "nothing else lies about"

# --- the same bits ------------------------------------------------------------------
set -- --checkpoint-frequency 10 --embed-dropout 0.1:0 --transformer-dropout-prepost 0.1 --source-factors-num-embed 5 3
# shellcheck disable=SC2086
{
    exits 0 "at a stretch" "$T/train" whole "$@" $two --max-updates 40
    exits 0 "in parts" "$T/train" parts "$@" $two --max-updates 13
    gzip -k "$T/val.2"
    rm "$T/parts/data/corpus" "$T/parts/vocab.src.1.json"
    exits 0 "with two threads, a packed file, and what can be made again" "$T/train" parts "$@" --source-factors \
        "$T/train.1" "$T/train.2" -vsf "$T/val.1" "$T/val.2.gz" --max-updates 40 --threads 2
    is "$(result parts)" "$(result whole)" "comes to the same"
    pids=
    for k in 0 1; do
        "$T/train" shards "$@" $two --max-updates 40 --num-shards 2 --shard $k >"$T/shard.$k" 2>&1 &
        pids="$pids $!"
    done
    codes=
    for pid in $pids; do
        wait "$pid"
        codes="$codes $?"
    done
    is "$codes" " 0 0" "two shards"
    is "$(result shards)" "$(result whole)" "come to the same"
    exits 0 "sk-verify" "$BIN/sk-verify" "$T/whole" --threads 1
    like "$(cat "$T/out")" 'right$' "makes it again"
    exits 78 "other factors" "$T/train" whole "$@" --source-factors "$T/train.1" "$T/train.1" -vsf "$T/val.1" "$T/val.2"
    like "$(cat "$T/err")" '\-\-source-factors: the training text of 2 is not the same' "are another run"
    exits 0 "--dry-run" "$T/train" dry "$@" $two --dry-run
    exits 0 "--source-factor-vocabs" "$T/train" given "$@" $two --source-factor-vocabs "$T/whole/vocab.src.1.json" \
        "$T/whole/vocab.src.2.json" --max-updates 40
}
is "$(result given)" "$(result whole)" "vocabularies that are given"
# shellcheck disable=SC2086
exits 78 "others" "$T/train" given "$@" $two --source-factor-vocabs "$T/whole/vocab.src.2.json" "$T/whole/vocab.src.1.json"
# shellcheck disable=SC2086
exits 64 "those of a run that would be removed" "$T/train" given "$@" $two --overwrite-output --source-factor-vocabs \
    "$T/given/vocab.src.1.json" "$T/given/vocab.src.2.json"

# --- translating and scoring --------------------------------------------------------
translate() { model=$1 && shift && "$BIN/sk-translate" -m "$T/$model" --use-cpu --threads 2 "$@" 2>"$T/err"; }
translate concat -i "$T/test.src" -if "$T/test.1" "$T/test.2" >"$T/files.out"
"$BIN/sk-bleu-eval" --hypotheses "$T/files.out" --references "$T/test.trg" --tokenize none >"$T/out" 2>/dev/null
ok "translations are right" awk '{ exit !($2 > 80) }' "$T/out"
diag "$(cat "$T/out")"
translate concat <"$T/test.zipped" >"$T/zipped.out"
same "$T/zipped.out" "$T/files.out" "factors in words"
paste "$T/test.src" "$T/test.1" "$T/test.2" | awk -F '\t' '{ printf "{\"text\": \"%s\", \"factors\": [\"%s\", \"%s\"]}\n", $1, $2, $3 }' |
    translate concat --json-input >"$T/json.out"
same "$T/json.out" "$T/files.out" "in JSON"
for w in 0 1 2 3 4 5 6 7 8 9 10 11; do for c in 0 1 2; do echo "s$w t$w.$c -1"; done; done >"$T/table"
"$BIN/sk-lexicon" -i "$T/table" -o "$T/lexicon" -m "$T/concat" -q 2>"$T/err"
translate concat --restrict-lexicon "$T/lexicon" <"$T/test.zipped" >"$T/out"
is "$(paste "$T/test.src" "$T/out" | awk -F '\t' '{ split("", may); n = split($1, s, " "); for (i = 1; i <= n; i++) may["t" substr(s[i], 2)] = 1
    n = split($2, t, " "); for (i = 1; i <= n; i++) { sub(/\..*/, "", t[i]); if (!(t[i] in may)) print NR, t[i] }
    words += n } END { print (words > 60) }')" 1 "a shortlist is that of the words, whatever their factors"
translate rnn -i "$T/test.src" --input-factors "$T/test.1" >"$T/rnn.out"
"$BIN/sk-bleu-eval" --hypotheses "$T/rnn.out" --references "$T/test.trg" --tokenize none >"$T/out" 2>/dev/null
ok "those of the RNN" awk '{ exit !($2 > 50) }' "$T/out"
diag "$(cat "$T/out")"
translate whole --checkpoints 3 4 <"$T/test.zipped" >"$T/out"
is "$(wc -l <"$T/out")" 40 "two checkpoints together"
translate concat --output-type score <"$T/test.zipped" >"$T/want"
exits 0 "sk-score" "$BIN/sk-score" -m "$T/concat" -s "$T/test.src" -sf "$T/test.1" "$T/test.2" -t "$T/files.out" --use-cpu
same "$T/out" "$T/want" "gives the scores of sk-translate"
exits 0 "sk-score, factors in words" "$BIN/sk-score" -m "$T/concat" -s "$T/test.zipped" -t "$T/files.out" --use-cpu
same "$T/out" "$T/want" "the same"
exits 0 "sk-bleu-eval of a checkpoint" "$BIN/sk-bleu-eval" "$T/concat" --use-cpu
like "$(cat "$T/out")" '^BLEU	[0-9]' "translates the held-out text with its factors"
{ echo "s1|f0|h1 s2"; sed -n 2p "$T/test.zipped"; } | translate concat >"$T/out"
is "$(cat "$T/out")" "$(printf '\n%s' "$(sed -n 2p "$T/files.out")")" "a line without its factors is left empty"
like "$(cat "$T/err")" "input line 1 is not translated: word 2, 's2', has not the 2 source factors" "and named"
echo '{"text": "s1 s2", "factors": ["f0 f1"]}' | translate concat --json-input >"$T/out"
like "$(cat "$T/err")" "1 source factors, but the model has 2" "too few in JSON"
echo '{"text": "s1 s2", "factors": ["f0 f1", "h0"]}' | translate concat --json-input >"$T/out"
like "$(cat "$T/err")" "2 words, but 1 of factor 2" "too few words"
echo '{"text": "s1", "factors": ["f0"]}' | translate without --json-input >"$T/out"
like "$(cat "$T/err")" "the model has none" "a model without factors"
exits 78 "as files" translate without -i "$T/test.src" -if "$T/test.1"
exits 78 "models of different factors" "$BIN/sk-translate" -m "$T/concat" "$T/sum" -i "$T/test.src" --use-cpu
head -n 10 "$T/test.1" >"$T/short.1"
exits 65 "a file of factors that is too short" "$BIN/sk-translate" -m "$T/sum" -i "$T/test.src" -if "$T/short.1" --use-cpu
like "$(cat "$T/err")" 'short.1 has only 10 lines, .*test.src has more' "is named"
sed 's/"source_factors_num_embed": \[6, 2\]/"source_factors_num_embed": [2000000000, 2000000000]/' "$T/concat/config.json" \
    >"$T/config" && mv "$T/config" "$T/concat/config.json"
exits 65 "sizes that no model has" "$BIN/sk-translate" -m "$T/concat" -i "$T/test.zipped" --use-cpu

# --- faults -------------------------------------------------------------------------
if [ -n "${SAN:-}" ]; then
    skip "a preloaded library and sanitizers do not go together"
else
    . tests/faults.sh
    export FAULTS="$T/z"
    fresh() { rm -rf "$T/z"; }
    # shellcheck disable=SC2086
    act() { "$T/train" z $one --source-factors-num-embed 8 --max-updates 1 -q; }
    torn() { :; }
    result() { (cd "$T/z" && cksum params.00001 vocab.* data/* validation.src config.json && find . -name '.*tmp'); }
    faults "a first start" 5
fi

# --- misuse -------------------------------------------------------------------------
# shellcheck disable=SC2086
{
    exits 64 "without those of the held-out text" "$T/train" bad -sf "$T/train.1" --source-factors-num-embed 4
    exits 64 "without widths" "$T/train" bad $one
    exits 64 "sum with widths" "$T/train" bad $one -sfc sum --source-factors-num-embed 4
    exits 64 "widths without factors" "$T/train" bad --source-factors-num-embed 4
    exits 64 "too wide for the heads" "$T/train" bad $one --source-factors-num-embed 5
    exits 64 "with --data" "$T/train" bad $one -s "" -t "" --data "a=$T/train.src:$T/train.trg:1" --source-factors-num-embed 4
    like "$(cat "$T/err")" 'give one text by --source and --target' "has a remedy"
    sed '7s/ [^ ]*$//' "$T/train.1" >"$T/torn.1"
    exits 65 "a word without its factor" "$T/train" bad -sf "$T/torn.1" -vsf "$T/val.1" --source-factors-num-embed 4
    like "$(cat "$T/err")" 'train.src: line 7: [0-9]+ words, but [0-9]+ of factor 1' "file and line are named"
    sed '3s/ / a|b /' "$T/train.1" >"$T/torn.1"
    exits 65 "a bar" "$T/train" bad -sf "$T/torn.1" -vsf "$T/val.1" --source-factors-num-embed 4
    exits 65 "too few lines" "$T/train" bad -sf "$T/val.1" -vsf "$T/val.1" --source-factors-num-embed 4
}
ok "nothing was written" [ ! -e "$T/bad" ]
done_testing
