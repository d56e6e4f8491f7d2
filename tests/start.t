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
done_testing
