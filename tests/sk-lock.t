#!/bin/sh
# sk-lock: GPUs by file locks, pretended ones and those of a pretended driver.
# sanitized
. "$(dirname "$0")/tap.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS SK_LOCK_DIR
export SK_GPUS=alpha,beta,gamma,delta
L=$T/locks
lock() { "$BIN/sk-lock" --lock-dir "$L" "$@"; }
# hold N ARGS...: a process in the background that has GPUs until $T/go.N is removed
hold() {
    hold_n=$1
    shift
    : >"$T/go.$hold_n"
    # shellcheck disable=SC2016  # the command's own variables
    "$BIN/sk-lock" --lock-dir "$L" "$@" -- sh -c 'echo "$CUDA_VISIBLE_DEVICES" >"$1.has"; while [ -e "$1" ]; do sleep 0.02; done' sh \
        "$T/go.$hold_n" 2>"$T/err.$hold_n" &
}
# has N: waits until that process has its GPUs, and says which
has() {
    has_tries=0
    while [ ! -s "$T/go.$1.has" ] && [ $has_tries -lt 500 ]; do
        sleep 0.02
        has_tries=$((has_tries + 1))
    done
    cat "$T/go.$1.has" 2>/dev/null
}

is "$(lock -- printenv CUDA_VISIBLE_DEVICES)" alpha "one GPU by default"
is "$(lock -n 3 printenv CUDA_VISIBLE_DEVICES)" alpha,beta,gamma "three"
is "$(lock -n 3 printenv SK_GPUS)" alpha,beta,gamma "pretended ones are handed on as such"
is "$(lock -d 3,1 printenv CUDA_VISIBLE_DEVICES)" beta,delta "by index"
is "$(lock --devices gam printenv CUDA_VISIBLE_DEVICES)" gamma "by name"
is "$(lock --devices 3 -n 1 printenv CUDA_VISIBLE_DEVICES)" alpha,delta "one by index and any other"
# shellcheck disable=SC2016
is "$(lock sh -c 'printf "%s\n" "$*"' sh -n 2 --list)" "-n 2 --list" "options after the command are its own"
is "$(CUDA_VISIBLE_DEVICES=2,0 lock printenv CUDA_VISIBLE_DEVICES)" gamma "CUDA_VISIBLE_DEVICES orders"
is "$(CUDA_VISIBLE_DEVICES="delta" lock -d 0 printenv CUDA_VISIBLE_DEVICES)" delta "and restricts, by name too"
exits 1 "more than there are" lock -n 5 true
like "$(cat "$T/err")" '5 GPUs are wanted, this process sees 4' "both numbers"
CUDA_VISIBLE_DEVICES='' exits 1 "none visible" lock true
exits 64 "no such index" lock -d 4 true
exits 64 "no such name" lock -d omega true
exits 64 "no command" lock
exits 64 "a list and a command" lock --list true
SK_GPUS='a/b' exits 64 "an impossible name" lock true
exits 7 "the command's exit code" lock sh -c 'exit 7'
exits 127 "no such command" lock /nowhere/command
like "$(cat "$T/err")" 'cannot run /nowhere/command' "is said"
exits 126 "a command that cannot run" lock "$T"

hold 1 -n 2
is "$(has 1)" alpha,beta "held"
lock --list >"$T/list"
like "$(sed -n 2p "$T/list")" "^0 +alpha +locked +- +0  $(id -un), pid [0-9]+ on .* since 2[0-9-]+ [0-9:]+: sh -c" "the list names the holder"
like "$(sed -n 4p "$T/list")" '^2 +gamma +free +- +0  -$' "and what is free"
exits 75 "not free, no waiting" lock -n 3 --no-wait true
like "$(cat "$T/err")" 'not free: 1 more of 4 GPUs wanted: 2 locked' "says how many"
exits 75 "a timeout" lock -d alpha --timeout 0.05 true
like "$(cat "$T/err")" 'waiting for GPUs, 0 requests before' "says that it waits"
lock -q -d alpha --timeout 0.05 true 2>"$T/err"
is "$(grep -c waiting "$T/err")" 0 "unless quiet"
exits 0 "the others can be had" lock -n 2 --no-wait true

# The larger request came first: a small one does not overtake it.
hold 2 -n 4
tries=0
until lock --list | grep -q ' 1  ' || [ $tries -ge 500 ]; do sleep 0.02; tries=$((tries + 1)); done
exits 75 "a request that came later waits, too" lock --no-wait true
rm "$T/go.1"
is "$(has 2)" alpha,beta,gamma,delta "all or none"
like "$(cat "$T/err.2")" 'waiting' "after waiting"

# shellcheck disable=SC2016
nested='"$0/sk-lock" --lock-dir "$1" -n 2 printenv CUDA_VISIBLE_DEVICES'
rm "$T/go.2"
wait
is "$(lock -n 2 sh -c "$nested" "$BIN" "$L")" alpha,beta "inside, what is held already is had at once"

