#!/bin/sh
# Programs, their --help, their manual pages and README say the same.
. "$(dirname "$0")/tap.sh"

programs=$(for f in bin/sk-*.c; do basename "$f" .c; done)

# Options that --help lists: "--name", or "-x --name".
of_help() {
    sed -n 's/^  \(-.\), \(--[a-z][a-z0-9-]*\).*/\1 \2/p; s/^      \(--[a-z][a-z0-9-]*\).*/\1/p' "$1"
}
# Options that the tags of a page name (the line after .TP), one a line:
# "--name" for each, and "-x --name" if the letter stands in the same tag.
of_page() {
    awk '
        tag && /^\.(PD|\\")/ { next }
        tag {
            gsub(/\\-/, "-"); gsub(/\\f./, " "); gsub(/[",=]/, " ")
            letter = ""
            n = split($0, w, " ")
            for (i = 1; i <= n; i++) {
                if (w[i] ~ /^-[A-Za-z]$/) letter = w[i]
                if (w[i] ~ /^--[a-z][a-z0-9-]*$/) { print w[i]; if (letter != "") print letter " " w[i]; letter = "" }
            }
            tag = 0
        }
        /^\.TP/ { tag = 1 }' "$1"
}
# "--name default" for each option of --help with a default that says something.
defaults() {
    awk '
        function finish() {
            if (name != "" && match(text, / \[[^][]*\]$/)) {
                value = substr(text, RSTART + 2, RLENGTH - 3)
                if (value !~ /^(-|-1|0|0:0|0\.0)$/) print name, value
            }
            name = text = ""
        }
        /^(  -.,|     ) --/ { finish(); name = $0; sub(/^[^-]*(-., )?--/, "--", name); sub(/[ ].*/, "", name) }
        /^[^ ]|^$/ { finish() }
        name != "" { text = text " " $0; sub(/ +$/, "", text) }' "$1"
}
# What a page says of an option: its tag and text.
entry() { # PAGE OPTION
    sed 's/\\f.//g; s/\\-/-/g' "$1" | awk -v option="$2" '
        /^\.(TP|SS|SH)/ { if (found) exit; tag = $1 == ".TP"; next }
        tag { found = index(" " $0 " ", " " option " ") || index($0, option "\"") || index($0, option " "); tag = 0 }
        found'
}
# Does the program know an option that --help does not list (an alias)?
known() { # PROGRAM OPTION
    ! "$BIN/$1" "$2" 2>&1 </dev/null | grep -q 'unknown option'
}

for p in $programs; do
    exits 0 "$p --help" "$BIN/$p" --help
    cp "$T/out" "$T/help"
    is "$(head -n 1 "$T/help" | cut -d ' ' -f 1,2)" "usage: $p" "it is on stdout"
    is "$(cat "$T/err")" "" "stderr is empty"
    is "$(awk 'length > 80' "$T/help")" "" "lines fit on a terminal"
    exits 0 "$p --version" "$BIN/$p" --version
    like "$(head -n 1 "$T/out")" "^$p [0-9]+\\.[0-9]+" "it is on stdout"
    is "$(cat "$T/err")" "" "stderr is empty"
    exits 64 "$p: an unknown option" "$BIN/$p" --no-such-option
    is "$(cat "$T/out")" "" "stdout is empty"
    is "$(grep -c "^$p: " "$T/err") $(wc -l <"$T/err" | tr -d ' ')" "2 2" "two lines on stderr"
    like "$(cat "$T/err")" "'--no-such-option'" "which name the option"

    page=bin/$p.1
    if [ ! -f "$page" ]; then
        fail "$p has a manual page" "there is no $page"
        continue
    fi
    pass "$p has a manual page"
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS"; do
        grep -qx "\\.SH \"\\{0,1\\}$section\"\\{0,1\\}" "$page" || echo "$section"
    done >"$T/sections"
    is "$(cat "$T/sections")" "" "$page has all sections"
    of_help "$T/help" | sed 's/^-h --help$/--help/' >"$T/in-help"
    # Of a page that says `options of NAME(1)` in a comment, the other is a part.
    others=$(sed -n 's/^\.\\" options of \(.*\)(1)$/\1/p' "$page")
    for page_of in "$p" $others; do of_page "bin/$page_of.1"; done >"$T/in-page"
    is "$(grep -cx -e '--help' -e '--version' "$T/in-help")" 2 "options of --help are read"
    is "$(grep -vxF -f "$T/in-page" "$T/in-help")" "" "$page has every option of --help"
    sed 's/^-. //' "$T/in-help" >"$T/names"
    sed -n 's/^\(--.*\)/\1/p' "$T/in-page" | grep -vxF -f "$T/names" | while read -r option; do
        known "$p" "$option" || echo "$option"
    done >"$T/unknown"
    is "$(cat "$T/unknown")" "" "$page has no other option"
    defaults "$T/help" >"$T/defaults"
    while read -r option value; do
        for page_of in "$p" $others; do entry "bin/$page_of.1" "$option"; done | grep -qF -e "$value" -e "${value%.0}" || echo "$option $value"
    done <"$T/defaults" >"$T/other"
    is "$(cat "$T/other")" "" "$page has the defaults of --help"
done

# The check of options itself.
printf '.TP\n.BR \\-x ", " \\-\\-some\\-option " " \\fIN\\fR\n.TP\n.B \\-\\-other\nnot \\-\\-this\n' >"$T/page"
is "$(of_page "$T/page" | tr '\n' ',')" "--some-option,-x --some-option,--other," "tags are read, text is not"
ok "an alias that --help does not list is known" known sk-train-shard --checkpoint-interval
known sk-train-shard --no-such-option && fail "no other is" || pass "no other is"

# Pages are well formed.
pages=$(ls bin/*.[1-9])
if command -v mandoc >/dev/null 2>&1; then
    # Pages carry no date: they belong to the version they come with.
    # shellcheck disable=SC2086
    is "$(mandoc -T lint -W warning $pages | grep -v 'missing date')" "" "mandoc has nothing to warn of"
    printf '.TH X 1 "" "sk"\n.SH NAME\nx \\- y\n.TP\n' >"$T/page"
    like "$(mandoc -T lint -W warning "$T/page")" "WARNING" "it would warn"
else
    skip "mandoc is not installed"
fi
if command -v man >/dev/null 2>&1 && command -v groff >/dev/null 2>&1; then
    for page in $pages; do
        is "$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "./$page" 2>&1 >/dev/null)" "" "man has nothing to warn of $page"
    done
else
    skip "man or groff is not installed"
fi

# README's table of programs.
table=$(sed -n '/^## Programs/,/^## /s/^| `\(sk-[a-z-]*\)` .*/\1/p' README.md | LC_ALL=C sort)
is "$table" "$(printf '%s\n' "$programs" | LC_ALL=C sort)" "README's table names exactly the programs"

done_testing
