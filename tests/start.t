#!/bin/sh
# Starts of a training that fail: nothing is lost by them, nothing is bound by
# them.
. "$(dirname "$0")/tap.sh"

awk -v dir="$T" 'BEGIN {
    srand(5)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 10 : 200); i++) {
            n = 1 + int(rand() * 5); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 12); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
# train DIR OPTION... : a program, so that $! is its own number
cat >"$T/train" <<EOF
#!/bin/sh
out=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "\$out" \\
    --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 --use-cpu --threads 1 \\
    --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 4 "\$@"
EOF
chmod +x "$T/train"
train() { "$T/train" "$@"; }
m=$T/m
exits 0 "a training" train "$m" --max-updates 8
contents() { (cd "$1" && find . -type f -exec cksum {} + -o -type l -exec readlink {} + | LC_ALL=C sort); }
contents "$m" >"$T/before"
kept() {
    contents "$m" >"$T/after"
    same "$T/after" "$T/before" "$1: nothing is lost"
}

# --- --overwrite-output --------------------------------------------------------
echo no vocabulary >"$T/words"
sed 's/,$/, "more": 77,/' "$m/vocab.src.0.json" >"$T/vocab"
for what in "--params $m/params.best:64" "--params $m/params.00002:64" "-vs $m/validation.src:64" \
    "--source-vocab $m/vocab.src.0.json:64" "--params $T/words:65" "--params $T/none:66" "--source-vocab $T/words:65" \
    "--transformer-model-size 65536:1" "--transformer-model-size 16 --params $T/copy:65" "-t $T/val.trg:65" \
    "--shared-vocab --source-vocab $T/voc.s --target-vocab $T/voc.t:65"; do
    cp "$m/params.00002" "$T/copy"
    cp "$m/vocab.src.0.json" "$T/voc.s"
    cp "$m/vocab.trg.0.json" "$T/voc.t"
    # shellcheck disable=SC2086
    exits "${what##*:}" "--overwrite-output ${what%:*}" train "$m" --max-updates 8 --overwrite-output ${what%:*}
    kept "${what%:*}"
done
like "$(cat "$T/err")" "voc.s and .*voc.t differ, but --shared-vocab needs one vocabulary" "what needs one is named"
ln -s "$m/params.best" "$T/link"
exits 64 "by a link" train "$m" --max-updates 8 --overwrite-output --params "$T/link"
like "$(cat "$T/err")" "--params .*link belongs to the run that --overwrite-output would remove" "why is said"
kept "by a link"
exits 0 "with a copy" train "$m" --max-updates 4 --overwrite-output --params "$T/copy"
is "$(cd "$m" && ls params.0*)" params.00001 "it begins anew"

# --- memory --------------------------------------------------------------------
exits 1 "a model that no machine can hold" train "$T/big" --transformer-model-size 65536
like "$(cat "$T/err")" "training needs about [0-9]{6,} MB of memory, but this machine has [0-9]+ MB|may take|allows" \
    "what is needed and what there is"
is "$(ls -d "$T/big" 2>/dev/null)" "" "and nothing is made"
exits 0 "a dry run says how much it would take" train "$T/big" --transformer-model-size 65536 --dry-run
like "$(cat "$T/out")" '^memory	[0-9]{11,}$' "by a number"
if [ -z "${SAN:-}" ]; then
    # shellcheck disable=SC3045
    exits 1 "a limit on address space" sh -c "ulimit -v 300000 && exec \"\$@\"" - "$BIN/sk-train-shard" -s "$T/train.src" \
        -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/big" --num-layers 6 --threads 1
    like "$(cat "$T/err")" "ulimit -v allows 307 MB" "is named"
    is "$(ls -d "$T/big" 2>/dev/null)" "" "and nothing is made"
    exits 1 "memory that runs out all the same" sh -c "ulimit -v 100000 && exec \"\$@\"" - "$BIN/sk-translate" \
        -m "$m" -i "$T/val.src" --batch-size 65536 --beam-size 5000 --threads 1
    like "$(cat "$T/err")" "out of memory: [0-9]+ MB are in use, [0-9]+ MB more are needed, but ulimit -v allows 102 MB" \
        "is no reason to try again"
fi

