# completion.bash - options of the sk programs for bash's Tab key.
#
# `make install` puts it where bash-completion finds it; without that:
#
#   . contrib/completion.bash
#
# What a program knows is asked of its own --help when Tab is pressed: there is
# no list here that could be out of date.

# One line for each option of --help: "-x --name PLACEHOLDER choice|choice",
# "-" for what there is not.
_sk_options() {
    "${1/#\~/$HOME}" --help 2>/dev/null | awk '
        function finish() {
            if (name != "" && match(text, /One of [^.]*\./)) {
                choices = substr(text, RSTART + 7, RLENGTH - 8)
                gsub(/, /, "|", choices)
            }
            if (name != "") print letter, name, value, choices
            name = text = ""
        }
        /^  (-[^-],|   ) --[a-z]/ {
            finish()
            letter = $1 ~ /^-.,$/ ? substr($1, 1, 2) : "-"
            rest = substr($0, 7)
            name = rest; sub(/[ ].*/, "", name)
            value = choices = "-"
            if (rest ~ /^[^ ]+ [^ ]/) { value = rest; sub(/^[^ ]+ /, "", value); sub(/ .*/, "", value) }
        }
        /^[^ ]|^$/ { finish() }
        name != "" { sub(/^ +/, ""); text = text " " $0 }
        END { finish() }'
}

_sk() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local options letter name value choices
    COMPREPLY=()
    # --name=value comes as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $previous == = ]] && ((COMP_CWORD > 1)); then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    options=$(_sk_options "$1")
    while read -r letter name value choices; do
        [[ $previous == "$letter" || $previous == "$name" ]] || continue
        [[ $previous != - && $value != - ]] || continue
        if [[ $choices != - ]]; then
            mapfile -t COMPREPLY < <(compgen -W "${choices//|/ }" -- "$word")
        elif [[ $value == *DIR* ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
        elif [[ $value == *FILE* ]]; then
            compopt -o filenames 2>/dev/null
            # "N|best|FILE": words in small letters are meant as they are.
            mapfile -t COMPREPLY < <(
                compgen -W "$(tr '|' '\n' <<<"$value" | grep '^[a-z]*$')" -- "$word"
                compgen -f -- "$word"
            )
        fi
        return
    done <<<"$options"
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(cut -d ' ' -f 2 <<<"$options")" -- "$word")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

# bash-completion reads the file under the name of a program.
case ${BASH_SOURCE[0]##*/} in
sk-*) complete -F _sk "${BASH_SOURCE[0]##*/}" ;;
*) for _sk_program in $(compgen -c sk- | sort -u); do complete -F _sk "$_sk_program"; done; unset _sk_program ;;
esac
