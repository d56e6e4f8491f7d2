#!/bin/sh
# sk-autopilot --slurm on a private Slurm: one job after the other, a job that is
# preempted, a step that fails.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/slurm.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS
export SK_GPUS='' SK_LOCK_DIR="$T/locks" UCX_NET_DEVICES=lo
AUTOPILOT=$ROOT/contrib/autopilot/sk-autopilot
PATH=$BIN:$PATH:/usr/sbin:/sbin
for tool in spm_train spm_encode spm_decode flock; do
    command -v $tool >/dev/null 2>&1 || skip_all "$tool is not installed (contrib/setup tests)"
done
awk -v dir="$T" 'BEGIN {
    srand(5)
    for (i = 0; i < 400; i++) { n = 2 + int(rand() * 6); s = t = ""
        for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
        print substr(s, 2) > (dir "/text.de"); print substr(t, 2) > (dir "/text.en") }
}'
small="--num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
--batch-size 200 --max-seq-len 40 --monitor-bleu 10 --threads 1"

slurm() {
    # Until it is told how long to train; a config file may change between its lives.
    printf 'max-updates\t2000000\n' >"$T/end"
    # shellcheck disable=SC2086
    exits 0 "submitted" "$AUTOPILOT" --workspace "$T/it's here" --custom-task mine --custom-train text.de text.en \
        --slurm --slurm-options "--partition=scavenge --nodelist=n1" -- $small --checkpoint-frequency 500 --keep-last-params 4 \
        --config "$T/end"
    cp "$T/out" "$T/jobs"
    is "$(cut -f 2 "$T/jobs" | tr '\n' ' ')" "raw codes bpe train average translate score page " "a job for each step"
    S="$T/it's here/systems/mine"
    last=$(tail -n 1 "$T/jobs" | cut -f 1)
    train=$(sed -n 's/	train$//p' "$T/jobs")
    begun() { grep -q 'updates	[1-9]' "$S/model.small/progress" 2>/dev/null; }
    ok "one after the other, training begins" wait_for 60 begun
    like "$(scontrol show job "$last")" "JobState=PENDING Reason=Dependency" "the page waits"
    sbatch --quiet --partition=gpu --nodelist=n1 --exclusive --output=/dev/null --wrap='true'
    restarted() { scontrol show job "$train" | grep -q 'Restarts=[1-9]'; }
    ok "the training is preempted" wait_for 60 restarted
    printf 'max-updates\t1000\n' >"$T/end"
    ok "and all ends" wait_for 120 ended "$last"
    ok "with the page" test -s "$S/results/small.standard.html"
    like "$(cat "$S/logs/slurm.train.$train.log")" "stopped; the same command goes on" "a job says what happened to it"
    # With nothing to do each job ends at once; here one fails.
    rm -r "$S/recipes/codes" "$S/data/raw/train.src"
    # shellcheck disable=SC2086
    exits 0 "submitted where something is missing" "$AUTOPILOT" --workspace "$T/it's here" --custom-task mine --slurm \
        --slurm-options "--nodelist=n1" -- $small
    last=$(tail -n 1 "$T/out" | cut -f 1)
    ok "the others do not wait for ever" wait_for 60 ended "$last"
    like "$(scontrol show job "$last")" "JobState=CANCELLED" "they are cancelled"
}
on_slurm 1
done_testing
