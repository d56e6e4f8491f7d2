#!/bin/sh
# Training that decides by BLEU, chrF or TER: results come late, decisions in
# order; the trainer's own watcher; a command for each checkpoint.
# sanitized
. "$(dirname "$0")/tap.sh"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
cat >"$T/train" <<END
#!/bin/sh
exec "\${TRAINER:-$BIN/sk-train-shard}" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" --use-cpu --threads 1 \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 16 --batch-size 200 --checkpoint-frequency 5 --initial-learning-rate 0.02 \\
    --learning-rate-reduce-num-not-improved 2 -q "\$@"
END
chmod +x "$T/train"
train() { "$T/train" "$@"; }
until_() { # SECONDS COMMAND...
    tap_tries=$(($1 * 50))
    shift
    while ! "$@"; do
        tap_tries=$((tap_tries - 1))
        [ "$tap_tries" -gt 0 ] || return 1
        sleep 0.02
    done
}
plain() { sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' "$1/metrics"; }
outcome() { plain "$1" && cksum <"$1/params.best" && readlink "$1/params.best" && (cd "$1" && cksum params.0*); }
column() { sed "s/.*	$2=\([^	]*\).*/\1/" "$1/metrics"; } # DIR NAME: of each line

# --- decisions, against a plain computation ------------------------------------------
# oracle METRIC SIGN PATIENCE: from the metrics of a run without end; prints the
# best of all, the checkpoint where patience ends it, and the best then.
oracle() {
    column "$1" "$2-val" | awk -v sign="$3" -v patience="$4" '
        { value[NR] = sign * $1; if (NR == 1 || value[NR] > value[best]) best = NR }
        END {
            # At checkpoint n what is known reaches to n - 1.
            for (n = 2; n <= NR && !stop; n++) {
                if (n == 2 || value[n - 1] > value[b]) { b = n - 1; worse = 0 } else worse++
                if (worse >= patience) stop = n
            }
            if (stop && value[stop] > value[b]) b = stop
            print best, stop + 0, b
        }'
}
for metric in bleu chrf ter; do
    m=$T/$metric
    sign=1
    [ $metric = ter ] && sign=-1
    exits 0 "$metric: a run of thirty checkpoints" train -o "$m" --optimized-metric $metric --max-updates 150 \
        --max-num-checkpoint-not-improved -1
    is "$(grep -c "	$metric-val=" "$m/metrics")" 30 "all are scored"
    best=$(oracle "$m" $metric $sign 1000 | cut -d ' ' -f 1)
    is "$(readlink "$m/params.best")" "$(printf 'params.%05d' "$best")" "the best one is linked"
    like "$(cat "$m/finished")" "^best	$best\$" "and named"
done
diag "best: $(for i in bleu chrf ter; do readlink "$T/$i/params.best"; done | tr '\n' ' ')"
m=$T/bleu
patience=$(for p in 1 2 3 4 5 6; do oracle "$m" bleu 1 $p | awk -v p=$p '$2 > 3 && $2 < 30 { print p; exit }'; done | head -n 1)
stop=$(oracle "$m" bleu 1 "$patience" | cut -d ' ' -f 2)
best=$(oracle "$m" bleu 1 "$patience" | cut -d ' ' -f 3)
exits 0 "patience of $patience" train -o "$T/early" --optimized-metric bleu --max-updates 150 \
    --max-num-checkpoint-not-improved "$patience"
like "$(cat "$T/early/finished")" "^checkpoint	$stop\$" "ends it at checkpoint $stop"
like "$(cat "$T/early/finished")" "^best	$best\$" "the best is $best, the last one counted"
is "$(column "$T/early" converged | grep -n True | tr '\n' ' ')" "$stop:True " "the last line says so"
like "$(cat "$m/log")" 'Checkpoint \[4\].Validation-bleu=0\.' "scores are said as they come"
like "$(cat "$m/log")" 'Checkpoint \[29\].Validation-bleu (has not )?improved' "and what follows"

# --- evaluators elsewhere, and waiting ---------------------------------------------------
m=$T/waits
"$T/train" -o "$m" --optimized-metric bleu --max-updates 150 --max-num-checkpoint-not-improved -1 --monitor-bleu 0 \
    2>"$T/err" &
pid=$!
ok "without a watcher training waits" until_ 20 grep -qs '^waiting-for-checkpoint	1$' "$m/progress"
like "$(cat "$m/progress")" '^waiting-since	[0-9]{10}$' "progress says since when"
like "$(cat "$m/log")" 'Checkpoint \[1\].waiting for its Validation-bleu since 20.*sk-bleu-eval --watch must run' \
    "so does the log"
is "$(wc -l <"$m/metrics" | tr -d ' ')" 1 "nothing was decided"
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "a signal ends the waiting"
"$T/train" -o "$m" --optimized-metric bleu --max-updates 150 --max-num-checkpoint-not-improved -1 --monitor-bleu 0 \
    2>"$T/err" &
pid=$!
# Each by another program, at another time.
for n in 1 2 3; do
    until_ 20 grep -qs "^waiting-for-checkpoint	$n\$" "$m/progress" || :
    "$BIN/sk-bleu-eval" "$m" --once --use-cpu -q >/dev/null
done
"$BIN/sk-bleu-eval" "$m" --watch --use-cpu -q >/dev/null &
watcher=$!
status=0
wait $pid || status=$?
is $status 0 "with evaluators elsewhere it goes on"
wait $watcher
is "$(outcome "$m")" "$(outcome "$T/bleu")" "and the result is the same"
is "$(grep -c waiting "$m/progress")" 0 "it waits no more"
exits 0 "a run of 68 updates" train -o "$T/longer" --optimized-metric bleu --max-updates 68 \
    --max-num-checkpoint-not-improved -1
exits 0 "that is made longer" train -o "$T/longer" --optimized-metric bleu --max-updates 150 \
    --max-num-checkpoint-not-improved -1
is "$(outcome "$T/longer")" "$(outcome "$T/bleu")" "is one of that length"

# --- the trainer's own watcher ---------------------------------------------------------
exits 0 "perplexity, with a sample translated" train -o "$T/sample" --max-updates 30 --decode-and-evaluate 20
is "$(grep -c '	bleu-val=' "$T/sample/metrics")" 6 "all checkpoints have their BLEU in the end"
is "$(wc -l <"$T/sample/eval/00006.out" | tr -d ' ')" 20 "of twenty sentences"
is "$(cd "$T/sample" && sed -n 's/^monitor-bleu	//p' args)" 20 "as args says"
exits 0 "none" train -o "$T/none" --max-updates 30
is "$(grep -c '	bleu-val=' "$T/none/metrics")" 0 "is the default"
exits 0 "it may change" train -o "$T/none" --max-updates 30 --monitor-bleu -1
is "$(grep -c '	bleu-val=' "$T/none/metrics")" 6 "also after the end"

"$T/train" -o "$T/killed" --max-updates 10000000 --monitor-bleu -1 2>"$T/err" &
pid=$!
until_ 20 test -e "$T/killed/eval/00001.json" || :
watcher=$(ps -o pid= --ppid $pid | tr -d ' ')
ok "a watcher runs ($watcher)" kill -0 "$watcher"
kill -KILL "$watcher"
ok "killed, it is started again" until_ 20 sh -c "ps -o pid= --ppid $pid | grep -qvx ' *$watcher *'"
like "$(cat "$T/killed/log")" 'evaluation of checkpoints has stopped \(ended by Killed\): it is started again' "and said"
watcher=$(ps -o pid= --ppid $pid | tr -d ' ')
kill -KILL $pid
wait $pid 2>/dev/null
ok "it goes when the trainer is killed" until_ 10 sh -c "! kill -0 $watcher 2>/dev/null"

# A sk-bleu-eval that cannot translate, beside a copy of the trainer.
mkdir "$T/bin"
cp "$BIN/sk-train-shard" "$T/bin"
export TRAINER="$T/bin/sk-train-shard"
exits 0 "no evaluator beside the trainer" train -o "$T/alone" --max-updates 20 --monitor-bleu -1
like "$(cat "$T/alone/log")" 'cannot run .*/bin/sk-bleu-eval' "is said"
printf '#!/bin/sh\nexit 65\n' >"$T/bin/sk-bleu-eval"
chmod +x "$T/bin/sk-bleu-eval"
exits 0 "translation fails" train -o "$T/fails" --max-updates 20 --monitor-bleu -1
like "$(cat "$T/fails/log")" 'left some undone \(exit status 65\)' "that is said, and training done"
exits 65 "unless it shall stop" train -o "$T/stops" --max-updates 100000000 --monitor-bleu -1 \
    --stop-training-on-decoder-failure
like "$(cat "$T/err")" 'could not be translated \(exit status 65\): training stops' "why"
ok "and the state is saved" test -e "$T/stops/interrupted" -o -e "$T/stops/params.00001"
exits 65 "also while it waits" train -o "$T/stops2" --max-updates 1000 --optimized-metric bleu \
    --stop-training-on-decoder-failure
unset TRAINER

# --- what is still to be scored stays ---------------------------------------------------
mkdir -p "$T/kept/eval"
# Somebody is at work on a checkpoint, and behind.
python3 -c '
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))   # F_OFD_SETLK
open(sys.argv[2], "w").close()
time.sleep(600)' "$T/kept/eval/00002.claim" "$T/claimed" &
pid=$!
until_ 20 test -e "$T/claimed" || :
exits 0 "only the last parameters are kept" train -o "$T/kept" --max-updates 20 --keep-last-params 1
is "$(cd "$T/kept" && echo params.0*)" "params.00001 params.00002 params.00003 params.00004" \
    "but those that a busy evaluator has not scored"
