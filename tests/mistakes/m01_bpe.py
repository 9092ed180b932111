"""What readers of chapter 01 may write, and words of the message that should meet them."""


def _tokens_of_abcde(tokens):
    return f"""
abcde_tokens = {tokens}
check.joined_by_rank(abcde_tokens)
"""


def _learn(body):
    return f"""
def learn(words, n_merges):
    pieces = [list(word) for word in words]
{body}


check.recounting(learn)
"""


def _drop(body):
    return f"""
def drop_begin(text):
{body}


check.mark_dropped(drop_begin)
"""


def _three(tokens):
    return f"""
three_tokens = {tokens}
check.out_of_reach(three_tokens)
"""


def _stream(body):
    return f"""
def stream(ids, ranks):
{body}


check.streamed(stream)
"""


MISTAKES = [
    ("1", _tokens_of_abcde('["ab", "cde"]'), "nobody looks for the fewest"),
    ("1", _tokens_of_abcde('["ab", "cd", "e"]'), "from left to right"),
    ("1", _tokens_of_abcde('["a", "bc", "d", "e"]'), "you stopped there"),
    ("1", _tokens_of_abcde('["abcd", "e"]'), "not among the five tokens"),
    ("1", _tokens_of_abcde('"abcde"'), "as a list of texts"),
    ("1", _tokens_of_abcde('["bcd", "a", "e"]'), "moves no letter"),
    (
        "2",
        _learn("""    counts = count_pairs(pieces)
    return [token for token, count in counts.most_common(n_merges)]"""),
        "Your second merge is cd",
    ),
    (
        "2",
        _learn("""    merges = []
    for _ in range(n_merges):
        counts = count_pairs(pieces)
        merges.append(max(counts, key=counts.get))
    return merges"""),
        "bc was chosen twice",
    ),
    (
        "2",
        _learn("""    merges = []
    for _ in range(n_merges):
        counts = count_pairs(pieces)
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "when no pair is left",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        best = max(counts.values())
        token = [pair for pair in counts if counts[pair] == best][-1]
        merges.append(token)
        pieces = [_join(parts, token) for parts in pieces]
    return merges"""),
        "bc and cd both occur twice",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        token = max(counts, key=counts.get)
        pieces = [_join(parts, token) for parts in pieces]
        merges.append(token)"""),
        "should return the list",
    ),
    (
        "2",
        _learn("""    merges = []
    while counts := count_pairs(pieces):
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "2 merges were asked for",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        merges.append(max(sorted(counts), key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "which of equals comes first",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges and max((counts := count_pairs(pieces)).values(), default=0) > 1:
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "what ended your loop",
    ),
    (
        "2",
        _learn("""    merges = []
    pieces = list(map(list, dict.fromkeys(words)))  # each word once
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "Is it the count that differs",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges:
        counts = Counter(p for parts in pieces for p in dict.fromkeys(a + b for a, b in pairwise(parts)))
        if not counts:
            break
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges"""),
        "Is it the count that differs",
    ),
    (
        "2",
        _learn("""    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        merges.append(max(counts, key=counts.get))
        for parts in pieces:
            pairs = [a + b for a, b in pairwise(parts)]
            if merges[-1] in pairs:
                i = pairs.index(merges[-1])  # the first place alone
                parts[i : i + 2] = [merges[-1]]
    return merges"""),
        "xy was chosen twice",
    ),
    (
        "2",
        _learn("""    for i, word in enumerate(words):
        words[i] = list(word)
    merges = []
    while len(merges) < n_merges and (counts := count_pairs(words)):
        merges.append(max(counts, key=counts.get))
        words[:] = [_join(parts, merges[-1]) for parts in words]
    return merges"""),
        "changed the list of words",
    ),
    ("3", _drop('    return text.split(">", 1)[1] if text.startswith("<s") else text'), "no mark to take away"),
    ("3", _drop('    return text.lstrip("<").lstrip("s").lstrip(">")'), "a word, or a set of characters"),
    ("3", _drop('    return text[3:] if text.startswith("<") else text'), "no mark to take away"),
    ("3", _drop('    return text.lstrip("<s>")'), "what of the front"),
    ("3", _drop('    return text.replace("<s>", "")'), "inside the text"),
    ("3", _drop("    return text[3:]"), "no mark to take away"),
    (
        "3",
        _drop("""    while text.startswith("<s>"):
        text = text.removeprefix("<s>")
    return text"""),
        "Only one mark",
    ),
    ("3", _drop('    return text.replace("<s>", "", 1)'), "inside the text"),
    ("3", _drop('    return text[3:] if "<s>" in text else text'), "only one further on"),
    ("3", _drop('    return text.removeprefix("<s>").removesuffix("<s>")'), "inside the text"),
    ("3", _drop('    return text.removeprefix("<s>").strip()'), "Blanks are gone"),
    ("3", _drop('    return regex.sub("(?m)^<s>", "", text)'), "inside the text"),
    ("3", _drop('    return regex.sub("(?i)^<s>", "", text)'), "no mark to take away"),
    ("3", _drop('    return regex.sub("^[<s>]{3}", "", text)'), "no mark to take away"),
    ("3", _drop('    return regex.sub("^<s>+", "", text)'), "More than the mark is gone"),
    ("3", _drop('    return text[3:] if "<s>" in text[:4] else text'), "only one further on"),
    ("3", _drop('    return text[3:] if text[:3] in "<s>" else text'), "no mark to take away"),
    ("4", _three('["ab", "cd", "abcd"]'), "does reach it"),
    ("4", _three('["bc", "ab", "abcd"]'), "not the join of two tokens"),
    ("4", _three('["vi", "ie", "iet", "viet"]'), "the same letter twice"),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode(errors="ignore")"""),
        "characters are lost",
    ),
    (
        "5",
        _stream('''    waiting = b""
    for i in ids:
        waiting += ranks[i]
        try:
            yield waiting.decode()
        except UnicodeDecodeError:
            continue
        waiting = b""'''),
        "from bytes to id",
    ),
    ("5", _stream("    yield decode(list(ids), ranks)"), "only after all"),
    ("5", _stream("    return [decode(list(ids), ranks)]"), "nobody reads a word"),
    (
        "5",
        _stream("""    for i in ids:
        print(decode([i], ranks))"""),
        "handed nothing to its caller",
    ),
    (
        "5",
        _stream("""    for i in ids:
        yield tokenizer.decode([i])"""),
        "that `ranks` has for the ids",
    ),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode("latin-1")"""),
        "who decodes them together",
    ),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode()"""),
        "stopped with UnicodeDecodeError",
    ),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    waiting = b""
    for i in ids:
        waiting += tokens[i]
        if text := waiting.decode(errors="ignore"):
            yield text
            waiting = bytes()"""),
        "characters are lost",
    ),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    waiting = b""
    for i in ids:
        waiting += tokens[i]
        text = waiting.decode(errors="replace")
        if text != "\\ufffd":
            yield text
            waiting = bytes()"""),
        "half a character was shown",
    ),
    (
        "5",
        _stream("""    tokens = {rank: token for token, rank in ranks.items()}
    waiting = b""
    for i in ids:
        waiting += tokens[i]
        if waiting.endswith(b" "):
            yield waiting.decode()
            waiting = b""
    yield waiting.decode()"""),
        "What holds it",
    ),
]
