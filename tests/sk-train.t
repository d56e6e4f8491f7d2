#!/bin/sh
# sk-train: GPUs (pretended ones), the process that trains, signals.
# sanitized
. "$(dirname "$0")/tap.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS SK_GPUS
export SK_LOCK_DIR="$T/locks"

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
# A program, so that $! is its own number.
cat >"$T/options" <<EOF
program=\$1
out=\$2
shift 2
exec "$BIN/\$program" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "\$out" \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 32 --batch-size 100 --max-seq-len 12 --checkpoint-frequency 10 \\
    --initial-learning-rate 0.01 --threads 1 "\$@"
EOF
train() { sh "$T/options" sk-train "$@"; }
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' "$1/metrics"; }
# until_there FILE: waits for it, at most 20 s
until_there() {
    there_tries=0
    until [ -e "$1" ] || [ $there_tries -ge 1000 ]; do sleep 0.02; there_tries=$((there_tries + 1)); done
}
# until_said FILE REGEX
until_said() {
    said_tries=0
    until grep -Eq "$2" "$1" || [ $said_tries -ge 1000 ]; do sleep 0.02; said_tries=$((said_tries + 1)); done
}

# --- no GPU, and which ----------------------------------------------------------------
exits 1 "no GPU" train "$T/m"
like "$(cat "$T/err")" 'sees no GPU .*--use-cpu trains on the CPU' "and the remedy"
is "$(wc -l <"$T/err" | tr -d ' ')" 1 "at once"
ok "nothing was made" test ! -e "$T/m"
export SK_GPUS=alpha,beta,gamma
CUDA_VISIBLE_DEVICES='' exits 1 "hidden GPUs" train "$T/m"
exits 64 "no such GPU" train "$T/m" --device-ids 3
like "$(cat "$T/err")" '--device-ids: there is no GPU 3: this process sees 3' "says how many there are"
exits 64 "no such name" train "$T/m" --device-ids omega
exits 64 "no number" train "$T/m" --device-ids -0
exits 64 "twice the same one" train "$T/m" --device-ids 1 beta
like "$(cat "$T/err")" 'names GPU beta twice' "is said"
exits 1 "more than there are" train "$T/m" --device-ids -3 1
like "$(cat "$T/err")" '4 GPUs are wanted, this process sees 3' "both numbers"
exits 64 "twice the same thing" train "$T/m" -n 1 --device-ids -1
exits 64 "a shard's number" train "$T/m" --num-shards 2
like "$(cat "$T/err")" 'sk-train starts a shard for each device' "is its own affair"
ok "nothing was made" test ! -e "$T/m"
exits 0 "a dry run needs none" env SK_GPUS= sh "$T/options" sk-train "$T/m" --dry-run
like "$(cat "$T/out")" '^parameters	6616$' "it is that of sk-train-shard"

# --- training ---------------------------------------------------------------------------
sh "$T/options" sk-train-shard "$T/want" --max-updates 30 --quiet
exits 0 "on the CPU" train "$T/cpu" --max-updates 30 --use-cpu
like "$(cat "$T/err")" '^Training Device\(s\): cpu' "which is said"
is "$(grep -c 'GPU' "$T/err")" 0 "no GPU is spoken of"
exits 0 "on the first GPU" train "$T/m" --max-updates 30
like "$(cat "$T/err")" '^GPU 0: alpha$' "which is named"
like "$(cat "$T/err")" 'warning: these GPUs are pretended \(SK_GPUS\): the CPU computes' "and not pretended to compute"
is "$(grep -c . "$T/err")" "$(sed 's/^\[[^]]*\] //' "$T/m/log" | grep -c .)" "the log has all that was said"
for run in cpu m; do
    same "$T/$run/params.00003" "$T/want/params.00003" "$run: parameters as sk-train-shard alone makes them"
    is "$(steady "$T/$run")" "$(steady "$T/want")" "$run: and metrics"
done
ok "its own options are no part of the run" sh -c '! grep -q -e device -e lock "$1"' - "$T/m/args"
exits 0 "the shard's command goes on with it" sh "$T/options" sk-train-shard "$T/m" --max-updates 40
exits 0 "and the other way round" train "$T/m" --max-updates 50
exits 78 "other options" train "$T/m" --max-updates 50 --batch-size 101
is "$(grep -c '^GPU' "$T/err")" 0 "are found before a GPU is taken"
exits 65 "bad text" train "$T/n" -t "$T/val.trg"
is "$(grep -c '^GPU' "$T/err")" 0 "too"
echo 'device_ids: [-1]' >"$T/config"
exits 0 "options in a file" train "$T/n" --max-updates 10 --config "$T/config"
like "$(cat "$T/err")" '^GPU 0: alpha' "count"

