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
exec "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/\$dir" \\
    --num-layers 1 --transformer-model-size 32 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 64 --batch-size 300 --update-interval 2 --max-seq-len 12 \\
    --checkpoint-frequency 8 --initial-learning-rate 0.1 --learning-rate-warmup 3 \\
    --learning-rate-reduce-num-not-improved 1 --learning-rate-decay-param-reset \\
    --learning-rate-decay-optimizer-states-reset best --transformer-dropout-prepost 0.2 \\
    --gradient-clipping-type norm --weight-decay 0.001 --ema 0.9 --keep-last-params 3 --virtual-shards 4 \\
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
like "$(cat "$T/one/log")" 'Parameters are those of checkpoint [0-9]+ again' "the best parameters come back"

for n in 2 3 4 5; do
    is "$(together "m$n" "$n")" "$(printf '0 %.0s' $(seq "$n"))" "$n shards end well"
    result "m$n" >"$T/got"
    same "$T/got" "$T/want" "with the model of one"
done
like "$(cat "$T/m3/log" "$T/m3/log.1" "$T/m3/log.2")" 'Generation 1 from update 0: shards 0 .*, 1 .*, 2 ' "three took part"
like "$(cat "$T"/m5/log*)" 'Generation 1 from update 0: shards [0-4] \([^)]*\), [0-4] \([^)]*\), [0-4] \([^)]*\), [0-4] \([^)]*\); ' \
    "of five, four take part: there are four virtual shards"
is "$(find "$T/m3" -name 'log*' | wc -l | tr -d ' ')" 3 "each has a log of its own"

# --- interrupted, continued by another number ---------------------------------------------------
# Waits until DIR has come to update N.
reaches() {
    tries=0
    while [ "$(sed -n 's/^updates	//p' "$T/$1/progress" 2>/dev/null || echo 0)" -lt "$2" ] 2>/dev/null ||
        [ ! -e "$T/$1/progress" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || return 1
        sleep 0.05
    done
}
k=0
pids=
while [ "$k" -lt 3 ]; do
    UPDATES=1000000 "$T/train" i 3 "$k" >"$T/i.$k.out" 2>&1 &
    pids="$pids $!"
    k=$((k + 1))
done
ok "training began" reaches i 8
"$BIN/sk-status" "$T/i" >"$T/status"
like "$(cat "$T/status")" '^  shards       generation 1: 0 on [^,]*, 1 on [^,]*, 2 on ' "sk-status says who takes part"
like "$(cat "$T/status")" '\(writes\)' "and who writes"
like "$("$BIN/sk-status" --json "$T/i")" '"generation":1,.*"shard":1,"state":"member"' "in JSON, too"
# shellcheck disable=SC2086  # numbers
kill $pids
codes=
for pid in $pids; do
    status=0
    wait "$pid" || status=$?
    codes="$codes$status "
done
is "$codes" "75 75 75 " "told to stop, all say that they can be started again"
is "$(together i 2)" "0 0 " "two go on where three stopped"
result i >"$T/got"
# The run had seen other limits before: what it kept is the same.
same "$T/got" "$T/want" "and end with the model of one"
is "$(together i 2)" "0 0 " "a finished run is finished"

# --- one of them ----------------------------------------------------------------------------------
# lose SIGNAL NAME: of three, in a training that goes on, one is sent the signal.
lose() {
    rm -rf "$T/l"
    pids=
    for k in 0 1 2; do
        UPDATES=400 "$T/train" l 3 "$k" >"$T/l.$k.out" 2>&1 &
        pids="$pids $!"
        eval "shard$k=$!"
    done
    reaches l 8
    # shellcheck disable=SC2154  # set by eval
    case $2 in leader) victim=$shard0 ;; *) victim=$shard1 ;; esac
    kill -s "$1" "$victim"
}
UPDATES=400 "$T/train" long 1 0 >"$T/out" 2>&1
result long >"$T/want400"
for who in leader other; do
    lose KILL "$who"
    codes=
    for pid in $pids; do
        status=0
        wait "$pid" 2>/dev/null || status=$?
        codes="$codes$status "
    done
    case $who in
    leader) want="137 0 0 " ;;
    *) want="0 137 0 " ;;
    esac
    is "$codes" "$want" "one is killed ($who): the others train to the end"
    result l >"$T/got"
    same "$T/got" "$T/want400" "with the model of one"
