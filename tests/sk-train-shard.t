#!/bin/sh
# sk-train-shard: the model directory of a run, starting again, exit codes.
# sanitized
. "$(dirname "$0")/tap.sh"

# A language of 20 words and its mirror image.
awk -v dir="$T" 'BEGIN {
    srand(7)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 30 : 300); i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'

# train DIR OPTION... : a small model; a program, so that $! is its own number
cat > "$T/train" <<EOF
#!/bin/sh
out=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "\$out" \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 32 --batch-size 100 --max-seq-len 12 --checkpoint-frequency 10 \\
    --initial-learning-rate 0.01 --learning-rate-warmup 8 --learning-rate-reduce-num-not-improved 1 \\
    --threads 1 "\$@"
EOF
chmod +x "$T/train"
train() { "$T/train" "$@"; }
# metrics without what may differ between two runs
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' "$1/metrics"; }
column() { sed -nE "s/^$2	.*	$3=([^	]*).*/\\1/p" "$1/metrics"; }
same_run() {
    same "$1/params.$3" "$2/params.$3" "$4: the parameters"
    is "$(steady "$1")" "$(steady "$2")" "$4: the metrics"
    is "$(readlink "$1/params.best")" "$(readlink "$2/params.best")" "$4: the best checkpoint"
}

# --- a run -------------------------------------------------------------------
exits 0 "35 updates" train "$T/a" --max-updates 35
like "$(cat "$T/err")" 'target-tokens/sec=[0-9.]+$' "the rate is said"
like "$(cat "$T/err")" 'Maximum # of updates \(35\) reached' "and why it ended"
like "$(cat "$T/a/log")" '^\[[0-9:-]+:INFO:sk-train-shard\] Checkpoint \[1\]	Validation-perplexity=[0-9.]+$' "the log"
for f in config.json args vocab.src.0.json vocab.trg.0.json validation.src validation.trg data/corpus \
    data/validation metrics params.00001 params.00002 params.00003 params.00004 state.00004 progress finished lock; do
    [ -s "$T/a/$f" ] || missing="$missing $f"
done
is "$missing" "" "the files of a run"
is "$(cd "$T/a" && ls state.* .*.tmp interrupted 2>/dev/null)" "state.00004" "one state, no temporaries"
is "$(cut -f1 "$T/a/metrics" | tr '\n' ' ')" "1 2 3 4 " "a line for each checkpoint, one for the end between two"
is "$(sed -n 2p "$T/a/metrics" | tr '\t' '\n' | sed 's/=.*//' | tr '\n' ' ')" \
    "2 accuracy-train accuracy-val converged diverged epoch gradient-norm learning-rate perplexity-train \
perplexity-val time-elapsed used-gpu-memory " "its names"
is "$(column "$T/a" 1 learning-rate)" 0.01 "the rate after the warm-up"
ok "perplexity falls" awk -v a="$(column "$T/a" 1 perplexity-val)" -v b="$(column "$T/a" 3 perplexity-val)" \
    'BEGIN { exit !(b < a && a < 40) }'
same "$T/val.trg" "$T/a/validation.trg" "the validation text is kept"
like "$(cat "$T/a/finished")" '^reason	updates$' "finished says why"

cp "$T/a/metrics" "$T/metrics"
exits 0 "a finished run started again" train "$T/a" --max-updates 35
like "$(cat "$T/err")" 'had been finished' "says so"
same "$T/a/metrics" "$T/metrics" "and changes nothing"

exits 0 "another seed" train "$T/s" --max-updates 10 --seed 14
ok "gives other parameters" sh -c '! cmp -s "$1" "$2"' - "$T/s/params.00001" "$T/a/params.00001"
exits 0 "two threads, other limits, quiet" train "$T/q" --max-updates 30 --threads 2 --quiet
is "$(cat "$T/err")" "" "nothing is said"
same "$T/q/params.00003" "$T/a/params.00003" "the same parameters"