kill $pid
wait $pid 2>/dev/null
exits 0 "later" train -o "$T/kept" --max-updates 25 --keep-last-params 1
is "$(cd "$T/kept" && echo params.0*)" "params.00005" "they go"
exits 0 "with a watcher of its own" train -o "$T/own" --max-updates 25 --keep-last-params 1 --monitor-bleu -1
is "$(cd "$T/own" && echo params.0*)" "params.00005" "too, when it has ended"
is "$(grep -c '	bleu-val=' "$T/own/metrics")" 5 "and scored all"

# --- a command for each checkpoint -------------------------------------------------------
command='echo "said $SK_CHECKPOINT" >>"'$T/said'"; echo "answer=$((40 + SK_CHECKPOINT))"; echo " no=1"; echo noise
    echo "perplexity-val=3"; echo "x.y_z-1=0.5"; echo "bad=1x"; echo "inf=inf"
    cmp -s "$SK_PARAMS" "$SK_MODEL_DIR/params.0000$SK_CHECKPOINT" && echo "lines=$(wc -l <"$SK_TRANSLATIONS")"
    "'$BIN/sk-bleu-eval'" --offset 0.01 --tokenize none -w 6 -i "$SK_TRANSLATIONS" -r "$SK_VALIDATION_TARGET" |
        sed "s/BLEU./bleu=/"
    cp "$SK_VALIDATION_SOURCE" "'$T/sample.src'"; cp "$SK_VALIDATION_TARGET" "'$T/sample.trg'"; ! read -r line'
