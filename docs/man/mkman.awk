# Make a manual page from plain text:
#   "= NAME SECTION = summary"  first line
#   "## HEADING"                a section
#   "term :: text"              a definition
#   "    text"                  literal, as typed
#   "" between paragraphs
function quote(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    sub(/^[.']/, "\\\\\\&&", s)
    return s
}
function close_literal() {
    if (literal) { print ".fi\n.RE"; literal = 0 }
}
NR == 1 {
    split($0, head, / *= */)
    split(head[2], name, " ")
    printf ".TH %s %s \"\" \"ecs %s\"\n", toupper(name[1]), name[2], version
    printf ".SH NAME\n%s \\- %s\n", quote(name[1]), quote(head[3])
    next
}
/^## / { close_literal(); print ".SH " toupper(substr($0, 4)); next }
/^    / {
    if (!literal) { print ".RS 4\n.nf"; literal = 1 }
    print quote(substr($0, 5))
    next
}
{ close_literal() }
/^$/ { print ".PP"; next }
/ :: / {
    at = index($0, " :: ")
    print ".TP\n.B " quote(substr($0, 1, at - 1)) "\n" quote(substr($0, at + 4))
    next
}
{ print quote($0) }
