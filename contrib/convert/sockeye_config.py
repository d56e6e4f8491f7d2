"""The file `config` of a Sockeye 1.18 model: as much of YAML as Sockeye writes."""


def scalar(text):
    if text in ("null", "~", ""):
        return None
    if text in ("true", "false"):
        return text == "true"
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            pass
    return text.strip("'\"")


def parse(text):
    """Mappings become dicts, with the tag of each under "!"; lists become lists."""
    lines = [(len(line) - len(line.lstrip(" ")), line.strip()) for line in text.split("\n") if line.strip()]
    anchors = {}

    def value(rest, i, indent):
        """What follows a key or a dash: its value, and the next line."""
        tag = anchor = None
        while rest[:1] in ("!", "&"):
            word, _, rest = rest.partition(" ")
            if word[0] == "!":
                tag = word
            else:
                anchor = word[1:]
        if rest[:1] == "*":
            return anchors[rest[1:]], i
        if rest in ("[]", "{}"):
            found = [] if rest == "[]" else {}
        elif rest:
            found = scalar(rest)
        elif i < len(lines) and (lines[i][0] > indent or (lines[i][0] == indent and lines[i][1].startswith("- "))):
            found, i = block(i)
        else:
            found = None
        if tag and isinstance(found, dict):
            found["!"] = tag[1:]
        if anchor:
            anchors[anchor] = found
        return found, i

    def block(i):
        """The mapping or list that begins at line i."""
        indent, first = lines[i]
        found = [] if first.startswith("- ") else {}
        while i < len(lines) and lines[i][0] == indent and lines[i][1].startswith("- ") == isinstance(found, list):
            line = lines[i][1]
            if isinstance(found, list):
                if line[2:].startswith("- "):
                    # A list in a list: its lines stand two columns further right.
                    lines[i] = (indent + 2, line[2:])
                    item, i = block(i)
                else:
                    item, i = value(line[2:], i + 1, indent)
                found.append(item)
            else:
                key, _, rest = line.partition(":")
                found[key], i = value(rest.strip(), i + 1, indent)
        return found, i

    start = 1 if lines and lines[0][1].startswith("!") else 0
    return block(start)[0]