exits 0 "--on-checkpoint" train -o "$T/command" --max-updates 20 --monitor-bleu 30 --on-checkpoint "$command"
is "$(cat "$T/said" | tr '\n' ' ')" "said 1 said 2 said 3 said 4 " "runs once for each, in order"
is "$(column "$T/command" answer | tr '\n' ' ')" "41 42 43 44 " "what it says joins the metrics"
is "$(column "$T/command" lines | tr '\n' ' ')$(column "$T/command" x.y_z-1 | tr '\n' ' ')" \
    "30 30 30 30 0.5 0.5 0.5 0.5 " "and it is told where things are"
is "$(column "$T/command" bleu | awk '{ printf "%.4f ", $1 / 100 }')" \
    "$(column "$T/command" bleu-val | awk '{ printf "%.4f ", $1 }')" "its text is line by line what was translated"
same "$T/sample.src" "$T/sample.trg" "on both sides"
is "$(grep -cxF -f "$T/text" "$T/sample.src")" 30 "out of the held-out text"
is "$(grep -cE '	(no|bad|inf|noise)=' "$T/command/metrics")" 0 "other lines are nothing"
like "$(cat "$T/command/log")" "checkpoint 2: 'perplexity-val' is a metric of sk's own" "sk's own names are refused"
is "$(plain "$T/command" | sed -E 's/	(answer|lines|bleu|x.y_z-1)=[^	]*//g')" "$(train -o "$T/same" --max-updates 20 \
    --monitor-bleu 30 2>/dev/null; plain "$T/same")" "and nothing else changes"
