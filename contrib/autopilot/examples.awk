# examples.awk - some sentences of a test set as HTML: source, translation, reference.
#
#   awk -v count=12 -v lines=N -v source=de -v target=en -f examples.awk TABLE
#
# A line of TABLE is score TAB source TAB translation TAB reference, best first; those
# at equal ranks are shown. Words that the reference does not have are marked.

function escape(s) {
    gsub(/[\001-\010\013-\037\177]/, " ", s)
    gsub(/&/, "\\&amp;", s)
    gsub(/</, "\\&lt;", s)
    gsub(/>/, "\\&gt;", s)
    gsub(/"/, "\\&quot;", s)
    return s
}
function bare(word) {
    word = tolower(word)
    gsub(/^[[:punct:]]+/, "", word)
    gsub(/[[:punct:]]+$/, "", word)
    return word
}
function marked(out, ref,    n, w, i, left, s, new) {
    n = split(ref, w, " ")
    for (i = 1; i <= n; i++) left[bare(w[i])]++
    n = split(out, w, " ")
    for (i = 1; i <= n; i++) {
        new = bare(w[i]) != "" && left[bare(w[i])]-- <= 0
        s = s (i > 1 ? " " : "") (new ? "<i>" escape(w[i]) "</i>" : escape(w[i]))
    }
    return s
}
# A language only where it looks like one.
function lang(code) { return code ~ /^[a-zA-Z][a-zA-Z][a-zA-Z]?([-_][a-zA-Z]+)?$/ ? " lang=\"" code "\"" : "" }

BEGIN { FS = "\t"; if (count > lines) count = lines }
NR == int((shown + 0.5) * lines / count) + 1 {
    shown++
    printf "<dl class=\"pair\"><dt>source</dt><dd dir=\"auto\"%s>%s</dd>\n", lang(source), escape($2)
    printf "<dt title=\"chrF %s\">translation</dt><dd class=\"out\" dir=\"auto\"%s>%s</dd>\n", $1, lang(target), marked($3, $4)
    printf "<dt>reference</dt><dd dir=\"auto\"%s>%s</dd></dl>\n", lang(target), escape($4)
}
