# slurm.sh - the steps as jobs of Slurm, each after the one before it.
# shellcheck shell=sh disable=SC2034,SC2154

# A job hands on the signals that come before its time limit and when it is
# preempted; stopped by one (75) it goes back into the queue, as that of
# jobs/train.sbatch does.
job_script() { # STEP
    cat <<EOF
#!/bin/sh
$(quote "$program" --step "$1")$arguments &
pid=\$!
trap 'kill -TERM \$pid 2>/dev/null' USR1 TERM
status=0
while kill -0 \$pid 2>/dev/null; do
    status=0
    wait \$pid || status=\$?
done
case \$status in
75) scontrol requeue "\$SLURM_JOB_ID" ;;
74) scontrol requeuehold "\$SLURM_JOB_ID" ;;
esac
exit \$status
EOF
}

# submit STEP...: those that have work to do are known only when they run; the others
# end at once.
submit() {
    need sbatch slurm-client
    title "Jobs of Slurm, one after the other; what they say: $system/logs/slurm.*.log"
    after=
    for step; do
        set -- --parsable --job-name="sk-$system_name.$step" --requeue --open-mode=append --signal=B:USR1@120 \
            --output="$system/logs/slurm.$step.%j.log"
        [ -z "$after" ] || set -- "$@" --dependency="afterok:$after" --kill-on-invalid-dep=yes
        case $step in
        train | translate) [ "$gpus" -eq 0 ] || set -- "$@" --gres="gpu:$gpus" ;;
        esac
        # shellcheck disable=SC2086  # options of sbatch, which count more
        set -- "$@" $slurm_options
        after=$(job_script "$step" | sbatch "$@") || die 75 "sbatch refuses the step $step"
        after=${after%%;*}
        printf '%s\t%s\n' "$after" "$step"
    done
    say "squeue shows them; the page will be $system/$results/$model.$settings.html"
}