# --- locks --------------------------------------------------------------------------------
"$BIN/sk-lock" -d alpha -- sh -c ': >"$0.has"; while [ -e "$0" ]; do sleep 0.02; done' "$T/hold" 2>/dev/null &
: >"$T/hold"
until_there "$T/hold.has"
exits 0 "any GPU" train "$T/any" --max-updates 10 --device-ids -1
like "$(cat "$T/err")" '^GPU 1: beta$' "the first that is free"
exits 0 "so with -n" train "$T/any" --max-updates 20 -n 1
like "$(cat "$T/err")" '^GPU 1: beta$' "the first that is free"
exits 0 "one by name" train "$T/any" --max-updates 30 --device-ids gam
like "$(cat "$T/err")" '^GPU 2: gamma$' "that one"
exits 0 "one of those visible" env CUDA_VISIBLE_DEVICES=2,0 sh "$T/options" sk-train "$T/any" --max-updates 40
like "$(cat "$T/err")" '^GPU 0: gamma$' "counted as CUDA does"
exits 0 "without locks" train "$T/any" --max-updates 50 --disable-device-locking
like "$(cat "$T/err")" '^GPU 0: alpha, not locked$' "the first, though it is held"
exits 0 "any without locks" train "$T/any" --max-updates 60 --disable-device-locking --device-ids -1
like "$(cat "$T/err")" '^GPU 0: alpha, not locked$' "the first as well"
exits 0 "other locks" train "$T/any" --max-updates 70 --lock-dir "$T/others"
like "$(cat "$T/err")" '^GPU 0: alpha$' "know nothing of it"
ok "they lie there" test -e "$T/others/sk-gpu.alpha"
exits 0 "a Slurm job's" env SLURM_JOB_GPUS=0 CUDA_VISIBLE_DEVICES=0 sh "$T/options" sk-train "$T/any" --max-updates 80
like "$(cat "$T/err")" '^GPU 0: alpha, given by Slurm$' "is taken as given"
: >"$T/wait.err"
sh "$T/options" sk-train "$T/wait" --max-updates 10 2>>"$T/wait.err" &
pid=$!
until_said "$T/wait.err" 'Waiting for GPUs'
like "$(cat "$T/wait.err")" 'Waiting for GPUs, 0 requests before this one' "the first GPU is waited for"
like "$("$BIN/sk-lock" --list | sed -n 2p)" '^0 +alpha +locked +- +1 ' "as the list shows"
exits 75 "the directory is its own meanwhile" train "$T/wait" --max-updates 10 --device-ids 1
like "$(cat "$T/err")" "another trainer works on $T/wait: .*pid $pid" "says who has it"
rm "$T/hold"
status=0
wait $pid || status=$?
is "$status" 0 "then it trains"

# The GPU is held while it trains, by whoever is left.
long() { rm -f "$T/$1.err"; : >"$T/$1.err"; sh "$T/options" sk-train "$T/$1" --max-updates 20000 --max-num-checkpoint-not-improved -1 >/dev/null 2>"$T/$1.err" & }
long a
pid=$!
until_there "$T/a/params.00001"
like "$("$BIN/sk-lock" --list | sed -n 2p)" "^0 +alpha +locked .* pid $pid on .*: .*sk-train" "the GPU is held"
exits 75 "against others" "$BIN/sk-lock" -d 0 --no-wait true
kill -KILL "$pid"
exits 0 "killed, it leaves the GPU free" "$BIN/sk-lock" -d 0 --timeout 20 true
wait "$pid" 2>/dev/null
ok "with the state saved" test -e "$T/a/progress"
like "$(cat "$T/a/progress")" '^stopped	SIGTERM$' "since its process was told to"

# --- several ---------------------------------------------------------------------------------
export UCX_NET_DEVICES=lo
sh "$T/options" sk-train-shard "$T/want2" --max-updates 40 --quiet
# shellcheck disable=SC2016
exits 0 "-2 5 are any two and number 5" env SK_GPUS=a,b,c,d,e,f sh "$T/options" sk-train "$T/two" \
    --device-ids -2 5 --max-updates 40 --on-checkpoint 'echo "$CUDA_VISIBLE_DEVICES $SK_GPUS" >"$SK_MODEL_DIR/has"'
