#!/bin/sh
# Several processes train one model: whatever becomes of them, it is the model
# that one process makes.
# sanitized
# shellcheck disable=SC2119,SC2120
. "$(dirname "$0")/tap.sh"
export UCX_NET_DEVICES=lo

awk -v dir="$T" 'BEGIN {
    srand(12)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 60 : 600); i++) {
            n = 1 + int(rand() * 9); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 25); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'

# Everything that a state must carry is in use: the rate falls and takes
# parameters and moments back to the best, an update has two batches, the last
# checkpoint is off the interval.
cat >"$T/train" <<EOF
#!/bin/sh
dir=\$1 n=\$2 k=\$3
shift 3
[ "400" = 0 ] || export SK_KILL_SLOW=400 LD_PRELOAD="$PRELOAD/preload_kill.so" SK_KILL_UNDER="$T"
exec "/tmp/sh-bin/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/\$dir" \\
    --num-layers 1 --transformer-model-size 32 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 64 --batch-size 300 --update-interval 2 --max-seq-len 12 \\
    --checkpoint-frequency 8 --initial-learning-rate 0.1 --learning-rate-warmup 3 \\
    --learning-rate-reduce-num-not-improved 1 --learning-rate-decay-param-reset \\
    --learning-rate-decay-optimizer-states-reset best --transformer-dropout-prepost 0.2 \\
    --gradient-clipping-type norm --weight-decay 0.001 --keep-last-params 3 --virtual-shards 4 \\
    --keep-initializations --max-updates \${UPDATES:-60} --threads 1 --use-cpu --shard-timeout 6 \\
    --num-shards \$n --shard \$k "\$@"
EOF
chmod +x "$T/train"
# result DIR: what must be the same, whoever trained
result() {
    (
        cd "$T/$1" || exit
        cksum params.0*
        sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics
        readlink params.best
        find . ! -name 'state.0*' ! -name 'log*' ! -path './shards*' ! -name '*tfevents*' ! -name . | LC_ALL=C sort
        ls state.0*
    )
}
# together DIR N [option...]: N shards at once; prints their exit codes
together() {
    dir=$1
    n=$2
    shift 2
    pids=
    k=0
    while [ "$k" -lt "$n" ]; do
        "$T/train" "$dir" "$n" "$k" "$@" >"$T/$dir.$k.out" 2>&1 &
        pids="$pids $!"
        k=$((k + 1))
    done
    for pid in $pids; do
        status=0
        wait "$pid" || status=$?
        printf '%s ' "$status"
    done
}

exits 0 "one process" "$T/train" one 1 0
result one >"$T/want"
UPDATES=400 "$T/train" long 1 0 >"$T/out" 2>&1
result long >"$T/want400"
random() { # a number below $1
    echo $(($(od -An -N2 -tu2 /dev/urandom) % $1))
}
# chaos DIR: shards are killed, stopped for a moment and started again, until one has trained to the end.
chaos() {
    kills=0
    stops=0
    bad=
    done=
    pid0='' pid1='' pid2='' pid3=''
    begun=$(date +%s)
    while [ -z "$done" ] && [ $(($(date +%s) - begun)) -lt 400 ]; do
        for k in 0 1 2 3; do
            eval "pid=\$pid$k"
            if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
                status=0
                wait "$pid" 2>/dev/null || status=$?
                case $status in
                0) done=1 ;;
                75 | 137) ;;
                *) bad="$bad shard $k: $status, $(tail -n 1 "$T/$1.$k.out")." ;;
                esac
                pid=
            fi
            if [ -z "$pid" ] && [ -z "$done" ] && [ "$(random 3)" -gt 0 ]; then
                UPDATES=400 "$T/train" "$1" 4 "$k" >"$T/$1.$k.out" 2>&1 &
                pid=$!
            fi
            eval "pid$k=\$pid"
        done
        eval "pid=\$pid$(random 4)"
        sleep "0.$(random 5)$(random 10)"
        [ -n "$pid" ] || continue
        case $(random 8) in
        0) kill -STOP "$pid" 2>/dev/null && stops=$((stops + 1)) && sleep "$(random 2).$(random 10)" && kill -CONT "$pid" ;;
        1 | 2 | 3) kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1)) ;;
        esac
    done
    for pid in $pid0 $pid1 $pid2 $pid3; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    result "$1" >"$T/got"
    is "$bad$done" 1 "$kills killed, $stops stopped: one trains to the end"
    same "$T/got" "$T/want400" "with the model of one"
}
trial=0
while [ $trial -lt 4 ]; do rm -rf "$T/c"; chaos c; [ -n "$done" ] || { rm -rf /tmp/sh-stuck; cp -r $T /tmp/sh-stuck; }; trial=$((trial + 1)); done; done_testing
