#!/bin/sh
# tensorboard/: every metric at its checkpoint and some figures between, once
# each, whatever happens to the processes that write them.
# sanitized
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
here=$(dirname "$0")
points() { python3 "$here/events.py" "$T/m/tensorboard"; }
table() { python3 "$here/events.py" --table "$T/m/metrics"; }
same_as_table() {
    points | grep -v '^update/' | LC_ALL=C sort >"$T/a"
    table | LC_ALL=C sort >"$T/b"
    diff "$T/a" "$T/b" | head -n 10
}
updates() { points | sed -n "s,^update/$1	\([0-9]*\)	.*,\1,p" | tr '\n' ' '; }

for i in 1 2 3 4 5 6 7 8; do echo "a$i b$i c$i"; done >"$T/text"
cat >"$T/train" <<EOF
#!/bin/sh
exec "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$T/m" --num-layers 1 \\
    --transformer-model-size 8 --transformer-attention-heads 1 --transformer-feed-forward-num-hidden 8 \\
    --batch-size 30 --max-seq-len 10 --checkpoint-frequency 120 --use-cpu --threads 1 -q "\$@"
EOF
chmod +x "$T/train"

exits 0 "a training" "$T/train" --max-updates 300
is "$(same_as_table)" "" "each metric at each checkpoint, as the table has it"
is "$(points | cut -f 1 | grep '^update/' | sort -u | tr '\n' ' ')" "$(printf 'update/%s ' gradient-norm \
    learning-rate perplexity-train target-tokens-per-second)" "figures between"
is "$(updates learning-rate)" "50 100 150 200 250 300 " "every 50 updates"
is "$(updates target-tokens-per-second)" "50 100 150 200 250 300 " "all of them"
rate=$(sed -n '2s/.*learning-rate=\([^	]*\).*/\1/p' "$T/m/metrics")
is "$(points | awk -F '\t' -v r="$rate" '$1 == "update/learning-rate" && $2 == 250 {
    print ($3 - r < 1e-9 && r - $3 < 1e-9) }')" 1 "with their values"
is "$(find "$T/m/tensorboard" -type f | wc -l | tr -d ' ')" 1 "in one file"

# --- gone on -------------------------------------------------------------------------
exits 0 "nothing to do" "$T/train" --max-updates 300
is "$(points | wc -l | tr -d ' ')" "$(($(table | wc -l) + 24))" "adds nothing"
# The last checkpoint, between two regular ones, is withdrawn and made anew.
exits 0 "extended" "$T/train" --max-updates 480
is "$(same_as_table)" "" "no point of the withdrawn checkpoint is left"
is "$(updates gradient-norm)" "50 100 150 200 250 300 350 400 450 " "none is there twice"
points | LC_ALL=C sort | cut -f 1,2 | uniq -d >"$T/twice"
is "$(cat "$T/twice")" "" "no pair of tag and step is"

# --- killed -----------------------------------------------------------------------------
rm -rf "$T/m"
for delay in 0.1 0.15 0.2 0.25 0.3; do
    "$T/train" --max-updates 1000000000 --max-num-checkpoint-not-improved -1 --keep-last-params 1 2>/dev/null &
    sleep $delay
    kill -KILL $!
    wait $! 2>/dev/null
done
lines() { cat "$T/m/metrics" 2>/dev/null | wc -l; }
n=$(lines)
"$T/train" --max-updates 1000000000 --max-num-checkpoint-not-improved -1 --keep-last-params 1 &
pid=$!
tries=0
until [ "$(lines)" -gt $((n + 2)) ] || [ $tries -ge 2000 ]; do sleep 0.01; tries=$((tries + 1)); done
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "killed five times, then stopped"
exits 0 "and ended" "$T/train" --max-updates "$(sed -n 's/^updates	//p' "$T/m/progress")" \
    --max-num-checkpoint-not-improved -1 --keep-last-params 1
is "$(same_as_table)" "" "all metrics are there"
last=$(sed -n 's/^updates	//p' "$T/m/finished")
expected() { seq 50 50 "$last" | tr '\n' ' '; }
ok "all figures are there, once" [ "$(updates learning-rate)" = "$(expected)" ]

# --- late scores --------------------------------------------------------------------------
before=$(find "$T/m/tensorboard" -type f | wc -l)
exits 0 "a score after training" "$BIN/sk-bleu-eval" "$T/m" --use-cpu -q
like "$(points)" '^bleu-val	' "appears"
is "$(same_as_table)" "" "at its own step"
is "$(find "$T/m/tensorboard" -type f | wc -l)" $((before + 1)) "in a file of its own"
n=$(points | wc -l)
exits 0 "once more" "$BIN/sk-bleu-eval" "$T/m" --use-cpu -q
is "$(points | wc -l)" "$n" "adds nothing"

# --- a clock set back: files are read in the order of their seconds ------------------------
second=$(($(date +%s) + 1000))
for f in "$T/m/tensorboard"/*; do
    mv "$f" "$T/m/tensorboard/events.out.tfevents.$second.other-host.1.0"
    second=$((second + 1))
done

# --- damage ----------------------------------------------------------------------------------
for f in "$T/m/tensorboard"/*; do break; done
printf 'torn' >>"$f"
like "$(points)" '^perplexity-val	' "a torn record is passed over"
last=$((last + 120))
exits 0 "gone on" "$T/train" --max-updates $last --max-num-checkpoint-not-improved -1 --keep-last-params 1
is "$(same_as_table)" "" "nothing is missing"
ok "and nothing twice" [ "$(updates learning-rate)" = "$(expected)" ]
printf '\377\377\377\377\377\377\377\177nonsense nonsense' >"$T/m/tensorboard/a.tfevents"
head -c 3000 /dev/urandom >"$T/m/tensorboard/b.tfevents"
mkdir "$T/m/tensorboard/c.tfevents"
exits 0 "strange files do no harm" "$T/train" --max-updates $((last + 120)) --max-num-checkpoint-not-improved -1 \
    --keep-last-params 1
rm -rf "$T/m/tensorboard/c.tfevents"
is "$(same_as_table)" "" "to what is written"
rm -rf "$T/m/tensorboard"
: >"$T/m/tensorboard"
exits 0 "no folder can be made" "$T/train" --max-updates $((last + 240)) \
    --max-num-checkpoint-not-improved -1 --keep-last-params 1
like "$(cat "$T/m/log")" "TensorBoard misses points" "is said"
rm -f "$T/m/tensorboard"
exits 0 "from then on" "$T/train" --max-updates $((last + 360)) \
    --max-num-checkpoint-not-improved -1 --keep-last-params 1
is "$(same_as_table)" "" "all metrics are there again"

# --- TensorBoard itself ------------------------------------------------------------------------
python=${SK_TENSORBOARD_PYTHON:-python3}
if "$python" -c 'from tensorboard.backend.event_processing import event_accumulator' 2>/dev/null; then
    "$python" "$here/events.py" --tensorboard "$T/m/tensorboard" 2>/dev/null | LC_ALL=C sort >"$T/theirs"
    points | LC_ALL=C sort >"$T/ours"
    ok "TensorBoard's reader finds points ($(wc -l <"$T/theirs"))" [ -s "$T/theirs" ]
    is "$(diff "$T/theirs" "$T/ours" | head)" "" "the same as are written"
else
    skip "$python has no tensorboard: pip install tensorboard, or name one in SK_TENSORBOARD_PYTHON"
fi
done_testing
