#!/bin/sh
# Trainer, watchers and commands killed at random moments, in any order, and started
# again: the same parameters, metrics and scores as of a run that nobody
# disturbed, by perplexity and by BLEU, and no checkpoint scored twice.
# shellcheck disable=SC2030,SC2031
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
# every N : with large counts each one, else each N-th
every() { [ -n "${SK_LONG:-}" ] && echo 1 || echo "$1"; }

awk -v dir="$T" 'BEGIN {
    srand(11)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 60 : 150); i++) {
            n = 1 + int(rand() * 7); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 15); s = s " s" w; t = t " t" w }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'

# The rate falls and takes parameters and moments back to the best; old
# checkpoints are removed; the last one is off the interval. Programs, so that
# $! is their own number.
cat >"$T/train" <<END
#!/bin/sh
metric=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/m" \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 32 --batch-size 60 --max-seq-len 12 \\
    --checkpoint-frequency 6 --initial-learning-rate 0.2 --learning-rate-warmup 3 \\
    --learning-rate-reduce-num-not-improved 1 --learning-rate-decay-param-reset \\
    --learning-rate-decay-optimizer-states-reset best --keep-last-params 2 \\
    --cache-last-best-params 2 --cache-strategy lifespan --cache-metric bleu --optimized-metric \$metric \\
    --monitor-bleu 50 --on-checkpoint 'echo number=\$SK_CHECKPOINT; echo lines=\$(wc -l <\$SK_TRANSLATIONS)' \\
    --max-updates 51 --threads 1 --use-cpu --quiet "\$@"
END
cat >"$T/watch" <<END
#!/bin/sh
exec "$BIN/sk-bleu-eval" "$T/m" --watch --use-cpu --threads 1 --quiet --poll-interval 0.05 --idle-timeout 30
END
chmod +x "$T/train" "$T/watch"
# What must be the same. Claims are no results.
result() {
    (
        cd "$T/m" || exit
        cksum params.0* eval/*.out eval/*.values
        sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' metrics
        grep -hvE '"(decode-walltime-val|avg-sec-per-sent-val)"' eval/*.json
        readlink params.best
        cut -f 1,2 finished | grep -v time
        find . ! -name 'state.0*' ! -name log ! -name '*.claim' ! -name . | LC_ALL=C sort
        ls state.0*
    )
}
# Kills, with a random number of milliseconds between them; $1: seed, $2 which.
pause() { sleep "$(awk -v s="$1" -v d="$2" 'BEGIN { srand(s * 7919 + d); printf "%.3f", d / 1000 * (0.3 + rand()) }')"; }


metric=bleu
rm -rf "$T/m"; "$T/train" $metric; result >"$T/want"
for n in $NS; do
        rm -rf "$T/m"
        SK_KILL_UNDER=$T/m SK_KILL_AT=$n LD_PRELOAD="$PRELOAD/preload_kill.so" timeout -s KILL 1 \
            "$T/train" $metric 2>"$T/err"
        cp "$T/m/log" "$T/log1"; ls -lat --full-time "$T/m" "$T/m/eval" > "$T/ls1"
        "$T/train" $metric 2>"$T/err" || echo "$n(restart: $(tail -n 1 "$T/err"))"
        result >"$T/got"
        cmp -s "$T/got" "$T/want" || { echo "$n(differs)"; diff "$T/got" "$T/want"; cp -r "$T" /tmp/wx/fail.$n; }
done