# Killed: free at once, and children keep what they were given.
hold 3 -n 4
holder=$!
has 3 >"$T/out"
kill -9 "$holder"
exits 0 "SIGKILL frees at once" lock -n 4 --timeout 10 true
rm "$T/go.3"
# shellcheck disable=SC2016
lock -d 1 sh -c 'sleep 60 & echo $! >"$1"' sh "$T/child" >/dev/null
exits 75 "a child that goes on keeps its GPU" lock -d 1 --no-wait true
kill "$(cat "$T/child")"
exits 0 "until it ends" lock -d 1 --timeout 10 true

is "$(find "$L" -type f -perm 0666 | wc -l | tr -d ' ')" 5 "files that all may lock, never removed"
like "$(ls -ld "$L")" '^drwxrwxrwt' "in a sticky folder"
mkdir "$T/odd" && chmod 1777 "$T/odd"
ln -s "$T/victim" "$T/odd/sk-gpu.alpha"
exits 66 "a symbolic link is not followed" "$BIN/sk-lock" --lock-dir "$T/odd" -d alpha true
is "$(ls "$T/victim" 2>/dev/null)" "" "nor its target made"
echo precious >"$T/odd/file" && ln "$T/odd/file" "$T/odd/sk-gpu.beta"
exits 66 "nor a file with a second name" "$BIN/sk-lock" --lock-dir "$T/odd" -d beta true
is "$(cat "$T/odd/file")" precious "which is left alone"
mkdir "$T/open" && chmod 0777 "$T/open"
exits 66 "a folder in which others may remove files" "$BIN/sk-lock" --lock-dir "$T/open" true
exits 66 "no folder" "$BIN/sk-lock" --lock-dir /dev/null true
is "$(SK_LOCK_DIR=$L "$BIN/sk-lock" --list | wc -l | tr -d ' ')" 5 "SK_LOCK_DIR"

hold 4 -n 4
has 4 >"$T/out"
is "$(SLURM_JOB_GPUS=0,1 CUDA_VISIBLE_DEVICES=0,1 lock -n 2 --no-wait printenv CUDA_VISIBLE_DEVICES)" alpha,beta \
    "Slurm's GPUs are taken as given"
rm "$T/go.4"
wait

# Two users, one of whom made the files.
other() { setpriv --reuid=65534 --regid=65534 --clear-groups -- "$BIN/sk-lock" --lock-dir "$T/users" "$@"; }
if [ "$(id -u)" -ne 0 ] || ! other --version >/dev/null 2>&1; then
    skip "only root can be two users (by setpriv), and both must reach the programs"
else
    chmod 755 "$T" && mkdir "$T/users" && chmod 1777 "$T/users"
    exits 0 "another user makes files" other -d alpha true
    exits 0 "this one uses them" "$BIN/sk-lock" --lock-dir "$T/users" -n 2 true
    exits 0 "and the other way round" other -n 2 true
    L=$T/users hold 5 -d alpha,beta
    has 5 >"$T/out"
    exits 75 "they exclude each other" other -d beta --no-wait true
    like "$(other --list | sed -n 3p)" '^1 +beta +locked .*root, pid [0-9]+ on ' "and see each other"
    exits 1 "a file of the other's cannot be removed" setpriv --reuid=65534 --regid=65534 --clear-groups rm -f "$T/users/sk-gpu.beta"
    rm "$T/go.5"
    wait
fi

# A driver that knows more: who computes where.
cp "$PRELOAD/preload_nvml.so" "$T/libnvidia-ml.so.1"
unset SK_GPUS
export LD_LIBRARY_PATH="$T" FAKE_NVML="$T/gpus"
printf 'GPU-0001 93 2\nGPU-0002 0 0\nGPU-0003 5 1\n' >"$T/gpus"
lock --list >"$T/list"
like "$(sed -n 2p "$T/list")" '^0 +GPU-0001 +busy +93% +0  2 processes without a lock' "the driver's GPUs"
like "$(sed -n 3p "$T/list")" '^1 +GPU-0002 +free +0%' "are listed"
is "$(lock printenv CUDA_VISIBLE_DEVICES)" GPU-0002 "busy ones are passed over"
is "$(lock -n 2 --ignore-busy printenv CUDA_VISIBLE_DEVICES)" GPU-0001,GPU-0002 "unless told otherwise"
exits 75 "busy ones do not count" lock -n 2 --timeout 0.05 true
like "$(cat "$T/err")" '0 locked, 2 busy' "says so"
(sleep 0.3; printf 'GPU-0001 0 0\nGPU-0002 0 0\nGPU-0003 5 1\n' >"$T/gpus.new"; mv "$T/gpus.new" "$T/gpus") &
is "$(lock -q -n 2 --timeout 20 printenv CUDA_VISIBLE_DEVICES)" GPU-0001,GPU-0002 "one that becomes idle is taken"
FAKE_NVML=none exits 1 "a library without a driver" lock true
FAKE_NVML=broken exits 75 "a driver that fails" lock true
like "$(cat "$T/err")" 'Unknown Error' "says why"
done_testing
