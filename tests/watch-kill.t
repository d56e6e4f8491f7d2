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
        find . ! -name 'state.0*' ! -name log ! -name '*.claim' ! -name '*tfevents*' ! -name . | LC_ALL=C sort
        ls state.0*
    )
}
# Kills, with a random number of milliseconds between them; $1: seed, $2 which.
pause() { sleep "$(awk -v s="$1" -v d="$2" 'BEGIN { srand(s * 7919 + d); printf "%.3f", d / 1000 * (0.3 + rand()) }')"; }

trials=$([ -n "${SK_LONG:-}" ] && echo 100 || echo 5)
for metric in perplexity bleu; do
    rm -rf "$T/m"
    exits 0 "$metric: an undisturbed run" "$T/train" $metric
    result >"$T/want"
    is "$(grep -c '	bleu-val=.*	number=' "$T/m/metrics")" 9 "has all results"
    ok "and removed checkpoints" test ! -e "$T/m/params.00001" -o ! -e "$T/m/params.00002" -o ! -e "$T/m/params.00003"
    ok "and lowered the rate" grep -q 'Learning rate lowered' "$T/m/log"
    ok "with all that follows" grep -q "optimizer's state is that of checkpoint" "$T/m/log"
    diag "$(readlink "$T/m/params.best") is best; kept: $(cd "$T/m" && echo params.0*)"
    bad=
    kills=0
    i=0
    while [ "$i" -lt "$trials" ]; do
        rm -rf "$T/m"
        : >"$T/printed"
        watchers=
        for delay in 15 30 60 40 90 50 120 80 200 150 300; do
            "$T/watch" >>"$T/printed" 2>>"$T/watch.err" &
            watchers="$watchers $!"
            # Every other trial first ends off the interval: that checkpoint is
            # withdrawn and made anew, perhaps while it is being scored.
            more=
            [ $((i % 2)) -eq 0 ] || [ "$delay" -gt 60 ] || more="--max-updates 20"
            # shellcheck disable=SC2086
            "$T/train" $metric $more 2>"$T/err" &
            trainer=$!
            pause "$i" "$delay"
            case $(((i + delay / 5) % 3)) in
            0) victims=$trainer ;;
            1) victims="$trainer $watchers" ;;
            2) # watchers first, and what the trainer has started, which it starts again
                # shellcheck disable=SC2046,SC2086
                kill -KILL $watchers $(ps -o pid= --ppid $trainer) 2>/dev/null && kills=$((kills + 1))
                pause "$i" 20
                victims=$trainer
                ;;
            esac
            # shellcheck disable=SC2086
            kill -KILL $victims 2>/dev/null && kills=$((kills + 1))
            status=0
            wait "$trainer" 2>/dev/null || status=$?
            [ "$status" -ne 0 ] || [ -n "$more" ] || break
            case $status in 0 | 137) ;; *) bad="$bad $i(status $status: $(tail -n 1 "$T/err"))" ;; esac
        done
        "$T/train" $metric 2>"$T/err" || bad="$bad $i(restart: $(tail -n 1 "$T/err"))"
        for pid in $watchers; do
            status=0
            wait "$pid" 2>/dev/null || status=$?
            case $status in 0 | 137) ;; *) bad="$bad $i(watcher: $status, $(tail -n 1 "$T/watch.err"))" ;; esac
        done
        twice=$(cut -f 3 "$T/printed" | sort | uniq -d | tr '\n' ' ')
        [ -z "$twice" ] || [ $((i % 2)) -ne 0 ] || bad="$bad $i(scored twice: $twice)"
        result >"$T/got"
        if ! cmp -s "$T/got" "$T/want"; then
            bad="$bad $i(differs)"
            diff "$T/got" "$T/want" >"$T/diff"
        fi
        i=$((i + 1))
    done
    is "$bad" "" "$metric: $trials trials, $kills times SIGKILL"
    [ -z "$bad" ] || diag "$(head -n 30 "$T/diff" 2>/dev/null)"

    # At the n-th call that changes a file: so the trainer, and so each watcher and
    # command that it starts, in whatever they are then.
    bad=
    n=1
    while [ "$n" -le 250 ]; do
        rm -rf "$T/m"
        SK_FAULT_UNDER=$T/m SK_FAULT=before SK_FAULT_AT=$n LD_PRELOAD="$PRELOAD/preload_fault.so" timeout -s KILL 1 \
            "$T/train" $metric 2>"$T/err"
        "$T/train" $metric 2>"$T/err" || bad="$bad $n(restart: $(tail -n 1 "$T/err"))"
        result >"$T/got"
        cmp -s "$T/got" "$T/want" || bad="$bad $n(differs)"
        n=$((n + $(every 41)))
    done
    is "$bad" "" "$metric: all killed at their n-th call, and started again"
done
done_testing
