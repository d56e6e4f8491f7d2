# options.sh - the command line of sk-autopilot: Sockeye's, and some more.
# shellcheck shell=sh disable=SC2034,SC2154

help() {
    cat <<'EOF'
usage: sk-autopilot --custom-task NAME --custom-train SRC TRG [option...]
       sk-autopilot --task NAME [option...] [-- OPTION OF SK-TRAIN...]

Fetches or takes parallel text, learns subwords, trains, averages, translates,
scores, and writes a page about it. Stopped at any moment, the same command
goes on.

Task:
      --task NAME           A task of the table; see --list.
      --list                List the tasks of the table.
      --tasks FILE          Another table of tasks, in the form of the one that
                            comes with sk-autopilot; counts more than that.
      --custom-task NAME    A task of your own text, under a name that you
                            choose. Without files: go on with it.
      --custom-train SRC TRG
                            Its training text, line by line translations of
                            each other, plain or gzip.
      --custom-dev SRC TRG  Its held-out text; without, a twentieth of the
                            training text, at most 1000 pairs.
      --custom-test SRC TRG...
                            Its test sets; without, as many pairs again.
      --custom-text-type NAME
                            What the text is: as it is written, cut into words,
                            or cut into words and subwords (marked by @@). One
                            of raw, tok, bpe. [raw]
      --custom-lang SRC TRG Languages, to name them. Default: the suffixes of
                            the files.
      --custom-bpe-op N     Size of the vocabulary of subwords. Default: 30
                            times the root of the number of pairs, at most
                            32000.

Model:
      --model NAME          What to train; none: only prepare the text. Default:
                            small without a GPU, else transformer. One of none,
                            small, transformer, gnmt_like.
      --decode-settings NAME
                            How to translate. One of standard, gnmt_like.
                            [standard]
      --gpus N              GPUs to train on; 0: the CPU. Default: 1 if there is
                            one that this build can use, else 0.
      --test                Try all steps with a tiny model and little text, in
                            a minute; the model learns nothing.

Work:
      --workspace DIR       Where all results go. [~/sk_autopilot]
      --cache DIR           Where downloads go, for all workspaces.
                            [~/.cache/sk-autopilot]
      --step NAME...        Only these steps: task, fetch, raw, codes, bpe,
                            train, average, translate, score, page.
      --slurm               Submit the steps as jobs of Slurm, each after the
                            one before; downloads come first, here.
      --slurm-options TEXT  Options of sbatch for all jobs, in one word.

  -h, --help                Show this text.
      --version             Show version, backends and libraries.

Values in brackets are defaults.

What stands after -- are options of sk-train, which count more than the model's:
-- --max-seconds 600 ends training in time.
EOF
}

workspace=${HOME:-.}/sk_autopilot cache=${XDG_CACHE_HOME:-${HOME:-.}/.cache}/sk-autopilot
task='' custom='' tables='' train_files='' dev_files='' test_files='' text_type=raw lang='' bpe_op=auto
model='' settings=standard gpus='' test_mode='' only='' list='' slurm='' slurm_options=''
# Words for sk-train, one a line; what a job of Slurm is to be given, quoted.
extra='' arguments=''
newline='
'

one_of() { # OPTION WORD CHOICE...
    one=$1 word=$2
    shift 2
    for choice; do [ "$word" != "$choice" ] || return 0; done
    usage "$one '$word': one of $* is meant"
}
natural() { # OPTION WORD LEAST
    case $2 in
    '' | *[!0-9]* | ????????*) usage "$1 '$2': a number is meant" ;;
    esac
    [ "$2" -ge "$3" ] || usage "$1 $2: $3 is the least"
}
# The words that belong to an option, one a line.
set_option() { # OPTION WORDS
    case $1 in
    --task) task=$2 ;;
    --custom-task) task=$2 custom=1 ;;
    --tasks) tables=$2$newline$tables ;;
    --custom-train) train_files=$2 ;;
    --custom-dev) dev_files=$2 ;;
    --custom-test) test_files=$2 ;;
    --custom-text-type) one_of "$1" "$2" raw tok bpe && text_type=$2 ;;
    --custom-lang) lang=$2 ;;
    --custom-bpe-op) natural "$1" "$2" 1 && bpe_op=$2 ;;
    --model) one_of "$1" "$2" none small transformer gnmt_like && model=$2 ;;
    --decode-settings) one_of "$1" "$2" standard gnmt_like && settings=$2 ;;
    --gpus) natural "$1" "$2" 0 && gpus=$2 ;;
    --workspace) workspace=$2 ;;
    --cache) cache=$2 ;;
    --step) only=$2 ;;
    esac
}
parse() {
    while [ $# -gt 0 ]; do
        option=$1
        shift
        case $option in
        --*=*)
            set -- "${option#*=}" "$@"
            option=${option%%=*}
            ;;
        esac
        case $option in
        -h | --help) help && exit ;;
        --version)
            version=$(sk-train --version) && printf '%s\n' "$version" | sed '1s/^sk-train/sk-autopilot/' && exit
            ;;
        --list) list=1 && continue ;;
        --slurm) slurm=1 && continue ;;
        --slurm-options)
            [ $# -gt 0 ] || usage "--slurm-options needs a word"
            slurm_options=$1
            shift
            continue
            ;;
        --test)
            test_mode=1
            arguments="$arguments--test "
            continue
            ;;
        --)
            [ $# -eq 0 ] || extra=$(printf '%s\n' "$@")
            arguments="$arguments-- $(quote "$@")"
            break
            ;;
        --task | --tasks | --custom-task | --custom-text-type | --custom-bpe-op | --model | --decode-settings | --gpus | \
            --workspace | --cache) least=1 most=1 ;;
        --custom-train | --custom-dev | --custom-lang) least=2 most=2 ;;
        --custom-test) least=2 most=1000 ;;
        --step) least=1 most=1000 ;;
        -*) usage "unknown option '$option'" ;;
        *) usage "'$option' belongs to no option" ;;
        esac
        words='' n=0
        arguments="$arguments$option "
        while [ $# -gt 0 ] && [ $n -lt $most ]; do
            [ $n -lt $least ] || case $1 in -*) break ;; esac
            case $1 in *"$newline"* | *"$tab"*) usage "$option: no line feeds and tabs in names" ;; esac
            words=${words:+$words$newline}$1
            arguments=$arguments$(quote "$1")
            n=$((n + 1))
            shift
        done
        [ $n -ge $least ] || usage "$option needs $least word$([ $least -eq 1 ] || echo s)"
        set_option "$option" "$words"
    done
}
check_options() {
    [ -n "$task" ] || usage "--task or --custom-task is needed"
    case $task in
    .* | -* | *[!a-zA-Z0-9_.-]*) usage "'$task' is no name of a task: letters, digits, _ . and - make one" ;;
    esac
    [ -n "$custom" ] || [ -z "$train_files$dev_files$test_files" ] || usage "files belong to a --custom-task"
    [ -n "$train_files" ] || [ -z "$dev_files$test_files" ] || usage "--custom-train is needed"
    [ $(($(printf '%s\n' "$test_files" | grep -c .) % 2)) -eq 0 ] || usage "--custom-test needs pairs of files"
    for step in $only; do
        # shellcheck disable=SC2086
        one_of --step "$step" $all_steps
    done
    [ -z "$slurm" ] || [ -z "$only" ] || usage "--slurm submits all steps: no --step beside it"
}
