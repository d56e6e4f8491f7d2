#!/bin/sh
# Long runs and odd worlds: thousands of checkpoints, strange names, locales, lines and
# losses, folders that may not be written to, a clock that jumps.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"

awk -v dir="$T" 'BEGIN {
    srand(5)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 6 : 80); i++) {
            n = 1 + int(rand() * 5); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 12); s = s " s" w; t = t " t" w }
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
    --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 --use-cpu --threads 1 --max-seq-len 20 \\
    --transformer-feed-forward-num-hidden 8 --batch-size 60 --checkpoint-frequency 3 --max-updates 12 -q "\$@"
EOF
chmod +x "$T/train"
train() { "$T/train" "$@"; }
tool() { program=$1 && shift && "$BIN/$program" "$@" --use-cpu --threads 1 -q; }
result() { (cd "$1" && cksum params.0* && sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' metrics); }
exits 0 "a training" train "$T/m"
result "$T/m" >"$T/want"
exits 0 "translations" tool sk-translate -m "$T/m" -i "$T/val.src" -o "$T/want.out"

# --- names --------------------------------------------------------------------------
odd=$(printf "%s/a 'b' \"c\" \$d;&|\n\\\\\303\244 \377 -e" "$T")
mkdir "$odd"
for name in train.src train.trg val.src val.trg; do cp "$T/$name" "$odd/ $name*"; done
exits 0 "names with blanks, a line's end, quotes and no UTF-8" "$BIN/sk-train-shard" -s "$odd/ train.src*" \
    -t "$odd/ train.trg*" -vs "$odd/ val.src*" -vt "$odd/ val.trg*" -o "$odd/m %s" --num-layers 1 \
    --transformer-model-size 8 --transformer-attention-heads 2 --use-cpu --threads 1 --max-seq-len 20 \
    --transformer-feed-forward-num-hidden 8 --batch-size 60 --checkpoint-frequency 3 --max-updates 12 \
    --monitor-bleu -1 --on-checkpoint 'echo there=$(ls "$SK_PARAMS" | wc -l)'
same "$odd/m %s/params.00004" "$T/m/params.00004" "the same parameters"
is "$(grep -c '	bleu-val=.*	there=' "$odd/m %s/metrics")" 4 "scored, and handed to a command"
exits 0 "from its own record" "$BIN/sk-train-shard" --config "$odd/m %s/args" --max-updates 15
ok "goes on there" test -e "$odd/m %s/params.00005"
exits 0 "sk-bleu-eval" tool sk-bleu-eval "$odd/m %s" -c 2
exits 0 "sk-average" "$BIN/sk-average" "$odd/m %s" -n 2 -o "$odd/mean
"
exits 0 "sk-translate" tool sk-translate -m "$odd/m %s" -c "$odd/mean
" -i "$odd/ val.src*" -o "$odd/out"
exits 0 "sk-score" tool sk-score -m "$odd/m %s" -s "$odd/ val.src*" -t "$odd/ val.trg*" -o "$odd/scores"
exits 0 "sk-vocab" "$BIN/sk-vocab" -i "$odd/ train.src*" -o "$odd/vocab"
exits 0 "sk-prepare-data" "$BIN/sk-prepare-data" -s "$odd/ train.src*" -t "$odd/ train.trg*" -o "$odd/data" -q
exits 0 "sk-status" "$BIN/sk-status" "$odd/m %s" --json
ok "says it in JSON" python3 -m json.tool "$T/out"

if command -v gnuplot >/dev/null; then
    exits 0 "and draws" "$BIN/sk-status" "$odd/m %s" --plot "$odd/curve
.svg"
    ok "all of it" grep -q '</svg>' "$odd/curve
.svg"
else
    skip "gnuplot is not installed"
fi

# --- names that others made before us ---------------------------------------------------
echo precious >"$T/precious"
cp -R "$T/m" "$T/trap"
ln -sf "$T/precious" "$T/trap/lock"
exits 66 "a lock that is a link" train "$T/trap" --max-updates 15
mkdir -p "$T/trap/eval"
ln -s "$T/precious" "$T/trap/eval/00004.claim"
exits 66 "a claim that is one" tool sk-bleu-eval "$T/trap" -c 4
is "$(cat "$T/precious")" precious "leads to nothing that is written"
(umask 077 && train "$T/private" --monitor-bleu -1 2>"$T/err")
is "$(find "$T/private" ! -type l -perm /077)" "" "what umask forbids to others stays so"

# --- a decimal comma ------------------------------------------------------------------
if command -v localedef >/dev/null && localedef -i de_DE -f UTF-8 "$T/de_DE.UTF-8" >"$T/out" 2>&1; then
    comma() { LOCPATH=$T LC_ALL=de_DE.UTF-8 "$@"; }
    is "$(comma env printf '%.1f' 1,5)" "1,5" "there is a locale with a decimal comma"
    exits 0 "a training in it" comma "$T/train" "$T/comma" --initial-learning-rate 0.0002
    is "$(result "$T/comma")" "$(cat "$T/want")" "the same"
    exits 0 "scores" comma "$BIN/sk-bleu-eval" --hypotheses "$T/val.trg" --references "$T/val.src"
    like "$(cat "$T/out")" '^BLEU	[0-9.]+$' "have points"
    exits 0 "sk-status" comma "$BIN/sk-status" "$T/m" --json
    ok "too" python3 -m json.tool "$T/out"
else
    skip "localedef cannot make a locale with a decimal comma (Debian package locales)"
fi

# --- lines ------------------------------------------------------------------------------
many=$([ -n "${SK_LONG:-}" ] && echo 1000000 || echo 5000)
{ cat "$T/train.src" && echo s1; } >"$T/long.src"
{ cat "$T/train.trg" && awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "%s", "t" i % 12 " "; print "" }'; } >"$T/long.trg"
exits 0 "a line of a million words is left out of training" train "$T/long" -s "$T/long.src" -t "$T/long.trg"
like "$(cat "$T/long/log")" "1 sequences were longer and were discarded, in '.*long.src'" "and said to be"
{
    echo
    echo s1
    awk -v n="$many" 'BEGIN { for (i = 0; i < n; i++) printf "%s", "s" i % 12 " "; print "" }'
    echo
} >"$T/lines"
exits 0 "lines of 0, 1, $many and 0 words" tool sk-translate -m "$T/m" -i "$T/lines" -o "$T/got" --beam-size 1
is "$(wc -l <"$T/got")" 4 "four lines"
is "$(sed -n '1p;4p' "$T/got" | wc -c)" 2 "nothing for nothing"
exits 0 "BLEU of them" "$BIN/sk-bleu-eval" --hypotheses "$T/lines" --references "$T/lines"
like "$(cat "$T/out")" '^BLEU	100' "is 100"
tail -n 1 "$T/long.trg" >"$T/million"
cut -d' ' -f 1-300000 "$T/million" >"$T/some"
exits 0 "BLEU and chrF of 300,000 words" "$BIN/sk-bleu-eval" --hypotheses "$T/some" --references "$T/some" --metrics bleu chrf
exits 65 "of a million" "$BIN/sk-bleu-eval" --hypotheses "$T/million" --references "$T/million"
like "$(cat "$T/err")" "million:1: a line of [0-9]+ bytes: at most [0-9]+ can be scored" "there is a limit"
head -n 3 "$T/lines" | tail -n 1 | cut -d' ' -f 1-2000 >"$T/some"
exits 0 "TER of two thousand" "$BIN/sk-bleu-eval" --hypotheses "$T/some" --references "$T/some" --metrics ter

# --- small worlds ------------------------------------------------------------------------
for _ in 1 2 3 4 5 6; do echo a; done >"$T/one"
exits 0 "a vocabulary of one word" train "$T/small" -s "$T/one" -t "$T/one" -vs "$T/one" -vt "$T/one"
is "$(echo a | tool sk-translate -m "$T/small" --beam-size 9 2>/dev/null | wc -l)" 1 "translates"
exits 64 "a batch smaller than one sentence" train "$T/batch" --batch-size 5
like "$(cat "$T/err")" "batch-size 5 .*must hold the longest sentence" "is said"
exits 0 "one of just a sentence" train "$T/batch" --batch-size 21
sed 's/s/x/g' "$T/val.src" >"$T/unknown"
exits 0 "only unknown words are translated" tool sk-translate -m "$T/m" -i "$T/unknown" -o "$T/got"
is "$(wc -l <"$T/got")" "$(wc -l <"$T/unknown")" "each line"
exits 0 "and validated on" train "$T/u" -vs "$T/unknown" -vt "$T/unknown"
sed 's/s/x/g' "$T/train.src" >"$T/unknown.train"
exits 0 "and trained on" train "$T/u2" -s "$T/unknown.train" --source-vocab "$T/m/vocab.src.0.json"

# --- losses that are no numbers ---------------------------------------------------------------
exits 1 "a loss that grows beyond all numbers" train "$T/nan" --optimizer sgd --initial-learning-rate 3e4 \
    --learning-rate-scheduler-type none --checkpoint-frequency 1 --max-updates 200 --max-num-checkpoint-not-improved -1
like "$(cat "$T/err")" "diverged|not finite|is (nan|inf)" "is said"
last=$(cd "$T/nan" && ls params.0* 2>/dev/null | tail -n 1)
if [ -n "$last" ]; then
    exits 0 "the last checkpoint is whole" tool sk-translate -m "$T/nan" -c "$((1${last#params.} - 100000))" -i "$T/val.src" -o "$T/got"
else
    like "$(cat "$T/err")" "has no checkpoint yet" "nothing was kept"
fi

# --- a folder that may only be read ---------------------------------------------------------
if [ -z "${SAN:-}" ]; then
    # Root may write anywhere: so what counts is that nobody tries.
    for program in "sk-translate -m $T/m -i $T/val.src -o $T/got" "sk-score -m $T/m -s $T/val.src -t $T/val.trg -o $T/got"; do
        head -c 8 /dev/zero >"$T/count"
        # shellcheck disable=SC2086
        exits 0 "${program%% *}" env SK_FAULT_UNDER="$T/m" SK_FAULT_COUNT="$T/count" LD_PRELOAD="$PRELOAD/preload_fault.so" \
            "$BIN"/$program --use-cpu --threads 1 -q
        is "$(od -An -td8 "$T/count" | tr -d ' ')" 0 "changes nothing in the model's folder"
    done
fi

# --- a clock that jumps ------------------------------------------------------------------------
jumping() { LD_PRELOAD="$PRELOAD/preload_clock.so" "$@"; }
if [ -z "${SAN:-}" ]; then
    exits 0 "a training whose date jumps by hours" jumping "$T/train" "$T/clock" --monitor-bleu -1
    is "$(cd "$T/clock" && cksum params.0*)" "$(cd "$T/m" && cksum params.0*)" "the same parameters"
    is "$(grep -c '	bleu-val=' "$T/clock/metrics")" 4 "all scored"
    exits 0 "sk-status" jumping "$BIN/sk-status" "$T/clock"
fi
if [ -n "${SK_LONG:-}" ] && [ -z "${SAN:-}" ]; then
    export UCX_NET_DEVICES=lo
    # The other waits for the leader's disk for longer than a dead one is waited for.
    shard() {
        SK_FAULT_UNDER=$T/two SK_FAULT_SLOW=8000 LD_PRELOAD="$PRELOAD/preload_clock.so:$PRELOAD/preload_fault.so" \
            "$T/train" "$T/two" --num-shards 2 --shard "$1" --shard-timeout 6 --checkpoint-frequency 20 \
            --max-updates 20
    }
    shard 0 2>"$T/err.0" &
    one=$!
    second=0
    shard 1 2>"$T/err.1" || second=$?
    first=0
    wait $one || first=$?
    is "$first $second" "0 0" "two shards whose dates jump do not take each other for dead"
    [ "$first $second" = "0 0" ] || diag "$(tail -n 3 "$T/err.0" "$T/err.1")"
fi

# --- many checkpoints ---------------------------------------------------------------------------
n=$([ -n "${SK_LONG:-}" ] && echo 10000 || echo 200)
"$T/train" "$T/many" --checkpoint-frequency 1 --max-updates 1000000 --keep-last-params 3 --max-num-checkpoint-not-improved -1 \
    2>"$T/err" &
pid=$!
# state : checkpoints, kilobytes of memory, descriptors, files
state() {
    echo "$(grep -c . "$T/many/metrics") $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status") \
$(ls "/proc/$pid/fd" | wc -l) $(find "$T/many" -type f | wc -l)"
}
reached() { [ "$(grep -c . "$T/many/metrics" 2>/dev/null)" -ge "$1" ]; }
wait_for 3600 reached $((n / 4))
early=$(state)
wait_for 3600 reached "$n"
late=$(state)
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "$n checkpoints and more"
diag "checkpoints, kB, descriptors, files: $early; $late"
# shellcheck disable=SC2086
set -- $early $late
ok "memory grows by the table of metrics alone" [ "$(($6 - $2))" -lt "$((8 * ($5 - $1) + 2000))" ]
ok "descriptors do not" [ "$7" -le "$(($3 + 6))" ]
ok "nor files" [ "$8" -le "$(($4 + 10))" ]
ok "the last three and the best are there" [ "$(find "$T/many" -name 'params.0*' | wc -l)" -le 4 ]
done_testing
