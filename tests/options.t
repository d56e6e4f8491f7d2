#!/bin/sh
# Every option that a program's --help lists is exercised by some test of that
# program.
. "$(dirname "$0")/tap.sh"

for source in bin/sk-*.c; do
    name=$(basename "$source" .c)
    program=$BIN/$name
    "$program" --help >"$T/help" 2>"$T/err" || fail "$name --help" "$(cat "$T/err")"
    # "  -x, --name VALUE" at the start of a line, aliases in the text aside
    sed -nE 's/^(  -.,|     ) --([a-z0-9-]+).*/\2/p' "$T/help" | grep -vxE 'help|version' >"$T/names"
    grep -lF -e "$name" tests/*.t tests/*.py tests/*_test.c | grep -vxF tests/options.t >"$T/tests"
    untested=
    while read -r option; do
        letter=$(sed -nE "s/^  -(.), --$option( .*|)$/\1/p" "$T/help")
        # shellcheck disable=SC2046  # names of our own making, without blanks
        grep -qE -e "(^|[^a-z-])--$option([^a-z0-9-]|$)" $(cat "$T/tests") /dev/null ||
            { [ -n "$letter" ] && grep -qE -e "(^|[ \"])-$letter([ \"]|$)" $(cat "$T/tests") /dev/null; } ||
            untested="$untested --$option"
    done <"$T/names"
    is "$untested" "" "$name: each of its $(grep -c . "$T/names") options is used by a test"
done
done_testing
