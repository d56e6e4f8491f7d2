#!/bin/sh
# jobs/train-array.sbatch and jobs/train-step.sbatch on a private Slurm cluster:
# shards that are preempted and come back, and tasks of a step.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/slurm.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS
export UCX_NET_DEVICES=lo
PATH=$BIN:$PATH:/usr/sbin:/sbin
JOBS=$ROOT/jobs

mkdir "$T/data"
awk -v dir="$T/data" 'BEGIN {
    srand(6)
    split("600 40", size); split("train dev", name)
    for (part = 1; part <= 2; part++)
        for (i = 0; i < size[part]; i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print substr(s, 2) > (dir "/" name[part] ".de")
            print substr(t, 2) > (dir "/" name[part] ".en")
        }
}'
options="-s $T/data/train.de -t $T/data/train.en -vs $T/data/dev.de -vt $T/data/dev.en --num-layers 1 \
--transformer-model-size 32 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 64 --batch-size 300 \
--max-seq-len 12 --initial-learning-rate 0.003 --max-num-checkpoint-not-improved -1 --keep-last-params 2 --threads 1 \
--use-cpu --checkpoint-frequency 1000"
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' "$1/metrics"; }
updates() { sed -n 's/^updates	//p' "$T/$1/progress" 2>/dev/null; }

slurm() {
    # Without an end at first: how far they get is the machine's affair.
    printf 'max-updates\t2000000\n' >"$T/end"
    # shellcheck disable=SC2086
    job=$(sbatch --parsable --partition=scavenge --nodelist=n1 --array=3-6 --cpus-per-task=2 "$JOBS/train-array.sbatch" \
        $options --config "$T/end" -o "$T/m")
    members() { [ "$(sk-status --json "$T/m" 2>/dev/null | grep -o '"state":"member"' | wc -l)" -eq "$1" ]; }
    ok "four elements of an array train together" wait_for 60 members 4
    lost=0
    while [ "$lost" -lt 3 ]; do
        before=$(sk-status --json "$T/m" | sed 's/.*"generation":\([0-9]*\).*/\1/')
        sbatch --quiet --partition=gpu --nodelist=n1 --cpus-per-task=2 --output=/dev/null --wrap='sleep 1'
        changed() { [ "$(sk-status --json "$T/m" | sed 's/.*"generation":\([0-9]*\).*/\1/')" -gt "$before" ]; }
        wait_for 30 changed || break
        lost=$((lost + 1))
        sleep 1
    done
    is "$lost" 3 "elements are preempted, three times; the others go on"
    ok "all come back" wait_for 90 members 4
    end=$(($(updates m) / 1000 + 3))
    # Nobody reads the new end but who starts again: all are told to.
    printf 'max-updates\t%d\n' $((end * 1000)) >"$T/end"
    scancel --batch --signal=USR1 "$job"
    finished() { [ -e "$T/m/finished" ]; }
    ok "told to stop, they put themselves back, and train to the end" wait_for 120 finished
    ok "all end" wait_for 60 ended "$job"
    # shellcheck disable=SC2086
    sk-train-shard $options --config "$T/end" -q -o "$T/want"
    same "$T/m/params.$(printf %05d $end)" "$T/want/params.$(printf %05d $end)" \
        "with the parameters of one process ($((end * 1000)) updates)"
    is "$(steady "$T/m")" "$(steady "$T/want")" "and its metrics"

    # shellcheck disable=SC2086
    step=$(sbatch --parsable --nodelist=n2 --ntasks=3 --cpus-per-task=1 "$JOBS/train-step.sbatch" $options \
        --max-updates 3000 -o "$T/s")
    ok "the tasks of a step" wait_for 60 ended "$step"
    like "$(cat "$T/s/log" "$T/s/log.1" "$T/s/log.2")" 'shards 0 .*, 1 .*, 2 ' "train together"
    # shellcheck disable=SC2086
    sk-train-shard $options --max-updates 3000 -q -o "$T/three"
    same "$T/s/params.00003" "$T/three/params.00003" "and have the parameters of one process"
}
on_slurm 2
done_testing