# --- what binds ------------------------------------------------------------------
exits 65 "a first start with wrong parameters" train "$T/q" --params "$T/words" --max-updates 4
is "$(ls "$T/q" 2>/dev/null)" "" "makes nothing"
exits 0 "and binds nothing" train "$T/q" --max-updates 4
exits 78 "a checkpoint binds" train "$T/q" --max-updates 4 --seed 7
# Killed before its first checkpoint.
"$T/train" "$T/k" --keep-initializations --checkpoint-frequency 100000 --seed 3 -q &
pid=$!
until grep -q "^updates.[1-9]" "$T/k/progress" 2>/dev/null || [ -e "$T/k/params.00000" ]; do sleep 0.02; done
kill -KILL $pid
wait $pid 2>/dev/null
ok "a run that saved no update" test -s "$T/k/args" -a ! -e "$T/k/params.00001"
cp "$T/k/log" "$T/log"
exits 65 "wrong options change nothing" train "$T/k" --params "$T/words" --max-updates 4
like "$(cat "$T/k/args")" "^seed	3$" "it has its options still"
exits 0 "takes other options" train "$T/k" --max-updates 4 --keep-initializations --seed 7
like "$(cat "$T/err")" "holds no update yet: it takes the options given now" "and says so"
exits 0 "like a new one" train "$T/n" --max-updates 4 --keep-initializations --seed 7
same "$T/k/params.00001" "$T/n/params.00001" "with the same parameters"
same "$T/k/params.00000" "$T/n/params.00000" "from the first one on"
is "$(sed '/^output	/d' "$T/k/args")" "$(sed '/^output	/d' "$T/n/args")" "and the same record"
is "$(head -c "$(wc -c <"$T/log")" "$T/k/log" | cksum)" "$(cksum <"$T/log")" "the log goes on"

# --- what is said -------------------------------------------------------------------
log=$T/n/log
like "$(sed -n 1p "$log")" '^\[[0-9:-]*:INFO:sk-train-shard\] sk version [0-9.]+$' "the log begins with the version"
like "$(sed -n 2p "$log")" "INFO:sk-train-shard\] Command: .*sk-train-shard -s .*/train.src -t .* --seed 7\$" "and the command"
like "$(cat "$log")" "\] Early stopping by optimizing 'perplexity'\$" "what decides"
like "$(cat "$log")" "\] Learning [0-9]+ parameters \(100.00%\)" "how many parameters learn"
is "$(grep -c 'target/source length ratio' "$log")" 1 "the length ratio of the training text alone"
echo >>"$T/val.src"
echo t1 >>"$T/val.trg"
echo 's1 s2 s3 s4 s5 s6 s7' >>"$T/val.src"
echo 't1' >>"$T/val.trg"
printf '\r\n' >>"$T/train.src"
echo "t1" >>"$T/train.trg"
exits 0 "strange lines, and strange words in the command" train "$T/strange" --max-updates 4 --max-seq-len 6 \
    --replace-invalid --transformer-preprocess '' --transformer-postprocess dnr
like "$(cat "$T/err")" "Parallel reading of '.*/val.src' and '.*/val.trg' skipped 1 elements" "blank lines: in which text"
like "$(cat "$T/err")" "1 sequences were longer and were discarded, in '.*/val.src' and '.*/val.trg'" "long ones too"
is "$(grep -c 'warning: .*train.src:.*carriage returns' "$T/err")" 1 "a warning comes once"
like "$(cat "$T/strange/log")" "WARNING.*train.src:.*carriage returns" "and is in the log, though it came before it"
like "$(cat "$T/strange/log")" "Command: .* --transformer-preprocess '' " "words are quoted"
exits 65 "no word often enough" train "$T/w" --word-min-count 100000
like "$(cat "$T/err")" "train.src: none of [0-9]+ words occurs 100000 times" "of which text"
exits 65 "of a shared vocabulary" train "$T/w" --word-min-count 100000 --shared-vocab
like "$(cat "$T/err")" "train.src and .*train.trg: none of" "both are named"
exits 64 "no source" train "$T/w" -s ''
exits 64 "an empty name" train "$T/w" -vs ''
like "$(cat "$T/err")" "names are empty" "is said to be one"
for option in -s -vt --source-vocab --params; do
    exits 64 "$option -" train "$T/w" "$option" -
    like "$(cat "$T/err")" "read more than once, which standard input does not allow" "why not"
done
exits 64 "sk-prepare-data -t -" "$BIN/sk-prepare-data" -s "$T/train.src" -t - -o "$T/w"
exits 64 "a residual before the sub-layer" train "$T/w" --transformer-preprocess rn
exits 64 "beta1 near one" train "$T/w" --optimizer-params beta1:0.999999999
like "$(cat "$T/err")" "beta1: '0.999999999' is no number from 0 to 0.99999[0-9]*\$" "its limit is said as it is"
exits 64 "too many samples" train "$T/w" --max-samples 9007199254740993
like "$(cat "$T/err")" "is not a whole number from 0 to 9007199254740992\$" "that limit too"
exits 64 "-c=1" "$BIN/sk-bleu-eval" "$m" -c=1
like "$(cat "$T/err")" "unknown option '-c=1': is -c 1 meant" "is answered by how to write it"
exits 64 "--version=3" "$BIN/sk-bleu-eval" --version=3
like "$(cat "$T/err")" "^sk-bleu-eval: --version takes no value" "too"
is "$(ls "$T/w" 2>/dev/null)" "" "nothing is made"
exits 1 "a first update that diverges" train "$T/d" --initial-learning-rate 1e6 --learning-rate-scheduler-type none \
    --optimizer sgd --transformer-model-size 16 \
    --max-updates 8 --checkpoint-frequency 100
like "$(cat "$T/err")" "/d has no checkpoint yet" "keeps none, and does not say it would"
done_testing
