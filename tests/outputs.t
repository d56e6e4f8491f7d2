#!/bin/sh
# Where programs write: never over the training's own files, and nothing is
# left behind when they are stopped.
# sanitized
. "$(dirname "$0")/tap.sh"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
m=$T/model
exits 0 "a training of three checkpoints" "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" \
    -o "$m" --use-cpu --threads 1 --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 \
    --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 2 --max-updates 6 -q
exits 0 "one of them is evaluated" "$BIN/sk-bleu-eval" "$m" --checkpoint 2 --use-cpu --threads 1
contents() { (cd "$m" && find . -type f -exec cksum {} + -o -type l -exec readlink {} + | LC_ALL=C sort); }
contents >"$T/before"

# --- the training's own files ----------------------------------------------------
for name in $(sed -n 's/^#define SK_MD_[A-Z_]* "\(.*\)"/\1/p' src/modeldir/paths.h) params.00003 params.00099 \
    state.00003 log.1 data/corpus eval/00002.json eval/new/deeper; do
    exits 64 "sk-average: $name" "$BIN/sk-average" "$m" -o "$m/$name"
done
like "$(cat "$T/err")" "eval/new/deeper: 'eval' in a model directory is the training's own: give another name" \
    "the message says so"
exits 64 "of files" "$BIN/sk-average" "$m/params.00003" "$m/params.00002" -o "$m/params.00003"
exits 64 "sk-translate" "$BIN/sk-translate" -m "$m" -i "$T/text" -o "$m/params.00003" -q
exits 64 "sk-score" "$BIN/sk-score" -m "$m" -s "$T/text" -t "$T/text" -o "$m/validation.trg" -q
exits 64 "sk-vocab" "$BIN/sk-vocab" -i "$T/text" -o "$m/vocab.src.0.json"
exits 64 "sk-status" "$BIN/sk-status" "$m" --plot "$m/eval/curve.svg"
exits 64 "sk-prepare-data" "$BIN/sk-prepare-data" -s "$T/text" -t "$T/text" -o "$m/data"
exits 64 "a training inside of another's folder" "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" \
    -vt "$T/text" -o "$m/eval"
mkdir "$T/links"
ln -s "$m" "$T/links/model"
ln -s "$m/params.best" "$T/links/best"
exits 64 "by a link to the folder" "$BIN/sk-translate" -m "$m" -i "$T/text" -o "$T/links/model/metrics" -q
exits 64 "by a link to the file" "$BIN/sk-average" "$m" -o "$T/links/best"
exits 64 "from inside the folder" sh -c "cd '$m' && '$BIN/sk-average' . -o args"
exits 64 "into folders that are to be made there" sh -c \
    "cd '$m/eval' && '$BIN/sk-prepare-data' -s '$T/text' -t '$T/text' -o new/data"
contents >"$T/after"
same "$T/after" "$T/before" "nothing has changed"
exits 0 "other names are free" "$BIN/sk-average" "$m" -o "$m/average"
exits 0 "and other folders" "$BIN/sk-translate" -m "$m" -i "$T/text" -o "$T/params.00003" -q
mkdir "$T/data"
exits 0 "whatever they are called" "$BIN/sk-average" "$m/params.00001" "$m/params.00002" -o "$T/data/params.00001"
exits 0 "in a copy of parameters alone too" "$BIN/sk-average" "$T/data/params.00001" -o "$T/data/params.00001"

# --- sk-average -------------------------------------------------------------------
exits 64 "sk-average: no standard output" sh -c "cd '$T' && '$BIN/sk-average' '$m' -o -"
is "$(ls "$T/-" 2>/dev/null)" "" "and no file of this name"
for option in "-n 2" "--strategy last" "--metric accuracy"; do
    # shellcheck disable=SC2086
    exits 64 "$option is not for files" "$BIN/sk-average" "$m/params.00001" "$m/params.00002" -o "$T/mean" $option
done
# A name that is listed but cannot be opened is what a removal after the
# listing looks like.
cp -R "$m" "$T/removed"
exits 0 "two checkpoints" "$BIN/sk-average" "$T/removed" -n 2 --strategy last -o "$T/two"
last=$(sed -n 's/.*), (.*, \([0-9]*\)).*/\1/p' "$T/err")
ln -sf nowhere "$T/removed/params.0000$last"
exits 0 "one of which goes away" "$BIN/sk-average" "$T/removed" -n 2 --strategy last -o "$T/others"
like "$(cat "$T/err")" "params.0000$last has just been removed: choosing again" "others are chosen"

# --- stopped ----------------------------------------------------------------------
mkfifo "$T/lines"
mkdir "$T/stopped"
for signal in TERM HUP INT; do
    # A shell makes what it starts in the background ignore SIGINT.
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$BIN/sk-translate" -m "$m" -i "$T/lines" -o "$T/stopped/out" -q &
    pid=$!
    exec 9>"$T/lines"
    echo 'a1 a2' >&9
    until [ -n "$(find "$T/stopped" -name '.out.*.tmp')" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    is "$(find "$T/stopped" -type f | wc -l | tr -d ' ')" 1 "sk-translate writes to a temporary file"
    kill -$signal $pid
    status=0
    wait $pid || status=$?
    exec 9>&-
    ok "SIG$signal ends it ($status)" test $status -gt 128
    is "$(ls -A "$T/stopped")" "" "and takes the temporary file away"
done
perl -e '$SIG{HUP} = "IGNORE"; exec @ARGV' "$BIN/sk-score" -m "$m" -s "$T/lines" -t "$T/text" -o "$T/stopped/out" -q &
pid=$!
exec 9>"$T/lines"
head -n 1 "$T/text" >&9
until [ -n "$(find "$T/stopped" -name '.out.*.tmp')" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -HUP $pid
tail -n +2 "$T/text" >&9
exec 9>&-
status=0
wait $pid || status=$?
is "$status $(wc -l <"$T/stopped/out")" "0 100" "what nohup makes it ignore stays ignored"

# --- a limit on the size of files ---------------------------------------------------
# limited COMMAND... : no file over 4 kB
limited() {
    # shellcheck disable=SC3045
    sh -c 'ulimit -f 8 && exec "$@"' - "$@"
}
exits 74 "sk-average under ulimit -f" limited "$BIN/sk-average" "$m" -o "$T/limited"
like "$(cat "$T/err")" "limited: File too large" "says what happened"
is "$(find "$T" -maxdepth 1 -name '*limited*')" "" "and leaves nothing"
exits 74 "sk-train-shard" limited "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" \
    -o "$T/limited" --use-cpu --threads 1 --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 \
    --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 2 --max-updates 6 --no-logfile -q
done_testing
