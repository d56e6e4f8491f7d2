# faults.sh - a command that is disturbed at each of its calls which change files,
# one after another, and then given again. Source it after tap.sh; the script says
#
#   FAULTS=DIR   calls that change something below it count (exported, or used besides)
#   fresh        makes DIR as it is before the command
#   act          the command; with nothing else on stdout or stderr
#   torn         names each file that is neither as before nor as it is to be
#   result       prints what the command is to have made in the end
#
# and calls faults NAME. The calls of all its processes count. SK_LONG: every one;
# else a sample.
# shellcheck shell=sh

# disturbed HOW N : the command, of which the n-th call goes wrong (preload_fault.c)
disturbed() {
    head -c 8 /dev/zero >"$T/count"
    (
        export SK_FAULT="$1" SK_FAULT_AT="$2" SK_FAULT_UNDER="$FAULTS" SK_FAULT_COUNT="$T/count" \
            LD_PRELOAD="$PRELOAD/preload_fault.so"
        act
    ) >"$T/out" 2>"$T/err"
}

# faults_count : how many calls there are, and what they make in "$T/want.faults"
faults_count() {
    fresh
    disturbed none 0 || diag "$(tail -n 3 "$T/err")"
    result >"$T/want.faults"
    calls=$(od -An -td8 "$T/count" | tr -d ' ')
}

# faults_point HOW N : says what is wrong after a fault, and after the command was given again
faults_point() {
    fresh
    status=0
    disturbed "$1" "$2" || status=$?
    case $1-$status in
    before-137 | after-137 | short-0 | eintr-0) ;;
    # Of several processes one was killed.
    before-0 | after-0) ;;
    # The text of logs and locks is no reason to stop, nor is what cannot be removed.
    [0-9]*-0) ;;
    [0-9]*-74) grep -qF "${FAULTS##*/}" "$T/err" || echo "$2(names no file: $(tail -n 1 "$T/err"))" ;;
    # A claim that cannot be written is taken for one that is lost.
    5-75) grep -q 'claim .* was lost' "$T/err" || echo "$2(status 75: $(tail -n 1 "$T/err"))" ;;
    *) echo "$2(status $status: $(tail -n 1 "$T/err"))" ;;
    esac
    is_torn=$(torn)
    [ -z "$is_torn" ] || echo "$2(torn: $is_torn)"
    case $1 in
    short | eintr) ;;
    *) (act) >"$T/out" 2>"$T/err" || echo "$2(again: $(tail -n 1 "$T/err"))" ;;
    esac
    # What could not be removed stays until the next sweep.
    result | { [ "$1-$status" = 5-0 ] && sed '/\.tmp$/d' || cat; } >"$T/got.faults"
    cmp -s "$T/got.faults" "$T/want.faults" || {
        echo "$2(differs)"
        diff "$T/got.faults" "$T/want.faults" >"$T/diff"
    }
}

# faults NAME [EVERY] : kills at every EVERY-th call, errors at every third of those
faults() {
    faults_count
    ok "$1: makes calls that change files ($calls)" [ "$calls" -gt 2 ]
    for how in before after 28 5 122 short eintr; do
        case $how in
        before) step=${2:-1} most=$calls word="killed before a call" ;;
        after) step=$((7 * ${2:-1})) most=$calls word="killed after a call" ;;
        28) step=$((3 * ${2:-1})) most=$calls word="no space left from a call on" ;;
        5) step=$((3 * ${2:-1})) most=$calls word="an I/O error at a call" ;;
        122) step=$((7 * ${2:-1})) most=$calls word="the quota is used up from a call on" ;;
        short) step=1 most=1 word="short writes" ;;
        eintr) step=1 most=2 word="every other call interrupted" ;;
        esac
        case $how in short | eintr) ;; *) [ -z "${SK_LONG:-}" ] || step=1 ;; esac
        bad=
        points=0
        n=$(((most - 1) % step + 1))     # the last call is one of them
        while [ "$n" -le "$most" ]; do
            bad="$bad$(faults_point "$how" "$n")"
            points=$((points + 1))
            n=$((n + step))
        done
        is "$bad" "" "$1: $word ($points)"
        [ -z "$bad" ] || diag "$(head -n 20 "$T/diff" 2>/dev/null)"
    done
}
