#!/bin/sh
# Exact resume: a run that is killed at any of its calls that change files,
# or at any moment, and started again ends as if nothing had happened.
# shellcheck disable=SC2030,SC2031,SC2119,SC2120
# In memory, if possible: what a kill of a process leaves does not depend on the
# disk, and waiting for it is most of the time.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
# every N : with large counts each one, else each N-th
every() { [ -n "${SK_LONG:-}" ] && echo 1 || echo "$1"; }
[ -n "${SAN:-}" ] && skip_all "a preloaded library and sanitizers do not go together"
command -v python3 >/dev/null || skip_all "python3 is not installed"
. tests/faults.sh

awk -v dir="$T" 'BEGIN {
    srand(11)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 20 : 150); i++) {
            n = 1 + int(rand() * 7); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 15); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'

# The rate falls and takes parameters and moments back to the best, checkpoints
# get worse, old ones are removed, updates have two batches: everything a state
# must carry is in use. The last checkpoint is off the interval. A program, so
# that $! is the trainer's own number.
cat >"$T/train" <<EOF
#!/bin/sh
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/m" \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 32 --batch-size 50 --update-interval 2 --max-seq-len 12 \\
    --checkpoint-frequency 4 --initial-learning-rate 0.3 --learning-rate-warmup 3 \\
    --learning-rate-reduce-num-not-improved 1 --learning-rate-decay-param-reset \\
    --learning-rate-decay-optimizer-states-reset best --transformer-dropout-prepost 0.2 \\
    --gradient-clipping-type norm --weight-decay 0.001 --metrics perplexity accuracy --keep-last-params 1 \\
    --cache-last-best-params 2 --cache-strategy lifespan --keep-initializations --max-updates 14 --threads 1 \\
    --use-cpu --quiet "\$@"
EOF
chmod +x "$T/train"
train() { "$T/train" "$@"; }
# What must be the same: every file of parameters, the metrics without times,
# the best link, and that nothing else lies about.
result() {
    (
        cd "$T/m" || exit
        cksum params.0*
        sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics
        readlink params.best
        find . ! -name 'state.0*' ! -name log ! -name . ! -name '*tfevents*' | LC_ALL=C sort
        # Who wrote the events, and where, differs; points do not.
        python3 "$ROOT/tests/events.py" tensorboard | grep -v '^\(time\|used\)-' | LC_ALL=C sort
        ls state.0*
    )
}

exits 0 "an undisturbed run" train
result >"$T/want"
diag "$(readlink "$T/m/params.best") is best"
like "$(sed 's/.*learning-rate=\([^	]*\).*/\1/' "$T/m/metrics" | tail -n 1)" '^0\.(21|147|1029)' "the rate was lowered"

like "$(cat "$T/m/log")" 'Parameters are those of checkpoint [0-9]+ again' "and the best parameters came back"
like "$(cat "$T/m/log")" "optimizer's state is that of checkpoint [0-9]+ again" "and the best moments"

# What there is of the files that never change once they are there.
rm -rf "$T/m"
exits 0 "with all checkpoints" train --keep-last-params -1
mv "$T/m" "$T/all"
export FAULTS="$T/m"
fresh() { rm -rf "$T/m"; }
act() { train; }
torn() {
    for file in "$T"/m/params.0* "$T"/m/vocab* "$T"/m/config.json "$T"/m/validation.* "$T"/m/data/*; do
        [ ! -e "$file" ] || cmp -s "$file" "$T/all/${file#"$T/m/"}" || echo "${file#"$T/m/"}"
    done
}
faults "a training" 3
ok "many such calls" [ "${calls:?}" -gt 40 ]

# Twice in one life: the restart is killed as well.
bad=
n=1
while [ "$n" -le "$calls" ]; do
    rm -rf "$T/m"
    disturbed before "$n" || :
    disturbed before "$((n % 7 + 1))" || :
    train 2>"$T/err" || bad="$bad $n(restart: $(tail -n 1 "$T/err"))"
    result | cmp -s - "$T/want" || bad="$bad $n(differs)"
    n=$((n + $(every 9)))
done
is "$bad" "" "killed again while it starts again"

# At any moment: SIGKILL after a random time, until it is done.
tries=$([ -n "${SK_LONG:-}" ] && echo 300 || echo 25)
bad=
kills=0
i=0
while [ "$i" -lt "$tries" ]; do
    rm -rf "$T/m"
    for delay in 3 7 12 18 25 33 42 60 90 150 1000; do
        "$T/train" 2>"$T/err" &
        pid=$!
        sleep "$(awk -v i="$i" -v d="$delay" 'BEGIN { srand(i * 131 + d); printf "%.4f", d / 1000 * (0.5 + rand()) }')"
        kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1))
        status=0
        wait "$pid" 2>/dev/null || status=$?
        [ "$status" -eq 0 ] && break
    done
    train 2>"$T/err" || bad="$bad $i(restart: $(tail -n 1 "$T/err"))"
    result | cmp -s - "$T/want" || bad="$bad $i(differs)"
    i=$((i + 1))
done
is "$bad" "" "SIGKILL at random moments ($kills of them)"

# Signals save between checkpoints.
for signal in TERM INT USR1; do
    rm -rf "$T/m"
    bad=
    for delay in 0.02 0.03 0.04 0.05 0.07 0.1; do
        ok=
        "$T/train" 2>"$T/err" &
        pid=$!
        sleep "$delay"
        kill -"$signal" "$pid" 2>/dev/null
        status=0
        wait "$pid" || status=$?
        case $status in 0 | 75) ok=1 ;; esac
        # Before the handlers are there a signal just ends the process.
        case $signal$status in TERM143 | INT130 | USR1138) ok=1 ;; esac
        [ -n "$ok" ] || bad="$bad $delay(status $status)"
    done
    train 2>"$T/err" || bad="$bad restart"
    result | cmp -s - "$T/want" || bad="$bad differs"
    is "$bad" "" "SIG$signal, again and again"
done

done_testing