done
like "$(cat "$T"/l/log*)" 'Shard 1 on .* is lost' "they say whom they lost"

# --- all of them, at random --------------------------------------------------------------------------
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
    while [ -z "$done" ] && [ $(($(date +%s) - begun)) -lt 200 ]; do
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
while [ "$trial" -lt "$([ -n "${SK_LONG:-}" ] && echo 100 || echo 1)" ]; do
    rm -rf "$T/c"
    chaos c
    trial=$((trial + 1))
done

# --- the leader dies, and the others are told to end before they know who leads ---------------------
UPDATES=1000000 "$T/train" o 2 0 >"$T/o.0.out" 2>&1 &
shard0=$!
UPDATES=1000000 "$T/train" o 2 1 >"$T/o.1.out" 2>&1 &
shard1=$!
reaches o 20
writes=$("$BIN/sk-status" "$T/o" | sed -n 's/.*[:,] \([01]\) on [^,]*(writes).*/\1/p')
case $writes in 0) leader=$shard0 other=$shard1 ;; *) leader=$shard1 other=$shard0 ;; esac
kill -KILL "$leader"
kill -TERM "$other"
wait "$leader" 2>/dev/null
status=0
wait "$other" || status=$?
is "$status" 75 "the last one leaves"
# If a checkpoint had just been saved, there is nothing more to save.
held=$(sed -nE 's/.*(stopped|shard [01] leaves) after update ([0-9]+)[,;].*/\2/p' "$T"/o/log*)
like "$held" '^[0-9]+$' "and what it held is saved"
UPDATES=$((held + 1)) "$T/train" o 1 0 >"$T/o.out" 2>&1
like "$(cat "$T/o.out")" "Resuming from saved state: update $held," "which is gone on from"

# --- limits that differ: the leader's count ----------------------------------------------------------
for limits in "60 100" "100 60"; do
    rm -rf "$T/limits"
    # shellcheck disable=SC2086
    set -- $limits
    UPDATES=$1 timeout 60 "$T/train" limits 2 0 >"$T/limits.0.out" 2>&1 &
    shard0=$!
    UPDATES=$2 timeout 60 "$T/train" limits 2 1 >"$T/limits.1.out" 2>&1
    status=$?
    wait "$shard0"
    is "$?$status" 00 "limits of $1 and $2 updates: both end"
    "$T/train" limits 1 0 --max-updates 200 >"$T/out" 2>&1
    UPDATES=200 "$T/train" whole 1 0 >"$T/out" 2>&1
    result whole >"$T/want200"
    result limits >"$T/got"
    same "$T/got" "$T/want200" "and the run can be extended"
done

# --- hostile files -------------------------------------------------------------------------------------
hostile() {
    rm -rf "$T/h"
    mkdir -p "$T/h/shards/00003"
}
hostile
mkfifo "$T/h/shards/00003/members"
exits 66 "members is a FIFO" timeout 20 "$T/train" h 2 0
like "$(cat "$T/err")" 'shards/00003/members' "which is said"
hostile
mkdir "$T/h/shards/999999999"
exits 65 "a generation that nobody comes to" timeout 20 "$T/train" h 2 0
like "$(cat "$T/err")" 'shards/999999999: .*remove' "which is said"
hostile
echo kept >"$T/kept"
ln -s ../../kept "$T/h/shards/0.beat"
exits 66 "a link in place of a beat" timeout 20 "$T/train" h 2 0
is "$(cat "$T/kept")" kept "nothing is written through it"
hostile
printf 'version\tx\nrun\t\nshards\t2\nleader\t0\nsource\t0\nupdate\t0\nhash\t\nbehind\t0\nsecret\t0123456789abcdef\nmember\t0 aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa h\n' \
    >"$T/h/shards/00003/members"
