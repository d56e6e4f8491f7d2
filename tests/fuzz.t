#!/bin/sh
# No bytes make a reader crash, hang, lose memory or touch what is not its own: some
# thousand mutations of good files in make check; in check-long a million for each
# reader, found by clang's libFuzzer if it is installed.
# sanitized
. "$(dirname "$0")/tap.sh"
ok "files to begin with" tests/fuzz/seeds "$BIN" "$T/seeds"
targets=$(cd "$T/seeds" && echo *)
is "$(find "$T/seeds" -type f -empty)" "" "none is empty"
like "$("$BUILD/tests/fuzz/fuzz" none "$T" 0 0 2>&1)" "targets are $targets\$" "for every reader"

# What options allocate lives as long as the program.
leaks() { [ "$1" = options ] && echo 0 || echo 1; }
# some TARGET RUNS : mutations without libFuzzer
some() {
    ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=$(leaks "$1") "$BUILD/tests/fuzz/fuzz" "$1" "$T/seeds/$1" "$2" 1
}
guided=.build/fuzzer-no-link,address,undefined/tests/fuzz/fuzz
# much TARGET RUNS
much() {
    mkdir -p "$T/new/$1"
    SK_FUZZ=$1 ASAN_OPTIONS=detect_leaks=$(leaks "$1") "$guided" -runs="$2" -close_fd_mask=2 -max_len=16384 -timeout=10 \
        -artifact_prefix="${SK_TEST_LOG:-$T}/fuzz-$1-" "$T/new/$1" "$T/seeds/$1"
}
runs=$([ -n "${SAN:-}" ] && echo 1000 || echo 4000)
for target in $targets; do ok "$target: $runs inputs" some "$target" "$runs"; done
if [ -n "${SK_LONG:-}" ] && [ -n "${SAN:-}" ]; then
    if command -v clang >/dev/null; then
        ok "built by clang" env -u SAN -u MAKEFLAGS make fuzz
        for target in $targets; do ok "$target: a million inputs, guided" much "$target" 1000000; done
    else
        skip "clang is not installed (Debian package clang): mutations are not guided"
        for target in $targets; do ok "$target: a million inputs" some "$target" 1000000; done
    fi
fi
done_testing