# --- extending ---------------------------------------------------------------
exits 0 "20 updates" train "$T/b" --max-updates 20
exits 0 "extended to 35" train "$T/b" --max-updates 35
same_run "$T/b" "$T/a" 00004 "extended at a checkpoint"
exits 0 "15 updates" train "$T/c" --max-updates 15
is "$(readlink "$T/c/params.best")" params.00002 "the last checkpoint is best"
exits 0 "extended from between two checkpoints" train "$T/c" --max-updates 35
like "$(cat "$T/err")" 'Checkpoint 2 at update 15.*withdrawn' "that checkpoint is withdrawn"
same_run "$T/c" "$T/a" 00004 "extended between two checkpoints"
exits 0 "patience 0" train "$T/p" --max-updates 35 --max-num-checkpoint-not-improved 0
like "$(cat "$T/p/finished")" '^reason	converged$' "ends at once"
is "$(column "$T/p" 1 converged)" True "as the metrics say"
exits 0 "more patience" train "$T/p" --max-updates 35
same_run "$T/p" "$T/a" 00004 "extended patience"

# --- signals, the lock -------------------------------------------------------
"$T/train" "$T/i" --max-updates 20000 --max-num-checkpoint-not-improved -1 >/dev/null 2>"$T/i.err" &
pid=$!
until [ -e "$T/i/params.00001" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
exits 75 "a second trainer" train "$T/i" --max-updates 20000 --max-num-checkpoint-not-improved -1
like "$(cat "$T/err")" "pid $pid " "names the first"
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "SIGTERM: exit code"
u=$(sed -nE 's/.*SIGTERM: stopped after update ([0-9]+),.*/\1/p' "$T/i.err")
like "$u" '^[0-9]+$' "SIGTERM: the update is said"
max=$((u / 10 * 10 + 20))
last=$(printf %05d $((max / 10)))
exits 0 "resumed" train "$T/i" --max-updates $max --max-num-checkpoint-not-improved -1
exits 0 "undisturbed" train "$T/j" --max-updates $max --max-num-checkpoint-not-improved -1
same_run "$T/i" "$T/j" "$last" "after SIGTERM"
is "$(ls "$T/i/interrupted" 2>/dev/null)" "" "the interrupted state is dropped"

# --- other options, other data -----------------------------------------------
exits 78 "another batch size" train "$T/a" --max-updates 35 --batch-size 101
like "$(cat "$T/err")" "--batch-size: was '100', now '101'" "the option, old and new"
like "$(cat "$T/err")" "overwrite-output" "and the remedy"
sed 's/t1 /t2 /' "$T/train.trg" > "$T/other.trg"
exits 78 "another text" train "$T/a" --max-updates 35 -t "$T/other.trg"
like "$(cat "$T/err")" "--target" "is named"
mkdir "$T/moved"
gzip -c "$T/train.src" > "$T/moved/train.gz"
exits 0 "the same text elsewhere, compressed" train "$T/a" --max-updates 35 -s "$T/moved/train.gz"
rm "$T/a/data/corpus" "$T/a/vocab.src.0.json" "$T/a/config.json"
cp "$T/b/args" "$T/args"
exits 0 "files of the start are made again" train "$T/a" --max-updates 40
exits 0 "as they were" train "$T/b" --max-updates 40
same_run "$T/a" "$T/b" 00004 "after making files again"
ok "the corpus is the same" cmp "$T/a/data/corpus" "$T/b/data/corpus"

# --- damage ------------------------------------------------------------------
cp -R "$T/b" "$T/d"
printf x | dd of="$T/d/state.00004" bs=1 seek=3000 conv=notrunc 2>/dev/null
exits 65 "a damaged state" train "$T/d" --max-updates 50
like "$(cat "$T/err")" "state.00004" "is named"
ok "nothing is lost" cmp "$T/d/params.00004" "$T/b/params.00004"
rm "$T/d/args"
exits 65 "checkpoints without args" train "$T/d" --max-updates 50
echo mine > "$T/d/notes"
exits 0 "--overwrite-output" train "$T/d" --max-updates 10 --overwrite-output
is "$(cd "$T/d" && ls params.* state.*)" "params.00001
params.best
state.00001" "begins anew"
is "$(cat "$T/d/notes")" mine "and leaves other files alone"
exits 0 "--keep-last-params 1" train "$T/k" --max-updates 40 --keep-last-params 1 --initial-learning-rate 0.000001
is "$(cd "$T/k" && ls params.0*)" "params.00004" "keeps the last, which is best"

# --- training diverges -------------------------------------------------------
exits 1 "a rate that is far too high" train "$T/n" --max-updates 60 --initial-learning-rate 1e6 \
    --learning-rate-scheduler-type none
like "$(cat "$T/err")" "diverged" "is named"

# --- wrong input, nothing written --------------------------------------------
head -n 299 "$T/train.trg" > "$T/short.trg"
exits 65 "unequal numbers of lines" train "$T/w" -t "$T/short.trg"
like "$(cat "$T/err")" "short.trg.*299" "are named"
printf 's1 s2\n\n' > "$T/blank.src"
printf '\nt1\n' > "$T/blank.trg"
exits 65 "no usable pair" train "$T/w" -s "$T/blank.src" -t "$T/blank.trg"
like "$(cat "$T/err")" "of 2, 2 have a blank side" "is explained"
printf 's1\n\377s2\n' > "$T/bad.src"
exits 65 "invalid UTF-8" train "$T/w" -s "$T/bad.src" -t "$T/blank.trg"
like "$(cat "$T/err")" "bad.src.*2" "names file and line"
exits 66 "a missing file" train "$T/w" -vs "$T/missing"
like "$(cat "$T/err")" "missing" "is named"
mkfifo "$T/fifo"
exits 66 "a pipe" train "$T/w" -t "$T/fifo"
exits 64 "heads that do not divide the width" train "$T/w" --transformer-attention-heads 3
exits 64 "a shard beyond the last" train "$T/w" --num-shards 2 --shard 2
exits 64 "a batch that cannot hold the longest sentence" train "$T/w" --batch-size 12
exits 64 "an unknown optimizer parameter" train "$T/w" --optimizer-params gamma:1
exits 64 "no virtual power of two" train "$T/w" --virtual-shards 6
is "$(ls -d "$T/w" 2>/dev/null)" "" "nothing was written"

# --- all kinds of options ----------------------------------------------------
exits 0 "sentence batches, post-norm, gelu, learned positions, clipping" train "$T/o" --max-updates 4 \
    --checkpoint-interval 2 --batch-type sentence --batch-size 7 --transformer-preprocess '' \
    --transformer-postprocess drn --transformer-activation-type gelu --num-layers 2:1 \
    --transformer-positional-embedding-type learned --gradient-clipping-type norm \
    --gradient-clipping-threshold 0.1 --loss-normalization-type batch --weight-tying \
    --weight-tying-type trg_softmax --learning-rate-scheduler-type inv-sqrt-decay --virtual-shards 4 \
    --optimizer-params beta1:0.8,epsilon:1e-9 --optimized-metric accuracy --metrics perplexity \
    --embed-dropout 0.1:0.2 --weight-init uniform --weight-init-scale 0.1 --embed-weight-init normal
exits 0 "starting from parameters" train "$T/r" --max-updates 1 --params "$T/b/params.best"
exits 65 "of another shape" train "$T/t" --max-updates 1 --params "$T/o/params.best"
exits 0 "shared vocabulary, swish1, no schedule" train "$T/v" --max-updates 2 --weight-tying \
    --weight-tying-type src_trg_softmax --transformer-activation-type swish1 --learning-rate-scheduler-type none
same "$T/v/vocab.src.0.json" "$T/v/vocab.trg.0.json" "one vocabulary"
exits 0 "given vocabularies" train "$T/g" --max-updates 10 --source-vocab "$T/b/vocab.src.0.json" \
    --target-vocab "$T/b/vocab.trg.0.json"
same "$T/g/params.00001" "$T/b/params.00001" "which are those of the text"
done_testing
