# catalogue.awk - messages of msgunfmt --no-wrap as "English TAB translation".
#
# Lines of one message are pairs of their own where both sides have as many.
# Marks of keyboard shortcuts go, punctuation becomes tokens.

function text(s) {
    sub(/^[^"]*"/, "", s)
    sub(/"$/, "", s)
    return s
}

function tokens(s) {
    gsub(/\\t|\\r/, " ", s)
    gsub(/\\"/, "\"", s)
    gsub(/\\\\/, "\\", s)
    gsub(/_/, "", s)
    gsub(/&[A-Za-z]/, "\001&", s)
    gsub(/\001&/, "", s)
    gsub(/\.\.\./, " ... ", s)
    gsub(/[!"#$()*+,:;<=>?@^`{|}~\/\[\]]/, " & ", s)
    s = s " "
    while (match(s, /[A-Za-z\200-\377]\. /))
        s = substr(s, 1, RSTART) " . " substr(s, RSTART + 2)
    gsub(/ +/, " ", s)
    sub(/^ /, "", s)
    sub(/ $/, "", s)
    return s
}

function flush_message(    n, m, i, a, b, en, tr) {
    n = split(id, en, /\\n/)
    m = split(str, tr, /\\n/)
    if (id != "" && str != "" && n == m)
        for (i = 1; i <= n; i++) {
            a = tokens(en[i])
            b = tokens(tr[i])
            # Untranslated lines, bare symbols and paragraphs teach nothing.
            if (a != b && a ~ /[A-Za-z][a-z]/ && b ~ /[a-z\200-\377]/ && split(a, words, " ") <= 40 &&
                split(b, words, " ") <= 40)
                print a "\t" b
        }
    id = str = ""
}

/^msgctxt /                  { next }
/^msgid /                    { flush_message(); id = text($0); into = "id"; next }
/^msgid_plural /             { into = ""; next }
/^msgstr(\[0\])? /           { str = text($0); into = "str"; next }
/^msgstr\[/                  { into = ""; next }
/^"/ && into == "id"         { id = id text($0) }
/^"/ && into == "str"        { str = str text($0) }
END                          { flush_message() }
