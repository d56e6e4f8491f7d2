#!/bin/sh
# sk-bleu-eval --watch and --once: every checkpoint scored once, whenever
# watchers start, however many there are, and whatever happens to them.
# sanitized
. "$(dirname "$0")/tap.sh"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
train() {
    "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$1" --use-cpu --threads 1 \
        --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
        --transformer-feed-forward-num-hidden 16 --batch-size 200 --checkpoint-frequency 10 --max-updates "$2" \
        --initial-learning-rate 0.01 -q
}
# A program, so that $! is the watcher's own number.
cat >"$T/watch" <<END
#!/bin/sh
dir=\$1
shift
exec "$BIN/sk-bleu-eval" "\$dir" --watch --use-cpu --threads 1 "\$@"
END
chmod +x "$T/watch"
# numbers FILE... : of the checkpoints whose scores were printed, sorted
numbers() { cut -f 3 "$@" | sort -n | tr '\n' ' '; }
# scored DIR : numbers of the lines of metrics that have a BLEU
scored() { grep '	bleu-val=' "$1/metrics" | cut -f 1 | tr '\n' ' '; }
# until_ SECONDS COMMAND... : it succeeds within so long
until_() {
    tap_tries=$(($1 * 50))
    shift
    while ! "$@"; do
        tap_tries=$((tap_tries - 1))
        [ "$tap_tries" -gt 0 ] || return 1
        sleep 0.02
    done
}

