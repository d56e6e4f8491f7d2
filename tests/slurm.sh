# shellcheck shell=sh disable=SC2154,SC1091
# slurm.sh - sourced after tap.sh by tests on a private Slurm cluster (tests/slurm),
# which they define a function `slurm` for.

# ended JOB
ended() { ! squeue -h -j "$1" 2>/dev/null | grep -q .; }

# on_slurm NODES : runs `slurm` in $T on a cluster of so many nodes with a pretended
# GPU each; SKIPs where there is no Slurm
on_slurm() {
    tests/slurm up "$T/slurm" "$1" 1 >"$T/env" 2>"$T/err"
    case $? in
    0)
        trap 'cd "$ROOT"; tests/slurm down "$T/slurm"; rm -rf "$T"' EXIT
        . "$T/env"
        cd "$T" || exit
        slurm
        cd "$ROOT" || exit
        ;;
    2) skip "Slurm is not installed (contrib/setup tests)" ;;
    *) skip "Slurm does not run here: $(tail -n 1 "$T/err")" ;;
    esac
}
