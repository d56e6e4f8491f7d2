# base.sh - what all steps of sk-autopilot do: say, run, make whole.
#
# Nothing half-made is ever believed: a step works on a name that ends in .part,
# and its result gets its own name by rename, when it is on the disk. Beside a
# result, recipes/NAME says what it was made of; a result of another recipe is
# made again.
# shellcheck shell=sh disable=SC2034,SC2154

tab=$(printf '\t')
say() { printf 'sk-autopilot: %s\n' "$*" >&2; }
title() { printf '\n== %s\n' "$*" >&2; }
# die STATUS MESSAGE...: with an exit code of README.
died=
die() {
    died=$1
    shift
    say "$*"
    exit "$died"
}
# What ends the script by `set -e` is a tool that could not read or write.
at_exit() { # STATUS
    rest
    [ "$1" -eq 0 ] || [ "$1" -gt 63 ] || [ -n "$died" ] || die 74 "a file could not be read or written: is the disk full?"
}
trap 'at_exit $?' EXIT
usage() {
    say "$*"
    die 64 "see 'sk-autopilot --help'"
}

# quote WORD...: so that a shell reads the same words.
quote() {
    for word; do
        case $word in
        '' | *[!a-zA-Z0-9_./:,=+@%-]*) printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s ' "$word" ;;
        esac
    done
}
# tell COMMAND...: shows it and keeps it in the list of commands.
tell() {
    line=$(quote "$@")
    line=${line% }
    printf '%s\n' "$line" | awk '{
        line = "$"
        for (i = 1; i <= NF; i++)
            if (length(line " " $i) > 100) { print line " \\"; line = "      " $i }
            else line = line " " $i
        print line }' >&2
    grep -qxF -e "$line" "$system/commands" 2>/dev/null || printf '%s\n' "$line" >>"$system/commands"
}

# beside COMMAND...: runs it, hands on the signals that we get, ends after it.
# Stopped by one, we end with 75: the same command goes on.
stopped=
beside() {
    "$@" &
    child=$!
    trap 'stopped=1; kill -TERM $child 2>/dev/null || :' TERM INT HUP USR1
    status=0
    while kill -0 $child 2>/dev/null; do
        status=0
        wait $child || status=$?
    done
    trap - TERM INT HUP USR1
    [ -z "$stopped" ] || {
        rest
        die 75 "stopped; the same command goes on from there"
    }
    return $status
}

# log COMMAND...: beside, its talk in logs/; what it said last is shown if it fails.
# A tool that is not of sk fails with 1 whatever happens: 65.
log() {
    logfile=$system/logs/$1.log
    tell "$@"
    beside "$@" >>"$logfile" 2>&1 || {
        status=$?
        tail -n 5 "$logfile" >&2
        say "$1 failed; all it said is in $logfile"
        case $1-$status in
        sk-*) ;;
        *-1) status=65 ;;
        esac
        died=$status
        exit "$status"
    }
}

# A line that is refreshed in place on a terminal, while something long runs:
# progress COMMAND... prints it; rest ends that. Of a shell that was killed it
# notices, and it keeps no lock.
watcher=
progress() { # COMMAND...
    [ -t 2 ] || return 0
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        printf '\r   %s\033[K' "$("$@")" >&2
    done 9>&- &
    watcher=$!
}
rest() {
    [ -n "$watcher" ] || return 0
    kill "$watcher" 2>/dev/null || :
    wait "$watcher" 2>/dev/null || :
    watcher=
    [ ! -t 2 ] || printf '\r\033[K' >&2
}
# share_of FILE WHOLE TEXT: how much of WHOLE, by size, is in FILE.
share_of() {
    a=$(wc -c 2>/dev/null <"$1" || echo 0)
    b=$(wc -c 2>/dev/null <"$2" || echo 0)
    awk -v a="$a" -v b="$b" -v text="$3" 'BEGIN { printf "%s: %d MB", text, a / 1e6; if (b > 0) printf ", about %d %%", a < b ? 100 * a / b : 99 }'
}

# A folder's name becomes a result's when all in it is on the disk.
settle() { # RESULT
    sync "$1.part"/* "$1.part" 2>/dev/null || sync
    rm -rf "$1"
    mv "$1.part" "$1"
}
# made NAME RESULT TEXT: is the result there, and made of what the text says?
made() {
    [ -e "$2" ] && [ -e "$system/recipes/$1" ] && printf '%s\n' "$3" | cmp -s - "$system/recipes/$1"
}
# done_with NAME TEXT: after the result has its name.
done_with() {
    printf '%s\n' "$2" >"$system/recipes/$1.part"
    sync "$system/recipes/$1.part" 2>/dev/null || sync
    mv "$system/recipes/$1.part" "$system/recipes/$1"
}
# digest FILE...: stands for their contents in a recipe.
digest() { cat "$@" | cksum; }
lines() { awk 'END { print NR }' "$1"; }

# hold FILE WHAT [wait]: a kernel lock until this process, and all it started, have
# ended: nothing is left behind by a kill.
hold() {
    exec 9>>"$1"
    flock -n 9 && return 0
    [ "${3-}" = wait ] || {
        say "another sk-autopilot, or a program that one left behind, works in $2"
        die 75 "wait for it, or end it: fuser -v $1"
    }
    say "waiting for another sk-autopilot that works in $2"
    flock 9
}