exits 0 "members of another version, long dead" timeout 60 "$T/train" h 2 0

hostile
head -c 300 /dev/urandom >"$T/h/shards/00003/join.aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
exits 65 "bytes in place of a request" timeout 20 "$T/train" h 2 0
like "$(cat "$T/err")" 'shards/00003/join.aaaa.*remove it' "which is said"
hostile
head -c 10000000 /dev/zero >"$T/h/shards/00003/join.aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
exits 65 "ten million of them" timeout 20 "$T/train" h 2 0

# --- errors ------------------------------------------------------------------------------------------
exits 64 "no such shard" "$T/train" e 2 2
like "$(cat "$T/err")" "shard 2: shards count from 0" "which is said"
exits 64 "no number" "$T/train" e many 0
exits 64 "slurm without Slurm" env -u SLURM_PROCID "$T/train" e slurm 0
exits 64 "--overwrite-output" "$T/train" e 2 0 --overwrite-output
exits 0 "an element of a Slurm array" env SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=5 \
    SLURM_ARRAY_TASK_STEP=2 "$T/train" one slurm 0
exits 0 "a task of a Slurm step" env SLURM_PROCID=1 SLURM_NTASKS=3 "$T/train" one slurm 0
exits 78 "a shard with other options" "$T/train" one 2 1 --label-smoothing 0.2
UPDATES=100000 "$T/train" d 2 0 >"$T/d.out" 2>&1 &
first=$!
reaches d 8
exits 78 "shards of another number, while others train" timeout 20 "$T/train" d 3 1
like "$(cat "$T/err")" "those that train .*/d are 2 shards, this one is of 3: .*--num-shards 2" "which is said"
exits 78 "with other data" timeout 20 "$T/train" d 2 1 -s "$T/val.src" -t "$T/val.trg"
like "$(cat "$T/err")" "source: not the same" "which is said"
exits 78 "with other options" timeout 20 "$T/train" d 2 1 --seed 7
like "$(cat "$T/err")" "seed: was '13', now '7'" "which is said"
like "$("$BIN/sk-status" --json "$T/d")" '"generation":1,' "they did not disturb the one that trains"
exits 75 "the same shard twice" "$T/train" d 2 0
like "$(cat "$T/err")" "shard 0 runs already: .* pid $first " "it says who it is"
kill "$first"
wait "$first"

# --- one that slept while its run was begun anew ----------------------------------------------------
# Without a checkpoint nothing binds: who comes first may bring other options.
sed -e 's/--keep-initializations//' -e 's/--checkpoint-frequency 8/--checkpoint-frequency 1000000/' "$T/train" >"$T/train-anew"
chmod +x "$T/train-anew"
rm -rf "$T/z"
UPDATES=1000000 "$T/train-anew" z 2 0 >"$T/z.0.out" 2>&1 &
shard0=$!
UPDATES=1000000 "$T/train-anew" z 2 1 >"$T/z.1.out" 2>&1 &
shard1=$!
reaches z 8
led=$(sed -n 's/.*this is [01], shard \([01]\) writes.*/\1/p' "$T/z.0.out")
case $led in 0) leader=$shard0 sleeper=$shard1 ;; *) leader=$shard1 sleeper=$shard0 ;; esac
kill -STOP "$sleeper"
kill -KILL "$leader"
wait "$leader" 2>/dev/null
exits 78 "another run, while one of this one sleeps" timeout 30 "$T/train-anew" z 2 "$led" --seed 7
like "$(cat "$T/err")" "seed: was '13', now '7'" "its options are named"
cp "$T/z/args" "$T/args"
sed 's/^seed	13/seed	7/' "$T/args" >"$T/z/args"
kill -CONT "$sleeper"
status=0
wait "$sleeper" || status=$?
is "$status" 78 "who wakes beside another run leaves it alone"
like "$(tail -n 1 "$T/z.$((1 - led)).out")" "was begun anew with other options" "and says why"
done_testing
