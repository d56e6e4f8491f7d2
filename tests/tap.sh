# tap.sh - what shell tests say to prove. Source it first:
#
#   . "$(dirname "$0")/tap.sh"
#
# Afterwards the working folder is the repository root, $BIN holds the
# programs and $T is an empty folder that is removed at the end. Messages of
# commands belong in files of $T. End with done_testing.
# shellcheck shell=sh disable=SC2034

cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
BIN=${SK_BIN:-$ROOT/bin}
BUILD=${SK_BUILD:-$ROOT/.build}
PRELOAD=$ROOT/.build/tests
SHARED=${SK_SHARED:-$ROOT/../shared}
T=$(mktemp -d "${TMPDIR:-/tmp}/sk-test.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM

tap_tests=0
tap_failed=0

# pass NAME / fail NAME [detail...]
pass() {
    tap_tests=$((tap_tests + 1))
    echo "ok $tap_tests - $1"
}
fail() {
    tap_tests=$((tap_tests + 1))
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_tests - $1"
    shift
    for tap_detail; do
        printf '%s\n' "$tap_detail" | sed 's/^/#   /'
    done
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
    wait_end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$wait_end" ] || return 1
        sleep 0.05
    done
}

# ok NAME COMMAND... : the command succeeds
ok() {
    tap_name=$1
    shift
    if "$@" >"$T/.ok" 2>&1; then
        pass "$tap_name"
    else
        fail "$tap_name" "failed ($?): $*" "$(tail -n 20 "$T/.ok")"
    fi
}

# is GOT WANTED NAME
is() {
    if [ "$1" = "$2" ]; then
        pass "$3"
    else
        fail "$3" "got '$1'" "expected '$2'"
    fi
}

# like TEXT REGEX NAME : extended regular expression on any line
like() {
    if printf '%s\n' "$1" | grep -Eq -e "$2"; then
        pass "$3"
    else
        fail "$3" "got '$1'" "expected a match of '$2'"
    fi
}

# exits STATUS NAME COMMAND... : stdout to $T/out, stderr to $T/err
exits() {
    tap_want=$1
    tap_name=$2
    shift 2
    tap_status=0
    "$@" >"$T/out" 2>"$T/err" || tap_status=$?
    if [ "$tap_status" -eq "$tap_want" ]; then
        pass "$tap_name"
    else
        fail "$tap_name" "exit status $tap_status, expected $tap_want: $*" "$(tail -n 20 "$T/err")"
        return 1
    fi
}

# same FILE FILE NAME
same() {
    if cmp -s "$1" "$2"; then
        pass "$3"
    else
        fail "$3" "$(cmp "$1" "$2" 2>&1)"
    fi
}

skip() {
    tap_tests=$((tap_tests + 1))
    echo "ok $tap_tests # SKIP $1"
}
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

done_testing() {
    echo "1..$tap_tests"
    [ "$tap_failed" -eq 0 ]
    exit
}
