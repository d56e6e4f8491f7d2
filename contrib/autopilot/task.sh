# task.sh - what a task is: lines of the table, or files of the user's own.
#
# SYSTEM/task says it in the form of the table, with the files of a custom task by
# their paths and checksums; all later steps read only that.
# shellcheck shell=sh disable=SC2034,SC2154

# The lines of the tables that count: what the user's own tables define goes first.
table() {
    printf '%s\n' "$tables" "$here/tasks" | while IFS= read -r file; do
        [ -z "$file" ] || { printf 'table\n' && cat -- "$file"; } || exit
    done | awk -F '\t' '
        /^table$/ { n++; next }
        /^(#|$)/ { next }
        { key = ($1 == "file") " " $2 }
        !(key in by) { by[key] = n }
        by[key] == n'
}
check_tables() {
    printf '%s\n' "$tables" | while IFS= read -r file; do
        [ -z "$file" ] || [ -r "$file" ] || die 66 "cannot open $file, a table of tasks"
        [ -z "$file" ] || awk -F '\t' -v file="$file" '
            /^(#|$)/ || $1 == "file" && NF == 5 || $1 == "task" && NF == 7 || $1 ~ /^(train|dev|test)$/ && NF == 5 { next }
            { printf "sk-autopilot: %s, line %d: no line of a table of tasks: wrong kind or number of columns\n", file, FNR
              bad = 1 }
            END { exit bad }' "$file" >&2 || exit 65
    done
}
list_tasks() {
    table | awk -F '\t' '$1 == "task" { printf "%-16s %s\n", $2, $7 }'
}

# A task of the table, with the files that its lines name. In test mode it is made
# of its test sets alone.
known_task() {
    table | awk -F '\t' -v OFS='\t' -v name="$task" -v test="$test_mode" '
        $1 == "file" { file[$2] = $0; next }
        $2 != name { next }
        $1 == "task" { if (test) $5 = 1024; print; next }
        test && $1 != "test" { next }
        { print; for (i = 4; i <= 5; i++) { split($i, part, "/"); used[part[1]] } }
        END { for (f in used) print f in file ? file[f] : "missing\t" f | "LC_ALL=C sort" }'
}

# The suffix of a file, if it looks like a language.
suffix() {
    suffix=${1##*/}
    suffix=${suffix%.gz}
    case $suffix in *.*) suffix=${suffix##*.} ;; *) suffix= ;; esac
    case $suffix in
    '' | ? | ?????????* | *[!a-zA-Z_-]*) ;;
    *) printf %s "$suffix" ;;
    esac
}
# pairs SET FORMAT FILE...: lines of the task for files, two by two.
pairs() {
    set=$1 format=$2
    shift 2
    while [ $# -ge 2 ]; do
        for file in "$1" "$2"; do
            [ -r "$file" ] && [ ! -d "$file" ] || die 66 "cannot open $file, which --custom-$set names"
        done
        source=$(readlink -f -- "$1")
        target=$(readlink -f -- "$2")
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$set" "$task" "$format" "$source" "$target" \
            "$(cksum <"$source")" "$(cksum <"$target")"
        shift 2
    done
}
custom_task() {
    format=$text_type
    [ "$format" != raw ] || format=text
    pieces=$bpe_op
    [ -z "$test_mode" ] || pieces=1024
    # The lists hold one word a line.
    IFS='
'
    # shellcheck disable=SC2086
    set -- $train_files
    source=${lang%%"$IFS"*} target=${lang##*"$IFS"}
    [ -n "$lang" ] || { source=$(suffix "$1") && target=$(suffix "$2"); }
    [ -n "$source" ] && [ -n "$target" ] && [ "$source" != "$target" ] || source=source target=target
    printf 'task\t%s\t%s\t%s\t%s\t-\t%s\n' "$task" "$source" "$target" "$pieces" "custom text ($text_type)"
    # shellcheck disable=SC2086
    {
        pairs train "$format" $train_files && pairs dev "$format" $dev_files && pairs test "$format" $test_files
    } || exit
    unset IFS
}

# What the task is made of: from where a file with a checksum comes is all the same.
substance() { awk -F '\t' -v OFS='\t' '$1 == "file" && $4 != "-" { $5 = "" } { print }' "$1"; }

# Step 1: writes SYSTEM/task, or compares with the one that is there.
step_task() {
    if [ -n "$custom" ]; then custom_task; else known_task; fi >"$system/task.part" || exit
    grep -q "^task$tab" "$system/task.part" ||
        die 64 "there is no task '$task' in the table; --list shows all"
    ! grep "^missing$tab" "$system/task.part" >/dev/null ||
        die 65 "the table has no line for the file '$(sed -n "s/^missing$tab//p" "$system/task.part" | head -n 1)' of task $task"
    if [ -e "$system/task" ] && [ "$(substance "$system/task")" != "$(substance "$system/task.part")" ]; then
        say "$system was made of something else:"
        diff "$system/task" "$system/task.part" | grep '^[<>]' | head -n 6 >&2
        rm "$system/task.part"
        die 78 "give this task another name, or remove $system to make it anew"
    fi
    if cmp -s "$system/task.part" "$system/task"; then rm "$system/task.part"; else mv "$system/task.part" "$system/task"; fi
    report_task
}
# of_task N: column N of the task's line.
of_task() { awk -F '\t' -v n="$1" '$1 == "task" { print $n }' "$system/task"; }
report_task() {
    title "Task $task: $(of_task 7), $(of_task 3) to $(of_task 4)"
    awk -F '\t' '$1 ~ /^(train|dev|test)$/ { printf "   %-5s  %s  %s\n", $1, $4, $5 }' "$system/task" >&2
}
