# catalogue.awk - messages of `msgunfmt --no-wrap` as "English TAB translation".
#
# Takes messages of one line, without plurals, markup or addresses, that both
# sides have. Marks of keyboard shortcuts (_File, &File, ~File) go; all else
# stays as it is written: the text is not tokenised.

# What stands between the quotes, unescaped; "" if it holds more than one line.
function text(s) {
    sub(/^[^"]*"/, "", s)
    sub(/"$/, "", s)
    sub(/(\\n)+$/, "", s)
    if (s ~ /\\[nrtabfv]/)
        return ""
    gsub(/\\"/, "\"", s)
    gsub(/\\\\/, "\\", s)
    gsub(/\302\240/, " ", s)
    gsub(/\342\200\246/, "...", s)
    gsub(/ +/, " ", s)
    sub(/^ /, "", s)
    sub(/ $/, "", s)
    return s
}

# A mark before a letter is a shortcut's if it is the only one.
function plain(s,    n, mark, t, i) {
    for (i = 1; i <= 3; i++) {
        mark = substr("_&~", i, 1)
        t = s
        n = gsub(mark, mark, t)
        if (n == 1 && match(s, mark "[A-Za-z\200-\377]"))
            s = substr(s, 1, RSTART - 1) substr(s, RSTART + 1)
    }
    sub(/ ?\([A-Z]\)(\.\.\.)?$/, "", s)   # "(F)": how Chinese and Japanese show a shortcut
    return s
}

function markup(s) { return s ~ /<[A-Za-z\/!]|&[a-z]+;|:\/\/|\\|[{}|]|@[A-Za-z]/ }
function count(s, c) { return gsub(c, "", s) }

function flush_message(    a, b, n, m, words) {
    a = plain(id)
    b = plain(str)
    id = str = ""
    # Bare symbols, names and abbreviations teach nothing; where the numbers
    # of values to fill in differ, something is wrong.
    if (a == b || a !~ /[a-z][a-z]/ || b !~ /[a-z\200-\377]/ || markup(a) || markup(b) ||
        count(a, "%") != count(b, "%"))
        return
    n = split(a, words, " ")
    m = length(b)
    if (n <= 25 && m <= 250 && length(a) <= 3 * m + 10 && m <= 3 * length(a) + 10)
        print a "\t" b
}

/^msgctxt /                  { next }
/^msgid /                    { flush_message(); id = text($0); next }
/^msgid_plural /             { id = ""; next }
/^msgstr /                   { str = text($0); next }
END                          { flush_message() }
