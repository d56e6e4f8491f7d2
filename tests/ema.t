#!/bin/sh
# --ema: a moving average of the parameters, kept beside training.
# sanitized
# shellcheck disable=SC2119
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

awk -v dir="$T" 'BEGIN {
    srand(7)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 30 : 200); i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
cat >"$T/train" <<EOF
#!/bin/sh
dir=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/\$dir" \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 --use-cpu \\
    --transformer-feed-forward-num-hidden 32 --max-seq-len 12 --threads 1 --batch-size 100 \\
    --initial-learning-rate 0.01 "\$@"
EOF
chmod +x "$T/train"
column() { sed -nE "s/.*	$2=([^	]*).*/\\1/p" "$T/$1/metrics" | tr '\n' ' '; }
result() { (cd "$T/$1" && cksum params.0* && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics && readlink params.best); }

# --- what it is ---------------------------------------------------------------------
set -- --checkpoint-frequency 1 --max-updates 12 --keep-initializations --optimizer sgd --initial-learning-rate 0.5
exits 0 "without" "$T/train" plain "$@"
exits 0 "--ema 0.6" "$T/train" ema "$@" --ema 0.6
is "$(column ema perplexity-train)" "$(column plain perplexity-train)" "training goes on from the parameters themselves"
same "$T/ema/params.00000" "$T/plain/params.00000" "the start is the same"
is "$(tests/tensors.py average 0.6 "$T"/ema "$T"/plain 12)" yes "each checkpoint holds the average"
is "$(tests/tensors.py within p "$T/ema/state.00012" "$T/plain/params.00012")" yes "and its state the parameters"
exits 0 "from the average" "$T/train" from --params "$T/ema/params.00007" --max-updates 1 --checkpoint-frequency 1 \
    --initial-learning-rate 0
is "$(column from perplexity-val)" "$(sed -nE 's/^7	.*	perplexity-val=([^	]*).*/\1 /p' "$T/ema/metrics")" \
    "the average is what was validated"
exits 0 "from a file, with --ema" "$T/train" from.2 --params "$T/ema/params.00007" --max-updates 3 \
    --checkpoint-frequency 1 --initial-learning-rate 0 --ema 0.9
same "$T/from.2/params.00003" "$T/ema/params.00007" "begins there, and stays where nothing is learned"

# --- the same bits ------------------------------------------------------------------
set -- --ema 0.95 --checkpoint-frequency 8 --update-interval 2
exits 0 "ended off the interval" "$T/train" parts "$@" --max-updates 13
exits 0 "extended, with two threads" "$T/train" parts "$@" --max-updates 24 --threads 2
# stopped: ended by a signal after some updates, not just after a checkpoint
stopped() {
    until [ -e "$T/parts/interrupted" ]; do
        "$T/train" parts "$@" --max-updates 40000 --max-num-checkpoint-not-improved -1 -q &
        pid=$!
        wait_for 60 sh -c '[ "$(tail -n 1 "$1" | cut -f 1)" -gt "$2" ]' - "$T/parts/metrics" "$checkpoint" || return 1
        kill -TERM $pid
        wait $pid
        [ $? -eq 75 ] || return 1
        checkpoint=$((checkpoint + 2))
    done
}
checkpoint=3
ok "stopped by a signal" stopped "$@"
updates=$(sed -n 's/^updates	//p' "$T/parts/progress")
like "$(head -c 100000 "$T/parts/interrupted" | tr -d '\000' | grep -a -o '"[a-z]:target_output_bias"' | tr '\n' ' ')" \
    '^"e:.*" "m:.*" "p:.*" "v:.*" $' "after update $updates: it has parameters and average"
set -- "$@" --max-updates $((updates + 9)) --max-num-checkpoint-not-improved -1
exits 0 "on" "$T/train" parts "$@"
exits 0 "at a stretch, as far" "$T/train" whole "$@"
is "$(result parts)" "$(result whole)" "all is as it would have been"
exits 0 "sk-verify" "$BIN/sk-verify" "$T/whole" --threads 1
like "$(cat "$T/out")" 'right$' "comes to the same parameters"
exits 78 "another --ema" "$T/train" whole --ema 0.96 --checkpoint-frequency 8 --update-interval 2
exits 78 "none" "$T/train" whole --checkpoint-frequency 8 --update-interval 2

# --- back to the best ---------------------------------------------------------------
set -- --ema 0.5 --initial-learning-rate 0.2 --checkpoint-frequency 4 --learning-rate-reduce-num-not-improved 1 \
    --learning-rate-reduce-factor 0 --optimizer-params beta1:0,beta2:0.9 --max-num-checkpoint-not-improved -1 \
    --learning-rate-decay-param-reset --max-updates 80
exits 0 "the rate falls to 0" "$T/train" back "$@"
best=$(readlink "$T/back/params.best")
like "$(cat "$T/err")" '^Parameters are those of checkpoint' "parameters come back"
same "$T/back/params.00020" "$T/back/$best" "average and parameters are the best checkpoint's"
is "$(tests/tensors.py within p "$T/back/state.00020" "$T/back/params.00020")" yes "both"

# --- memory, misuse -----------------------------------------------------------------
set -- --transformer-model-size 128 --transformer-feed-forward-num-hidden 512
exits 0 "--dry-run" "$T/train" dry "$@" --dry-run
without=$(sed -n 's/^memory	//p' "$T/out")
bytes=$((4 * $(sed -n 's/^parameters	//p' "$T/out")))
exits 0 "--dry-run --ema" "$T/train" dry "$@" --dry-run --ema 0.999
more=$(($(sed -n 's/^memory	//p' "$T/out") - without))
if [ -n "${SAN:-}" ]; then
    skip "memory of instrumented programs"
else
    ok "counts the average ($bytes bytes, $more more)" awk -v b="$bytes" -v m="$more" 'BEGIN { exit !(m > 0.9 * b && m < 1.3 * b) }'
fi
exits 64 "Marian's number" "$T/train" misuse --ema 0.0001
like "$(cat "$T/err")" '\-\-ema 0\.9999' "says ours"
exits 64 "1" "$T/train" misuse --ema 1
done_testing
