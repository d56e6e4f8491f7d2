#!/bin/sh
# Checkpoints are put on disk in the background: training goes on meanwhile,
# but nothing ends before they are there.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
[ -n "${SAN:-}" ] && skip_all "a preloaded library and sanitizers do not go together"
export SK_FAULT_UNDER="$T/m"

for i in 1 2 3 4 5 6 7 8; do echo "a$i b$i c$i"; done >"$T/text"
cat >"$T/train" <<EOF
#!/bin/sh
exec "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "$T/m" --num-layers 1 \\
    --transformer-model-size 8 --transformer-attention-heads 1 --transformer-feed-forward-num-hidden 8 \\
    --batch-size 30 --max-seq-len 10 --checkpoint-frequency 500 --use-cpu --threads 1 --keep-last-params 1 "\$@"
EOF
chmod +x "$T/train"
# slow MILLISECONDS COMMAND... : to have a checkpoint's file on disk takes that long
slow() { SK_FAULT_SLOW=$1 LD_PRELOAD="$PRELOAD/preload_fault.so" && shift && export SK_FAULT_SLOW LD_PRELOAD && "$@"; }
line_of() { grep -n "$1" "$T/m/log" | head -n 1 | cut -d: -f 1; }
result() { cksum "$T"/m/params.0* | sed 's,/.*/,,' && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' "$T/m/metrics"; }

exits 0 "an undisturbed run" "$T/train" --max-updates 1200
result >"$T/want"
like "$(cat "$T/m/log")" 'Checkpoint \[3\]	Saved; training waited [0-9.]+ seconds' "says what a checkpoint cost"

rm -rf "$T/m"
exits 0 "a disk that takes seconds" slow 500 "$T/train" --max-updates 1200
ok "updates go on while a checkpoint is saved" \
    [ "$(line_of 'Batch \[550\]')" -lt "$(line_of 'Checkpoint \[1\]	Saved')" ]
ok "the next one waits for it" \
    [ "$(line_of 'Checkpoint \[1\]	Saved')" -lt "$(line_of 'Checkpoint \[2\]	Validation')" ]
ok "the end waits for the last one" [ "$(line_of 'Checkpoint \[3\]	Saved')" -lt "$(line_of 'Training finished')" ]
is "$(result | cmp - "$T/want" && echo same)" same "with the same result"

# began NAME : waits until NAME's temporary file is there, written and waiting for the disk
began() {
    tries=0
    until grep -qs "Validation-perplexity" "$T/m/log" && ls "$T/m"/.state.00001.*.tmp >/dev/null 2>&1; do
        sleep 0.01
        tries=$((tries + 1))
        [ $tries -lt 3000 ] || return 1
    done
}
rm -rf "$T/m"
(slow 500 exec "$T/train" --max-updates 1200 -q) &
pid=$!
ok "a checkpoint is being saved" began
kill -TERM $pid
status=0
wait $pid || status=$?
is $status 75 "a signal then: it is waited for"
ok "and the checkpoint is there" cmp "$T/m/params.00001" "$(readlink -f "$T/m/params.best")"
exits 0 "on from there" "$T/train" --max-updates 1200
is "$(result | cmp - "$T/want" && echo same)" same "to the same result"

rm -rf "$T/m"
(slow 500 exec "$T/train" --max-updates 1200 -q) &
pid=$!
ok "a checkpoint is being saved" began
kill -KILL $pid
wait $pid 2>/dev/null
ok "killed then: there is none" [ ! -e "$T/m/params.00001" ]
exits 0 "again" "$T/train" --max-updates 1200
is "$(result | cmp - "$T/want" && echo same)" same "to the same result"
is "$(find "$T/m" -name '.*.tmp')" "" "nothing lies about"
done_testing
