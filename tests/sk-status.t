#!/bin/sh
# sk-status: a directory in each of its states, as text, JSON and curves.
# sanitized
. "$(dirname "$0")/tap.sh"
status() { LC_ALL=C.UTF-8 "$BIN/sk-status" "$@"; }
# field DIR EXPRESSION: of the JSON object o
field() {
    "$BIN/sk-status" --json "$1" | python3 -c 'import json, sys; o = json.load(sys.stdin); print('"$2"')'
}

# --- made by hand: every number is known -------------------------------------------
m=$T/m
mkdir "$m"
exits 0 "an empty folder" status "$m"
is "$(cat "$T/out")" "$m: empty, no run has begun here" "says so"
printf 'max-num-checkpoint-not-improved\t8\noptimized-metric\tperplexity\n' >"$m/args"
printf 'checkpoint\t3\ncheckpoint-frequency\t500\nepoch\t2\nlearning-rate\t0.0005\nmax-updates\t12000\nsamples\t99\ntarget-tokens/sec\t7400.5\ntime\t%s\ntime-elapsed\t3700\nupdates\t1600\nupdates/sec\t4\n' "$(date +%s)" >"$m/progress"
printf '1\tbleu-val=0.1\tperplexity-val=100\n2\tbleu-val=0.2\tconverged=False\tperplexity-val=10\n3\tperplexity-val=11\n' >"$m/metrics"
: >"$m/params.00002"
ln -s params.00002 "$m/params.best"
exits 0 "a dead run" status "$m"
like "$(cat "$T/out")" "^$m: dead since after 20[0-9-]+ [0-9:]+: nobody works here; the same command goes on$" "says what to do"
like "$(cat "$T/out")" '^  updates      1,600 of 12,000, epoch 2, 1:01:40 in all, 7,400 target tokens/s, 4.00 updates/s$' "its progress"
like "$(cat "$T/out")" '^  checkpoints  3, best 2, no improvement for 1 of 8$' "its checkpoints"
like "$(cat "$T/out")" '^  perplexity-val         100 █▁▁ 11$' "its curve, in logarithms"
like "$(cat "$T/out")" '^  bleu-val               0.1 ▁█ 0.2$' "with what values there are"
is "$(LC_ALL=C "$BIN/sk-status" "$m" | sed -n 's/^  perplexity-val *100 \(.*\) 11$/\1/p')" "#__" "in plain characters"
is "$(grep -c 'time left' "$T/out")" 0 "the dead have no time left"
: >"$m/interrupted"
like "$(status "$m")" "^$m: interrupted since .* by a signal; the same command goes on$" "interrupted"
rm "$m/interrupted"
printf 'best\t2\ncheckpoint\t3\nreason\tconverged\ntime\t1700000000\nupdates\t1600\n' >"$m/finished"
like "$(status "$m")" "^$m: finished since 2023-11-1[45] [0-9:]+ \(converged\)$" "finished"

mkdir "$m/eval"
for n in 1 3; do : >"$m/params.0000$n"; done
like "$(status "$m")" '^  to evaluate  1 2 3$' "checkpoints without scores"

# --- broken ones ------------------------------------------------------------------------
cp -r "$m" "$T/broken"
printf '1\tperplexity-val\n' >"$T/broken/metrics"
exits 65 "a damaged table" status "$T/broken"
like "$(cat "$T/out")" '^  updates      1,600 of 12,000' "the rest is shown"
like "$(cat "$T/out")" '^  damaged      .*metrics:1: ' "and what is damaged"
printf 'updates\tmany\nmax-updates\t-1e999\nchec' >"$T/broken/progress"
exits 65 "nonsense for progress" status "$T/broken"
exits 66 "no such folder" status "$T/nowhere"
exits 66 "a file" status "$m/args"
exits 64 "no folder given" status

exits 0 "two" status "$m" "$T/m"
is "$(sed -n 1p "$T/out" | tr -s ' ')" "DIRECTORY STATE UPDATES TOKENS/S TIME LEFT BEST PERPLEXITY BLEU" "make a table"
is "$(sed -n 3p "$T/out" | tr -s ' ')" "$m finished 1,600 7,400 - 2 10 20.00" "with the best checkpoint's scores"

if command -v python3 >/dev/null; then
    is "$(field "$m" "o['state'], o['reason'], o['best'], o['checkpoint'], o['updates'], o['pending']")" \
        "finished converged 2 3 1600 [1, 2, 3]" "JSON"
    is "$(field "$m" "o['metrics'][1]")" "{'checkpoint': 2, 'bleu-val': 0.2, 'converged': False, 'perplexity-val': 10.0}" \
        "has all metrics"
    is "$(field "$T/broken" "o['damage'] is not None and o['updates']")" 0 "also of a broken one"
    is "$("$BIN/sk-status" --json "$m" "$T/broken" | wc -l | tr -d ' ')" 2 "a line each"
