#!/bin/sh
# Every script parses, and shellcheck has nothing to warn of.
. "$(dirname "$0")/tap.sh"

# Scripts are known by their first line; tests and completions by their names.
scripts() { # DIR
    find "$1" \( -name .git -o -name .build -o -name quickstart -o -name corpus \) -prune -o -type f -print |
        LC_ALL=C sort | while IFS= read -r f; do
        case $f in
        *.t | *.sh) echo "sh $f" ;;
        *.bash) echo "bash $f" ;;
        *) LC_ALL=C sed -n '1{s/^#! *\/bin\/sh.*/sh/p;s/^#!.*bash.*/bash/p;q;}' "$f" 2>/dev/null | tr -d '\000' |
            sed "s|\$| $f|" ;;
        esac
    done
}
checked() { # SHELL FILE
    shellcheck --shell="$1" --severity=warning --external-sources --source-path=SCRIPTDIR --exclude=SC1091 "$2"
}

scripts . >"$T/scripts"
like "$(cat "$T/scripts")" '^sh \./contrib/setup$' "scripts are found"
like "$(cat "$T/scripts")" '^bash \./contrib/completion\.bash$' "and completions"
while read -r shell f; do
    ok "$f: $shell reads it" "$shell" -n "$f"
done <"$T/scripts"

if ! command -v shellcheck >/dev/null 2>&1; then
    skip "shellcheck is not installed"
    done_testing
fi
while read -r shell f; do
    ok "$f: shellcheck" checked "$shell" "$f"
done <"$T/scripts"

# shellcheck disable=SC2016
printf '#!/bin/sh\ncd $1\n[ -n $unset ] && echo `ls`\n' >"$T/bad"
if checked sh "$T/bad" >"$T/.ok"; then
    fail "a bad script is found"
else
    pass "a bad script is found"
fi
done_testing
