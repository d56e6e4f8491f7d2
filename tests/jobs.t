#!/bin/sh
# jobs/*.sbatch, run for real: a private Slurm cluster with pretended GPUs,
# preemption, a time limit, an array.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/slurm.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS
export SK_GPUS=g0,g1 SK_LOCK_DIR="$T/locks" UCX_NET_DEVICES=lo
PATH=$BIN:$PATH:/usr/sbin:/sbin
JOBS=$ROOT/jobs

mkdir "$T/data"
awk -v dir="$T/data" 'BEGIN {
    srand(5)
    split("300 40 30", size); split("train dev test", name)
    for (part = 1; part <= 3; part++)
        for (i = 0; i < size[part]; i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print substr(s, 2) > (dir "/" name[part] ".de")
            print substr(t, 2) > (dir "/" name[part] ".en")
        }
}'
data="-s $T/data/train.de -t $T/data/train.en -vs $T/data/dev.de -vt $T/data/dev.en"
small="--num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
--transformer-feed-forward-num-hidden 32 --batch-size 100 --max-seq-len 12 --initial-learning-rate 0.003 \
--max-num-checkpoint-not-improved -1"
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*|avg-sec-per-sent-val|decode-walltime-val)=[^	]*//g' "$1/metrics"; }

# --- Slurm ----------------------------------------------------------------------------
slurm() {
    # Without an end at first: how far five lives get is the machine's affair.
    many="$data $small --checkpoint-frequency 500 --keep-last-params 2 --threads 1 --config $T/end"
    printf 'max-updates\t2000000\n' >"$T/end"
    cd "$T" || return

    # shellcheck disable=SC2086
    job=$(sbatch --parsable --partition=scavenge --nodelist=n1 "$JOBS/train.sbatch" $many -o "$T/m")
    # A time limit of a minute; Slurm may send the signal a minute early.
    # shellcheck disable=SC2086
    limited=$(sbatch --parsable --nodelist=n2 --time=1 --signal=B:USR1@50 "$JOBS/train.sbatch" $data $small \
        --checkpoint-frequency 5000 --max-updates 2000000 -o "$T/limited")

    lives() { cat "$T/m/log" 2>/dev/null | grep -c 'Training Device'; }
    begun() { [ "$(lives)" -ge "$1" ] && grep -q 'update' "$T/m/progress"; }
    saved() { [ "$(grep -c 'SIG[A-Z0-9]*: stopped after update' "$T/m/log")" -ge "$1" ]; }
    life=1
    bad=
    while [ $life -le 5 ]; do
        wait_for 30 begun $life || bad="$bad $life(does not begin)"
        sbatch --quiet --partition=gpu --nodelist=n1 --gres=gpu:1 --output=/dev/null --wrap='true'
        wait_for 30 saved $life || bad="$bad $life(is not preempted)"
        life=$((life + 1))
    done
    is "$bad" "" "a job is preempted five times"
    end=$(($(sed -n 's/^updates	//p' "$T/m/progress") / 500 + 2))
    printf 'max-updates\t%d\n' $((end * 500)) >"$T/end"
    # shellcheck disable=SC2086
    sk-train-shard $many -q -o "$T/want"
    finished() { [ -e "$T/m/finished" ]; }
    ok "and ends" wait_for 60 finished
    is "$(lives)" 6 "in its sixth life"
    same "$T/m/params.$(printf %05d $end)" "$T/want/params.$(printf %05d $end)" \
        "with the parameters of an undisturbed one ($((end * 500)) updates)"
    is "$(steady "$T/m")" "$(steady "$T/want")" "and its metrics"
    like "$(cat "$T/sk-train.$job.log")" '^GPU 0: g0, given by Slurm$' "on the GPU that Slurm gave"

    requeued() { scontrol show job "$limited" | grep -q 'Restarts=[1-9]'; }
    ok "before its time limit a job puts itself back" wait_for 60 requeued
    like "$(cat "$T/limited/log")" 'SIGUSR1: stopped after update' "its state is saved"
    scancel "$limited"

    # A sweep of two, and a watcher for one of them, that begins first.
    printf '%s/fast --initial-learning-rate 0.01\n%s/slow --initial-learning-rate 0.0001\n' "$T" "$T" >"$T/runs"
    watch=$(sbatch --parsable --nodelist=n1 "$JOBS/eval-watch.sbatch" "$T/fast" --beam-size 1 --idle-timeout 60)
    # shellcheck disable=SC2086
    sweep=$(sbatch --parsable --nodelist=n1 --array=1-2%1 "$JOBS/sweep.sbatch" "$T/runs" $data $small \
        --checkpoint-frequency 20 --max-updates 60)
    swept() { [ -e "$T/fast/finished" ] && [ -e "$T/slow/finished" ]; }
    ok "a sweep" wait_for 30 swept
    is "$(sed -n 's/^initial-learning-rate	//p' "$T/fast/args" "$T/slow/args" | tr '\n' ' ')" "0.01 0.0001 " \
        "whose elements differ"
    ok "a watcher ends with the training" wait_for 30 ended "$watch"
    is "$(grep -c 'bleu-val=' "$T/fast/metrics")" 3 "all checkpoints have a score"
    diag "jobs: $job $limited $watch $sweep"

    # What cannot go on is not put back.
    wrong=$(sbatch --parsable --nodelist=n1 "$JOBS/train.sbatch" -s "$T/nothing" -t "$T/nothing" -vs x -vt x -o "$T/w")
    ok "a job with a wrong path ends" wait_for 30 ended "$wrong"
    like "$(scontrol show job "$wrong")" 'Restarts=0 .*ExitCode=66:0' "with its exit code, once"
}
on_slurm 2
done_testing