else
    skip "python3 is not installed"
fi

if command -v gnuplot >/dev/null; then
    exits 0 "curves" status "$m" "$T/m" --plot "$T/it's.svg"
    like "$(tail -n 2 "$T/it's.svg")" '</svg>' "drawn whole"
    like "$(cat "$T/it's.svg")" 'perplexity-val' "of the metrics"
    exits 0 "as a picture" status "$m" --plot "$T/p.png"
    is "$(head -c 4 "$T/p.png" | tail -c 3)" PNG "of its kind"
    exits 64 "of no known kind" status "$m" --plot "$T/p.jpg"
    exits 66 "in no such folder" status "$m" --plot "$T/nowhere/p.svg"
    is "$(find "$T" -name '.*.tmp')" "" "no temporaries are left"
    mkdir "$T/fresh"
    exits 1 "nothing to draw" status "$T/fresh" --plot "$T/p.svg"
else
    skip "gnuplot is not installed"
fi

# --- a live one -----------------------------------------------------------------------------
for i in 1 2 3 4 5 6 7 8; do echo "a$i b$i c$i"; done >"$T/text"
"$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$T/live" --num-layers 1 \
    --transformer-model-size 8 --transformer-attention-heads 1 --transformer-feed-forward-num-hidden 8 \
    --batch-size 100 --checkpoint-frequency 100 --max-updates 1000000000 --use-cpu --threads 1 -q \
    --max-num-checkpoint-not-improved -1 --keep-last-params 2 &
trainer=$!
tries=0
until grep -qs '^3' "$T/live/metrics" || [ $tries -ge 1000 ]; do sleep 0.02; tries=$((tries + 1)); done
like "$(status "$T/live")" "^$T/live: running, sk-train-shard, pid $trainer on .* since 20" "running, and who"
like "$(status "$T/live")" '^  time left    [0-9:]+ to checkpoint [0-9]+, [0-9d :]+ to the end$' "time left"
status "$T/live" --follow --interval 0.05 >"$T/followed" &
follower=$!
sleep 0.5
kill -TERM $trainer
wait $trainer
is $? 75 "the trainer is stopped"
wait $follower
is $? 0 "--follow ends with it"
ok "it looked again and again" test "$(grep -c "$T/live: running" "$T/followed")" -ge 2
like "$(tail -n 12 "$T/followed")" "^$T/live: interrupted since .* by SIGTERM; " "and saw the end"

# --- one that waits -------------------------------------------------------------------------
"$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$T/late" --num-layers 1 \
    --transformer-model-size 8 --transformer-attention-heads 1 --transformer-feed-forward-num-hidden 8 \
    --batch-size 100 --checkpoint-frequency 5 --max-updates 15 --use-cpu --threads 1 -q \
    --optimized-metric bleu --monitor-bleu 0 --on-checkpoint "echo comet=0.\$SK_CHECKPOINT" &
trainer=$!
tries=0
until grep -qs '^waiting-for-checkpoint' "$T/late/progress" || [ $tries -ge 1000 ]; do
    sleep 0.02
    tries=$((tries + 1))
done
like "$(status "$T/late")" \
    "^$T/late: waiting since 20[0-9-]+ [0-9:]+ for the score of checkpoint 1, sk-train-shard, pid $trainer on .*, cpu: " \
    "waiting, for what, since when, who, on which device"
if command -v python3 >/dev/null; then
    is "$(field "$T/late" "o['state'], o['waiting-for-checkpoint'], o['waiting-since'] > 1e9, o['device'][:4]")" \
        "waiting 1 True cpu:" "JSON has it"
fi
"$BIN/sk-bleu-eval" "$T/late" --watch --use-cpu -q
is $? 0 "its watcher ends"
wait $trainer
is $? 0 "and so does it"
like "$(status "$T/late")" "^$T/late: finished " "finished"
is "$(status "$T/late" | grep -c 'to evaluate')" 0 "nothing is to evaluate"
like "$(status "$T/late")" '^  bleu-val  ' "a curve of BLEU"
like "$(status "$T/late")" '^  comet                  0.1 .* 0\.3$' "and of what the command found"
cp "$T/late/params.00003" "$T/late/params.00002"
like "$(status "$T/late")" '^  to evaluate  2$' "scores of other parameters are none"
echo '{' >"$T/late/eval/00003.json.new" && mv "$T/late/eval/00003.json.new" "$T/late/eval/00003.json"
exits 65 "a damaged record" status "$T/late"
like "$(cat "$T/out")" '^  to evaluate  2 3$' "is none either"
done_testing
