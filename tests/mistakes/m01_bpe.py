"""What readers of chapter 01 may write, and words of the message that should meet them."""

MISTAKES = [
    (
        "1",
        """
abcde_tokens = ["ab", "cde"]
check.joined_by_rank(abcde_tokens)
""",
        "nobody looks for the fewest",
    ),
    (
        "1",
        """
abcde_tokens = ["ab", "cd", "e"]
check.joined_by_rank(abcde_tokens)
""",
        "from left to right",
    ),
    (
        "1",
        """
abcde_tokens = ["a", "bc", "d", "e"]
check.joined_by_rank(abcde_tokens)
""",
        "you stopped there",
    ),
    (
        "1",
        """
abcde_tokens = ["abcd", "e"]
check.joined_by_rank(abcde_tokens)
""",
        "not among the five tokens",
    ),
    (
        "1",
        """
abcde_tokens = "abcde"
check.joined_by_rank(abcde_tokens)
""",
        "as a list of texts",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    counts = count_pairs(pieces)
    return [token for token, count in counts.most_common(n_merges)]


check.recounting(learn)
""",
        "Your second merge is cd",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    for _ in range(n_merges):
        counts = count_pairs(pieces)
        merges.append(max(counts, key=counts.get))
    return merges


check.recounting(learn)
""",
        "bc was chosen twice",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    for _ in range(n_merges):
        counts = count_pairs(pieces)
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges


check.recounting(learn)
""",
        "when no pair is left",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        best = max(counts.values())
        token = [pair for pair in counts if counts[pair] == best][-1]
        merges.append(token)
        pieces = [_join(parts, token) for parts in pieces]
    return merges


check.recounting(learn)
""",
        "bc and cd both occur twice",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        token = max(counts, key=counts.get)
        pieces = [_join(parts, token) for parts in pieces]
        merges.append(token)


check.recounting(learn)
""",
        "should return the list",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    while counts := count_pairs(pieces):
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges


check.recounting(learn)
""",
        "2 merges were asked for",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    while len(merges) < n_merges and (counts := count_pairs(pieces)):
        merges.append(max(sorted(counts), key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges


check.recounting(learn)
""",
        "which of equals comes first",
    ),
    (
        "2",
        """
def learn(words, n_merges):
    pieces = [list(word) for word in words]
    merges = []
    while len(merges) < n_merges and max((counts := count_pairs(pieces)).values(), default=0) > 1:
        merges.append(max(counts, key=counts.get))
        pieces = [_join(parts, merges[-1]) for parts in pieces]
    return merges


check.recounting(learn)
""",
        "what ended your loop",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.lstrip("<").lstrip("s").lstrip(">")


check.mark_dropped(drop_begin)
""",
        "The end is safe now",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text[3:] if text.startswith("<") else text


check.mark_dropped(drop_begin)
""",
        "no mark to take away",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.lstrip("<s>")


check.mark_dropped(drop_begin)
""",
        "what of the front",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.replace("<s>", "")


check.mark_dropped(drop_begin)
""",
        "inside the text",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text[3:]


check.mark_dropped(drop_begin)
""",
        "no mark to take away",
    ),
    (
        "3",
        """
def drop_begin(text):
    while text.startswith("<s>"):
        text = text.removeprefix("<s>")
    return text


check.mark_dropped(drop_begin)
""",
        "Only one mark",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.replace("<s>", "", 1)


check.mark_dropped(drop_begin)
""",
        "inside the text",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text[3:] if "<s>" in text else text


check.mark_dropped(drop_begin)
""",
        "only one further on",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.removeprefix("<s>").removesuffix("<s>")


check.mark_dropped(drop_begin)
""",
        "inside the text",
    ),
    (
        "3",
        """
def drop_begin(text):
    return text.removeprefix("<s>").strip()


check.mark_dropped(drop_begin)
""",
        "Blanks are gone",
    ),
    (
        "4",
        """
three_tokens = ["ab", "cd", "abcd"]
check.out_of_reach(three_tokens)
""",
        "does reach it",
    ),
    (
        "4",
        """
three_tokens = ["bc", "ab", "abcd"]
check.out_of_reach(three_tokens)
""",
        "not the join of two tokens",
    ),
    (
        "4",
        """
three_tokens = ["vi", "ie", "iet", "viet"]
check.out_of_reach(three_tokens)
""",
        "three are enough",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode(errors="ignore")


check.streamed(stream)
""",
        "characters are lost",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    waiting = b""
    for i in ids:
        waiting += ranks[i]
        try:
            yield waiting.decode()
        except UnicodeDecodeError:
            continue
        waiting = b""


check.streamed(stream)
""",
        "from bytes to id",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    yield decode(list(ids), ranks)


check.streamed(stream)
""",
        "only after all",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    return [decode(list(ids), ranks)]


check.streamed(stream)
""",
        "nobody reads a word",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    for i in ids:
        print(decode([i], ranks))


check.streamed(stream)
""",
        "handed nothing to its caller",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode("latin-1")


check.streamed(stream)
""",
        "who decodes them together",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    tokens = {rank: token for token, rank in ranks.items()}
    for i in ids:
        yield tokens[i].decode()


check.streamed(stream)
""",
        "stopped with UnicodeDecodeError",
    ),
    (
        "5",
        """
def stream(ids, ranks):
    tokens = {rank: token for token, rank in ranks.items()}
    waiting = b""
    for i in ids:
        waiting += tokens[i]
        if waiting.endswith(b" "):
            yield waiting.decode()
            waiting = b""
    yield waiting.decode()


check.streamed(stream)
""",
        "What holds it",
    ),
]