exits 0 "without a sample" train -o "$T/whole" --max-updates 10 --on-checkpoint 'cmp "$SK_VALIDATION_SOURCE" "'"$T/text"'" &&
    cmp "$SK_VALIDATION_TARGET" "'"$T/text"'" && echo all=1'
is "$(column "$T/whole" all | tr '\n' ' ')" "1 1 " "it is the whole text"
exits 0 "a command that fails" train -o "$T/bad" --max-updates 20 --on-checkpoint \
    'echo run >>"'"$T/runs"'"; echo x=1; test $SK_CHECKPOINT != 2 || exit 3; test $SK_CHECKPOINT != 3 || kill -9 $$'
like "$(cat "$T/bad/log")" 'checkpoint 2: the command of --on-checkpoint failed \(exit status 3\)' "is said"
is "$(grep -c 'checkpoint 3: the command of --on-checkpoint was killed (ended by Killed): it is run again' "$T/bad/log")" 2 \
    "one that is killed is tried again"
like "$(cat "$T/bad/log")" 'checkpoint 3: .* the next start runs it again' "three times"
is "$(sed -n 's/.*	x=\([0-9]*\).*/\1/p' "$T/bad/metrics" | tr '\n' ' ')" "1 1 " "and says nothing"
exits 0 "again" train -o "$T/bad" --max-updates 20 --on-checkpoint 'echo again $SK_CHECKPOINT >>"'"$T/runs"'"'
is "$(grep again "$T/runs")" "again 3" "what failed is not run again"
rm "$T/bad/eval/00002.values"
exits 0 "unless asked for" train -o "$T/bad" --max-updates 20 --on-checkpoint 'echo again >>"'"$T/runs"'"; echo y=$SK_CHECKPOINT'
is "$(sed -n 's/.*	y=\([0-9]*\).*/\1/p' "$T/bad/metrics" | tr '\n' ' ')" "2 " "for that checkpoint"

# Asynchronous; taken up after a kill; nothing stays behind.
"$T/train" -o "$T/slow" --max-updates 50 --on-checkpoint 'test -e "'"$T/go"'" || sleep 60; echo z=$SK_CHECKPOINT' 2>"$T/err" &
pid=$!
ok "training does not wait for it" until_ 20 test -e "$T/slow/finished"
ok "but the trainer does" kill -0 $pid
until_ 20 grep -q 'Training is done' "$T/slow/log" || :
like "$(cat "$T/slow/log")" 'Training is done; to come: scores of 0 checkpoints, .* for 10$' "and says what is to come"
kill -KILL $pid
wait $pid 2>/dev/null
is "$(cd "$T/slow/eval" 2>/dev/null && ls ./*.values)" "" "killed before the first has ended"
: >"$T/go"
exits 0 "the next start" train -o "$T/slow" --max-updates 50 --on-checkpoint 'test -e "'"$T/go"'" || sleep 60; echo z=$SK_CHECKPOINT'
is "$(column "$T/slow" z | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 10 " "runs all of them"
rm -f "$T/go"
"$T/train" -o "$T/term" --max-updates 50 --on-checkpoint 'sleep 60 & echo $! >"'"$T/sleeper"'"; wait' 2>"$T/err" &
pid=$!
until_ 20 test -e "$T/term/finished" || :
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "SIGTERM while it runs"
ok "ends it with all it started" until_ 10 sh -c "! kill -0 $(cat "$T/sleeper") 2>/dev/null"
printf '# params 0123456789abcdef0123456789abcdef\nx=1\n' >"$T/bad/eval/00001.values"
printf 'hello' >"$T/bad/eval/00004.values"
exits 0 "damaged and foreign values" train -o "$T/bad" --max-updates 20
like "$(cat "$T/bad/log")" "00004.values does not begin with" "are named"

# --- usage ---------------------------------------------------------------------------------
for options in "--monitor-bleu x" "--monitor-bleu -2" "--monitor-bleu 1.5" "--stop-training-on-decoder-failure" \
    "--optimized-metric rouge"; do
    # shellcheck disable=SC2086
    exits 64 "$options" train -o "$T/usage" --max-updates 5 $options
done
done_testing
