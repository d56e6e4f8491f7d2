#!/bin/sh
# make install: programs, manual pages and completion, in a folder of their own.
. "$(dirname "$0")/tap.sh"

at=$T/root/usr
exits 0 "make install" make --no-print-directory install DESTDIR="$T/root" PREFIX=/usr
cat "$T/out" "$T/err" >"$T/log"
for f in bin/sk-*.c; do
    p=$(basename "$f" .c)
    ok "$p is installed and runs" "$at/bin/$p" --version
done
for page in bin/*.[1-9]; do
    same "$page" "$at/share/man/man${page##*.}/$(basename "$page")" "$page is installed"
done
for f in jobs/*; do
    same "$f" "$at/share/sk/$f" "$f is installed"
done
plugins=$(ls bin/libsk-*.so 2>/dev/null)
is "$(find "$at" -type f -o -type l | sed "s|^$at/||; s|/[^/]*\$||" | sort -u | tr '\n' ' ')" \
    "bin ${plugins:+lib/sk }share/bash-completion/completions share/man/man1 share/man/man5 share/sk/autopilot share/sk/jobs " "and nothing elsewhere"
like "$(cd "$T" && env -i PATH="$at/bin:/usr/bin:/bin" HOME="$T" sk-autopilot --list)" '^wmt14_en_de ' "sk-autopilot finds its parts"
is "$(env -i PATH=/usr/bin:/bin "$at/bin/sk-autopilot" --version)" "$("$at/bin/sk-train" --version | sed 's/^sk-train/sk-autopilot/')" \
    "and the programs beside it"
same contrib/autopilot/sk-autopilot.1 "$at/share/man/man1/sk-autopilot.1" "sk-autopilot.1 is installed"

if ! command -v bash >/dev/null 2>&1; then
    skip "there is no bash to complete for"
    done_testing
fi

# complete WORD...: what Tab offers after these words (the last one is begun).
cat >"$T/complete" <<'EOF'
. contrib/completion.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_sk "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
EOF
offers() { bash "$T/complete" "$@" | sort | tr '\n' ' ' | sed 's/ $//'; }

for f in bin/sk-*.c; do
    p=$(basename "$f" .c)
    is "$(offers "$BIN/$p" --)" \
        "$("$BIN/$p" --help | sed -n 's/^  \(-., \|    \)\(--[a-z][a-z0-9-]*\).*/\2/p' | sort | tr '\n' ' ' | sed 's/ $//')" \
        "Tab offers all options of $p"
    # Choices of all options, found in another way: a line for each option.
    "$BIN/$p" --help | sed 's/^  \(-., \|    \)--/@--/' | tr '\n' ' ' | tr '@' '\n' | tr -s ' ' |
        sed -n 's/^\(--[a-z-]*\) .*One of \([^.]*\)\..*/\1 \2/p' | tr -d ',' >"$T/choices"
    while read -r option choices; do
        is "$(offers "$BIN/$p" "$option" '')" "$(echo "$choices" | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')" \
            "and the choices of $option"
    done <"$T/choices"
done
is "$(offers contrib/autopilot/sk-autopilot --model '')" "gnmt_like none small transformer" "choices of sk-autopilot"
is "$(offers "$BIN/sk-average" --strategy li)" "lifespan" "a choice that was begun"
is "$(offers "$BIN/sk-average" --strategy = la)" "last" "a choice after an equals sign"
is "$(offers "$BIN/sk-average" --strategy =)" "best last lifespan" "all after an equals sign"
is "$(offers "$BIN/sk-average" -n '')" "" "nothing where a number belongs"
mkdir -p "$T/w/model" && : >"$T/w/mfile"
is "$(offers "$BIN/sk-translate" -m "$T/w/m")" "$T/w/model" "folders where a model belongs"
is "$(offers "$BIN/sk-translate" --input "$T/w/m")" "$T/w/mfile $T/w/model" "files where a file belongs"
is "$(offers "$BIN/sk-translate" -c b)" "best bin" "files and words where both may stand"
is "$(offers "$BIN/sk-average" "$T/w/mf")" "$T/w/mfile" "files where operands stand"

framework=/usr/share/bash-completion/bash_completion
if [ -f "$framework" ]; then
    for f in bin/sk-*.c; do
        p=$(basename "$f" .c)
        is "$(env -i PATH="$at/bin:$PATH" HOME="$T" XDG_DATA_DIRS="$at/share" bash --norc -c \
            ". $framework; _completion_loader $p; complete -p $p" 2>&1)" "complete -F _sk $p" \
            "bash-completion finds it for $p"
    done
else
    skip "bash-completion is not installed"
fi
done_testing