is "$(sed -n 's/^GPU //p' "$T/err" | tr '\n' ' ')" "0: a 1: b 5: f " "three GPUs"
same "$T/two/params.00004" "$T/want2/params.00004" "parameters as one process makes them"
is "$(cd "$T/two" && ls log*)" "log
log.1
log.2" "three shards"
like "$(cat "$T/two/has")" '^([abf]) \1$' "each sees a GPU of its own"
exits 0 "-n on the CPU" train "$T/cpu2" --use-cpu -n 2 --max-updates 40
same "$T/cpu2/params.00004" "$T/want2/params.00004" "the same parameters"
ok "by two shards" test -e "$T/cpu2/log.1"
exits 0 "begun anew" train "$T/cpu2" --use-cpu -n 2 --max-updates 10 --overwrite-output
is "$(cut -f 1 "$T/cpu2/metrics")" 1 "once"
rm -f "$T/k.err"
: >"$T/k.err"
sh "$T/options" sk-train "$T/k" -n 2 --max-updates 20000 --max-num-checkpoint-not-improved -1 2>"$T/k.err" &
pid=$!
until_there "$T/k/params.00002"
shard=$(cut -d ' ' -f 2 "/proc/$pid/task/$pid/children")
kill -KILL "$shard"
status=0
wait "$pid" || status=$?
is "$status" 75 "one of two is killed"
like "$(cat "$T/k.err")" "^sk-train: shard 1 \(pid $shard\) was ended by signal 9, Killed.*; the others are told to end" \
    "which and how"
exits 0 "nobody is left with a GPU" "$BIN/sk-lock" -n 3 --no-wait true

# --- signals, deaths ------------------------------------------------------------------------
for signal in TERM INT USR1; do
    long a
    pid=$!
    until_said "$T/a.err" '^Checkpoint'
    kill -$signal "$pid"
    status=0
    wait "$pid" || status=$?
    is "$status" 75 "SIG$signal"
    like "$(tail -n 2 "$T/a.err")" "^SIG[A-Z0-9]+: stopped after update" "the state is saved"
done
long b
pid=$!
until_there "$T/b/params.00001"
shard=$(cut -d ' ' -f 1 "/proc/$pid/task/$pid/children")
kill -KILL "$shard"
status=0
wait "$pid" || status=$?
is "$status" 75 "the process that trains is killed"
like "$(tail -n 1 "$T/b.err")" "^sk-train: shard 0 \(pid $shard\) was ended by signal 9, Killed" "which and how"
n=$(($(find "$T/b" -name 'params.0*' | wc -l) * 10 + 10))
exits 0 "started again" train "$T/b" --max-updates "$n" --max-num-checkpoint-not-improved -1
sh "$T/options" sk-train-shard "$T/c" --max-updates "$n" --max-num-checkpoint-not-improved -1 --quiet
same "$T/b/params.$(printf %05d $((n / 10)))" "$T/c/params.$(printf %05d $((n / 10)))" "the same parameters"

# One line of progress on a terminal, and ^C on it.
cat >"$T/terminal.py" <<'EOF'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    before, seen = seen, seen + data
    if b"\rupdate " in seen and b"\rupdate " not in before:
        os.write(fd, b"\003")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
status=0
python3 "$T/terminal.py" sh "$T/options" sk-train "$T/d" --max-updates 2000000 --max-num-checkpoint-not-improved -1 \
    >"$T/seen" || status=$?
is "$status" 75 "^C on a terminal"
like "$(tr '\r' '\n' <"$T/seen")" '^update [0-9]+  [0-9]+ target tokens/s  perplexity' "there was a line of progress"
like "$(tr '\r' '\n' <"$T/seen")" 'SIG[A-Z]+: stopped after update' "once is not at once"

# A real GPU, and a build that cannot use it.
case $("$BIN/sk-train" --version) in
*cuda*) skip "this build can use GPUs" ;;
*)
    cp "$PRELOAD/preload_nvml.so" "$T/libnvidia-ml.so.1"
    printf 'GPU-0001 0 0\n' >"$T/gpus"
    unset SK_GPUS
    LD_LIBRARY_PATH=$T FAKE_NVML=$T/gpus exits 1 "a GPU that this build cannot use" train "$T/e"
    like "$(cat "$T/err")" 'cannot compute on GPUs .its backends: cpu., so it takes none: --use-cpu' "is not taken"
    ;;
esac
done_testing