# --- before, during, after ---------------------------------------------------------
"$T/watch" "$T/new/model" >"$T/first" 2>"$T/first.err" &
first=$!
sleep 0.2
ok "a watcher waits for a directory that is not there" kill -0 $first
exits 0 "a training of six checkpoints" train "$T/new/model" 60
status=0
wait $first || status=$?
is $status 0 "the watcher ends after it"
is "$(numbers "$T/first")" "1 2 3 4 5 6 " "having printed a score of each"
is "$(scored "$T/new/model")" "1 2 3 4 5 6 " "which are in metrics"
cp "$T/new/model/metrics" "$T/want"
m=$T/model
train "$m" 60
"$T/watch" "$m" >"$T/a" 2>"$T/a.err" &
a=$!
"$T/watch" "$m" >"$T/b" 2>"$T/b.err" &
b=$!
"$T/watch" "$m" >"$T/c" 2>"$T/c.err" &
c=$!
status=0
for pid in $a $b $c; do wait $pid || status=$?; done
is $status 0 "three watchers after training end"
is "$(numbers "$T/a" "$T/b" "$T/c")" "1 2 3 4 5 6 " "and have shared the checkpoints"
plain() { sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' "$1"; }
is "$(plain "$m/metrics")" "$(plain "$T/want")" "the same scores"
exits 0 "nothing is left to do" "$T/watch" "$m"
is "$(cat "$T/out")" "" "and nothing is done"
like "$(cat "$m/eval/00003.out" | wc -l)" '^ *100$' "all lines are translated"

# --- once, samples ------------------------------------------------------------------
once() { exits "$1" "$2" "$BIN/sk-bleu-eval" "$m" --once --use-cpu --threads 1 $3; }
exits 66 "--once without a directory" "$BIN/sk-bleu-eval" "$T/absent" --once --use-cpu
again() { rm -f "$m"/eval/*.json "$m"/eval/*.out && sed -i -E 's/	bleu-val=[^	]*//' "$m/metrics"; }
again
once 0 "--once" "-q"
is "$(numbers "$T/out")" "1 2 3 4 5 6 " "scores what is there"
is "$(plain "$m/metrics")" "$(plain "$T/want")" "and merges it"
cp "$m/eval/00006.out" "$T/all"
again
once 0 "a sample" "--monitor-bleu 30"
like "$(cat "$m/eval/00006.json")" '"sentences": 30' "of 30 sentences"
is "$(wc -l <"$m/eval/00006.out" | tr -d ' ')" 30 "30 translations"
is "$(grep -cxvF -f "$T/all" "$m/eval/00006.out")" 0 "which are those of all"
cp "$m/eval/00006.out" "$T/sample"
again
once 0 "drawn by another seed" "--monitor-bleu 30 --seed 2"
like "$(cat "$m/eval/00006.json")" '"sample-seed": 2' "the record says which"
if cmp -s "$m/eval/00006.out" "$T/sample"; then fail "are others"; else pass "are others"; fi
again
once 0 "the first seed again" "--decode-and-evaluate 30"
same "$m/eval/00006.out" "$T/sample" "gives the same lines"
again
once 0 "0 means all" "--monitor-bleu 0"
same "$m/eval/00006.out" "$T/all" "of them"
again
cp "$m/args" "$T/args"
printf 'monitor-bleu\t7\n' >>"$m/args"
once 0 "what the training asks for" ""
is "$(wc -l <"$m/eval/00006.out" | tr -d ' ')" 7 "is done"
again
once 0 "unless told otherwise" "--monitor-bleu -1"
same "$m/eval/00006.out" "$T/all" "here"
cp "$T/args" "$m/args"
again
once 0 "how to translate" "--beam-size 1 --length-penalty-alpha 0.5 --dtype int8"
like "$(tr -d '\n ' <"$m/eval/00002.json")" '"beam-size":1,.*"dtype":"int8",.*"length-penalty-alpha":0.5,' "is recorded"

# --- told, and looking ---------------------------------------------------------------
rm -rf "$m/eval" "$m/finished"
mkdir "$T/away"
mv "$m"/params.0000[2-6] "$T/away"
# A poll that does not come: only the system can have told.
"$T/watch" "$m" --poll-interval 3600 >"$T/a" 2>"$T/a.err" &
a=$!
until_ 20 test -s "$T/a" || :
sleep 0.2
ln "$T/away/params.00002" "$m/params.00002"
ok "a new checkpoint is noticed at once" until_ 20 test -e "$m/eval/00002.json"
kill $a
status=0
wait $a 2>/dev/null || status=$?
is $status 143 "a watcher can be ended"
LD_PRELOAD="$PRELOAD/preload_notify.so" "$T/watch" "$m" --poll-interval 0.1 >"$T/a" 2>"$T/a.err" &
a=$!
sleep 0.3
ln "$T/away/params.00003" "$m/params.00003"
ok "without being told it is seen by looking" until_ 20 test -e "$m/eval/00003.json"
kill $a
wait $a 2>/dev/null
exits 0 "--idle-timeout ends it" timeout 60 "$T/watch" "$m" --idle-timeout 0.3
like "$(cat "$T/err")" "no new checkpoint for 0.3 seconds" "and says why"
# Each new checkpoint begins the time anew.
"$T/watch" "$m" --idle-timeout 3 >"$T/a" 2>"$T/a.err" &
a=$!
sleep 1.5
ln "$T/away/params.00004" "$m/params.00004"
sleep 2
ok "a checkpoint keeps it alive" kill -0 $a
kill $a 2>/dev/null
wait $a 2>/dev/null

# --- killed -------------------------------------------------------------------------
for side in src trg; do
    cp "$m/validation.$side" "$T/short.$side"
    i=0
    while [ $i -lt 800 ]; do
        cat "$T/short.$side"
        i=$((i + 1))
    done >"$m/validation.$side"
done
slow="--beam-size 10 --length-penalty-alpha 9"
ln "$T/away/params.00005" "$m/params.00005"
# shellcheck disable=SC2086
"$T/watch" "$m" $slow >"$T/a" 2>"$T/a.err" &
a=$!
ok "a long translation has begun" until_ 20 test -e "$m/eval/00005.claim"
sleep 0.2
child=$(ps -o pid= --ppid $a | tr -d ' ')
exits 75 "its claim is held" "$BIN/sk-bleu-eval" "$m" -c 5 --use-cpu
like "$(cat "$T/err")" "00005.claim is locked by sk-bleu-eval, pid $a on " "and says by whom"
kill -KILL $a
wait $a 2>/dev/null
# shellcheck disable=SC2016
ok "its process goes with the watcher" until_ 10 sh -c '! kill -0 '"$child"' 2>/dev/null'
is "$(find "$m/eval" -name ".*")" "" "and leaves nothing behind"
is "$(cd "$m/eval" && ls 00005.json 2>/dev/null)" "" "nor a score"
# shellcheck disable=SC2086
"$T/watch" "$m" $slow --poll-interval 0.1 >"$T/a" 2>"$T/a.err" &
a=$!
child=
until_ 20 sh -c '[ -n "$(ps -o pid= --ppid '$a')" ]' || :
sleep 0.2
child=$(ps -o pid= --ppid $a | tr -d ' ')
ok "it is one process" kill -KILL "$child"
cp "$T/short.src" "$m/validation.src"
cp "$T/short.trg" "$m/validation.trg"
ok "an evaluation that was killed is made again" until_ 20 test -e "$m/eval/00005.json"
like "$(cat "$T/a.err")" "checkpoint 5 could not be evaluated \(ended by Killed\): again in" "and said"
kill $a
wait $a 2>/dev/null

# --- what cannot be translated ---------------------------------------------------------
printf 'reason\tupdates\n' >"$m/finished"
ln "$T/away/params.00006" "$m/params.00006"
head -c 3000 "$T/away/params.00005" >"$m/params.00007"
exits 65 "a damaged checkpoint" "$T/watch" "$m" --poll-interval 0.01
is "$(grep -c 'checkpoint 7 could not be evaluated' "$T/err")" 3 "is tried three times"
like "$(cat "$T/err")" "checkpoint 7 could not be evaluated \(exit status 65\): left to others" "and left to others"
is "$(numbers "$T/out")" "6 " "the others are scored"
once 65 "--once" ""
is "$(grep -c 'checkpoint 7 could not be evaluated' "$T/err")" 1 "tries once"
exits 65 "--stop-on-failure" "$T/watch" "$m" --stop-on-failure
is "$(grep -c 'checkpoint 7 could not be evaluated' "$T/err")" 1 "ends at once"

# While training goes on a checkpoint is not given up.
rm "$m/finished"
"$T/watch" "$m" --poll-interval 0.01 >"$T/a" 2>"$T/a.err" &
a=$!
ok "a fourth attempt" until_ 20 sh -c "[ \$(grep -c 'checkpoint 7 could not' '$T/a.err') -ge 4 ]"
rm "$m/params.00007"
cp "$m/params.00006" "$m/params.00007"
ok "that could be the one that works" until_ 20 test -e "$m/eval/00007.json"
kill $a
wait $a 2>/dev/null

# --- usage ----------------------------------------------------------------------------
for options in "--watch --once" "--watch -c 3" "--once --checkpoint best" "--once --idle-timeout 3" \
    "--stop-on-failure" "--monitor-bleu x" "--monitor-bleu -2" "--watch --poll-interval 0"; do
    # shellcheck disable=SC2086
    exits 64 "$options" "$BIN/sk-bleu-eval" "$m" $options
done
exits 64 "--watch needs a directory" "$BIN/sk-bleu-eval" --watch -r "$T/text"
done_testing
