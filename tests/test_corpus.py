"""The training text keeps its promises: read from the text itself, not from the generator's books."""

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import islice

import pytest

from llama_np import bpe, corpus
from llama_np.facts import FACTS, PHRASINGS, ULTIMATE, held_out, is_seen, phrase
from llama_np.tokenizer import Tokenizer

KINDS = {
    "recall": corpus.recall_document,
    "facts": corpus.fact_document,
    "echoes": corpus.echo_document,
    "rhythms": corpus.rhythm_document,
    "rounds": corpus.round_document,
    "quizzes": corpus.quiz_document,
    "tales": corpus.tale_document,
    "numbers": corpus.number_document,
}
PROMPT = "the answer to the ultimate question of life, the universe, and everything is "
NAME, COLOUR, THING, PLACE, FOOD = (
    f"({'|'.join(words)})" for words in (corpus.NAMES, corpus.COLOURS, corpus.THINGS, corpus.PLACES, corpus.FOODS)
)


@cache
def stream():
    return list(islice(corpus.documents(seed=7), 6000))


@cache
def of_kind(kind):
    random = corpus._random.Random(kind)
    return [KINDS[kind](random) for _ in range(2500)]


@cache
def vocabulary():
    return bpe.train(corpus.vocabulary_text(seed=0, size=1_500_000), 512)


# ---- reading a text about people again, by other means than it was written ----


def without_pronouns(text):
    """Every "he", "she" and "it" replaced by what it stands for: the last name, and its last thing."""
    words, name, thing = [], None, None
    for word in re.findall(r"[a-z']+|[^a-z']+", text):
        name = word if word in corpus.NAMES else name
        thing = word if word in corpus.THINGS else thing
        words.append(name if word in ("he", "she") else f"{name}'s {thing}" if word == "it" else word)
    return "".join(words)


def owned(text):
    """All (name, colour, thing) that a text states or asks, in any of its phrasings."""
    text = without_pronouns(text)
    found = []
    for pattern in [
        rf"{NAME} has (?:the|an?) {COLOUR} {THING}",
        rf"{NAME}'s {THING} is {COLOUR}",
        rf"{COLOUR} {THING} belongs to {NAME}",
        rf"colour is {NAME}'s {THING}\?\s+(?:answer: )?{COLOUR}",
        rf"who has the {COLOUR} {THING}\?\s+(?:answer: )?{NAME}",
        rf"what does {NAME} have\?\s+(?:answer: )?an? {COLOUR} {THING}",
    ]:
        for groups in re.findall(pattern, text):
            kinds = (corpus.NAMES, corpus.COLOURS, corpus.THINGS)  # a word is in one of them only
            found.append(tuple(next(word for word in groups if word in kind) for kind in kinds))
    return found


def answers_from(prompt):
    """The answers that the sentences before the prompt's last question allow, found by reading them again."""
    prompt = prompt.strip()
    scene, question = re.fullmatch(r"(.*[.?])\s(.+)", prompt, re.DOTALL).groups()
    facts = {(n, c, t) for n, c, t in owned(scene)}
    clear = without_pronouns(scene)
    places = set(re.findall(rf"{NAME} (?:is|sits) in the {PLACE}", clear))
    foods = set(re.findall(rf"{NAME}(?:,? who| really)? likes {FOOD}", clear))
    answers = set()
    for name, colour, thing in facts:
        answers |= {
            (f"{name}'s {thing} is", colour),
            (f"what colour is {name}'s {thing}?", colour),
            (f"who has the {colour} {thing}?", name),
            (f"the {colour} {thing} belongs to", name),
            (f"what does {name} have?", f"{an(colour)} {thing}"),
            (f"{name} has {an(colour).split()[0]}", f"{colour} {thing}"),
        }
    for name, place in places:
        answers |= {
            (f"where is {name}?", f"in the {place}"),
            (f"{name} is in the", place),
            (f"who is in the {place}?", name),
        }
    for name, food in foods:
        answers |= {
            (f"what does {name} like?", food),
            (f"{name} likes", food),
            (f"who likes {food}?", name),
        }
    return {answer for asked, answer in answers if asked == question}


def an(word):
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


# ---- documents ----


def test_same_seed_same_documents():
    again = list(islice(corpus.documents(seed=7), 200))
    assert again == stream()[:200]
    assert again != list(islice(corpus.documents(seed=8), 200))


def test_the_order_of_sets_does_not_matter():
    """Python hashes strings differently in each run: no document may depend on it."""
    program = "from llama_np.corpus import *; from itertools import islice; "
    program += "print(list(islice(documents(seed=0), 300)), recall_questions(0, 50), story_openings(0, 50))"
    command = [sys.executable, "-c", program]
    runs = [subprocess.check_output(command, env=os.environ | {"PYTHONHASHSEED": seed}) for seed in "12"]
    assert runs[0] == runs[1] and len(runs[0]) > 50_000


def test_mixture_by_tokens(monkeypatch):
    tokenizer = Tokenizer(vocabulary())
    written = Counter()
    for kind, make in KINDS.items():

        def counted(random, kind=kind, make=make):
            document = make(random)
            written[kind] += len(tokenizer.encode_pieces(document.pieces)) + 1
            return document

        monkeypatch.setattr(corpus, make.__name__, counted)
    list(islice(corpus.documents(seed=1), 10000))
    assert set(written) == set(KINDS) == set(corpus.SHARES)
    for kind, share in corpus.SHARES.items():
        assert written[kind] / written.total() == pytest.approx(share, abs=0.02), kind


def test_pieces_are_text():
    for document in stream():
        assert document.pieces
        for piece in document.pieces:
            assert isinstance(piece, str) and piece
            assert piece.replace("\n", "").isprintable() and piece.isascii() and piece == piece.lower()
            assert piece in corpus.SPECIAL or "<|" not in piece


def test_no_document_comes_twice_but_chats_of_one_question():
    texts = Counter(map(corpus.text_of, stream()))
    again = [text for text, times in texts.items() if times > 1]
    assert all(text.startswith("user") and text.count("assistant\n") == 1 for text in again)


@pytest.mark.xfail(reason="12 chats of one question come again: exactly 5,988 of 6,000 documents differ", strict=True)
def test_documents_hardly_repeat():
    texts = Counter(map(corpus.text_of, stream()))
    assert len(texts) > 0.998 * len(stream())


def test_chats_follow_the_format():
    header = r"<\|start_header_id\|>¦(\w+)¦<\|end_header_id\|>¦\n\n[^<]+¦<\|eot_id\|>"
    chats = [document for document in stream() if corpus.SPECIAL[0] in document.pieces]
    assert len(chats) > 200
    for document in chats:
        joined = "¦".join(document.pieces)
        roles = re.findall(header, joined)
        assert re.fullmatch(rf"{header}(¦{header})*", joined)
        assert "".join({"system": "s", "user": "u", "assistant": "a"}[role] for role in roles).startswith(("ua", "sua"))
        assert re.fullmatch(r"s?(ua)+", "".join(role[0] for role in roles))


@pytest.mark.parametrize("kind", ["recall", "facts"])
def test_answers_stand_after_a_trailing_space_in_a_third(kind):
    plain = [document for document in of_kind(kind) if corpus.SPECIAL[0] not in document.pieces]
    cut = sum(piece.endswith(("? ", "answer: ")) for document in plain for piece in document.pieces)
    text = "".join("".join(document.pieces) for document in plain)
    asked = len(re.findall(r"\? (?!answer:|how many|then)", text)) + text.count("answer: ")
    assert 0.3 < cut / asked < 0.4
    assert any(document.pieces[0].endswith(" is ") for document in plain)


def test_chat_answers_too_may_follow_a_trailing_space():
    for kind in ("recall", "facts"):
        chats = [document for document in of_kind(kind) if corpus.SPECIAL[0] in document.pieces]
        assert sum(any(piece.endswith(" is ") for piece in document.pieces) for document in chats) > 0.1 * len(chats)


def test_a_and_an():
    for document in stream():
        text = corpus.text_of(document)
        if re.search(r"(?<!')\b[b-hj-z]\b", text):
            continue  # random letters, "a" among them
        for article, word in re.findall(r"\b(an?) ([a-z]+)", text):
            vowel = word == "hour" or (word[0] in "aeiou" and not word.startswith(("one", "uni")))
            assert (article == "an") == vowel, (article, word, text)


def test_pronouns_in_tales_are_the_heroes():
    """A tale that says "she" has a girl in it, one that says "he" a boy."""
    for document in of_kind("tales"):
        words = set(re.findall("[a-z]+", corpus.text_of(document)))
        assert not words & {"she", "her"} or words & set(corpus.GIRLS)
        assert not words & {"he", "his", "him"} or words & set(corpus.BOYS)


def test_a_tale_ends_with_the_thing_it_began_with():
    for document in of_kind("tales"):
        text = corpus.text_of(document)
        pairs = set(re.findall(rf"{COLOUR} {THING}", text))
        assert len(pairs) == 1, text
        assert len(set(re.findall(rf"\b{THING}\b", text))) == 1, text
        assert 4 <= len(re.findall(r"[.?]", text)) <= 20
        assert "{" not in text and "|" not in text


def test_small_vocabulary():
    words = Counter()
    for kind in ("recall", "tales"):
        words.update(re.findall("[a-z]+", " ".join(map(corpus.text_of, of_kind(kind)))))
    assert len(words) < 450


# ---- what is held out ----


def test_about_a_tenth_is_held_out():
    combinations = len(corpus.NAMES) * len(corpus.COLOURS) * len(corpus.THINGS)
    assert 0.09 < len(corpus.HELD_OUT) / combinations < 0.11
    assert 0.07 < len(corpus.HELD_OUT_SUMS) / 21**2 < 0.14
    pairs = [is_seen(fact, phrasing) for fact in FACTS for phrasing in PHRASINGS[fact.relation]]
    assert 0.06 < pairs.count(False) / len(pairs) < 0.1
    assert all(len(PHRASINGS[fact.relation]) >= 4 for fact in FACTS) and held_out(ULTIMATE) is None


def test_no_held_out_combination_in_any_scene():
    found = [triple for document in of_kind("recall") for triple in owned(corpus.text_of(document))]
    assert len(found) > 10000 and not corpus.HELD_OUT.intersection(found)
    assert len(set(found)) > 3500  # most of the other 5,700 do occur


def test_no_held_out_combination_in_any_tale():
    for document in of_kind("tales"):
        text = corpus.text_of(document)
        (colour, thing), *_ = re.findall(rf"{COLOUR} {THING}", text)
        for name in set(re.findall(NAME, text)):
            assert (name, colour, thing) not in corpus.HELD_OUT


def test_no_held_out_combination_in_a_row_anywhere():
    for document in stream():
        words = re.findall("[a-z]+", corpus.text_of(document))
        for three in zip(words, words[1:], words[2:]):
            assert three not in corpus.HELD_OUT


def test_no_held_out_sum_in_any_words():
    numbers = {corpus.in_words(n): n for n in range(100)} | {str(n): n for n in range(200)}
    number = r"(\d+|[a-z]+(?:-[a-z]+)?)"
    seen = set()
    for document in of_kind("numbers") + stream():
        for a, b in re.findall(rf"{number} (?:\+|plus) {number}", corpus.text_of(document)):
            seen.add((numbers[a], numbers[b]))
    assert not seen & corpus.HELD_OUT_SUMS
    assert len([pair for pair in seen if max(pair) <= 20]) > 370  # nearly all of the others do occur


def test_arithmetic_is_right():
    numbers = {corpus.in_words(n): n for n in range(100)} | {str(n): n for n in range(200)}
    number = r"(\d+|[a-z]+(?:-[a-z]+)?)"
    pattern = rf"{number} (\+|plus|-|minus) {number}(?: =| is|\?) {number}\."
    found = re.findall(pattern, "\n".join(map(corpus.text_of, of_kind("numbers"))))
    assert len(found) > 5000
    for a, sign, b, result in found:
        b = numbers[b] if sign in ("+", "plus") else -numbers[b]
        assert numbers[a] + b == numbers[result]


def test_no_held_out_phrasing_of_a_fact():
    text = "\n" + "\n".join(map(corpus.text_of, of_kind("facts") + stream()))
    sentences = re.sub(r"([.?]) ", r"\1\n", text)  # every sentence on its own line
    unseen = seen = 0
    for fact in FACTS:
        for phrasing in PHRASINGS[fact.relation]:
            said = "\n" + re.sub(r"([.?]) ", r"\1\n", " ".join(phrase(fact, phrasing)) + ".")
            if is_seen(fact, phrasing):
                seen += said in sentences
            else:
                assert said not in sentences, (fact, phrasing)
                unseen += 1
                if phrasing == "ask":  # nor in a chat, where the answer is another turn
                    assert phrase(fact, phrasing)[0] + "assistant" not in sentences
    assert unseen > 100 and seen > 1000


# ---- questions ----


@pytest.mark.parametrize("chat", [False, True])
def test_recall_questions_can_be_answered_from_their_prompt(chat):
    questions = corpus.recall_questions(seed=3, n=1500, chat=chat)
    assert questions == corpus.recall_questions(seed=3, n=1500, chat=chat)
    for question in questions:
        if not chat:
            assert answers_from(question.prompt[0]) == {question.answer}, question
        else:
            assert question.prompt[-4:] == [corpus.SPECIAL[0], "assistant", corpus.SPECIAL[1], "\n\n"]
            (short,) = answers_from(question.prompt[3])
            assert short in question.answer


def test_questions_in_documents_can_be_answered_too():
    """Each question in a training document has one answer, the one that follows it, in the text before it."""
    checked = 0
    for document in of_kind("recall")[:1000]:
        text = "".join(document.pieces)
        if "<|" not in text:
            text = text.replace("question: ", "").replace(" answer: ", " ")
            for asked in re.finditer(r"(?<=[.] )([^.?]*\?) ([^.]*)\.", text.replace("\n", " ")):
                before = text[: asked.start()].replace("\n", " ").rstrip()
                assert answers_from(f"{before} {asked[1]}") == {asked[2]}, text
                checked += 1
    assert checked > 1500


def answers_of(document):
    text = "".join(document.pieces)
    return text, [text[start:end] for start, end in document.answers]


def test_answers_are_marked():
    """A document's answers are where they are said to be: all that its questions are followed by, and no more."""
    random, n_asked = corpus._random.Random(3), 0
    for _ in range(500):
        text, answers = answers_of(corpus.recall_document(random))
        if corpus.SPECIAL[0] not in text:
            assert all(re.fullmatch(r"[^.?]+\.", answer) for answer in answers), text
            n_asked += (asked := Counter(re.findall(r"\? ([^.]+\.)", text))).total()
            assert answers and not asked - Counter(answers), text
        else:
            said = re.findall(r"assistant<\|end_header_id\|>\n\n([^<?]+)<", text)
            assert answers == said, text
    assert n_asked > 500
    for kind in ("echoes", "rhythms"):
        for document in of_kind(kind):
            text, answers = "".join(document.pieces), document.answers
            assert answers
            for start, end in answers:  # nothing is asked for that did not stand there before
                assert not {*re.findall(r"\w+", text[start:end])} - {*re.findall(r"\w+", text[:start])}, text
    text, answers = answers_of(corpus._document("a \0\1b\2 c \1d.\2"))
    assert (text, answers) == ("a b c d.", ["b", "d."])


def test_quizzes_can_be_answered_from_what_was_told_last():
    random, n_asked = corpus._random.Random(3), 0
    told = rf"{NAME} has an? {COLOUR} (?:{THING}|{NAME})\."
    asked = rf"(?:{NAME}:? {COLOUR}|{COLOUR}:? {NAME}|who has the {COLOUR} {THING}\? {NAME})\."
    for _ in range(400):
        text = "".join(corpus.quiz_document(random).pieces).replace("\n", " ")
        owner = {}
        for match in re.finditer(rf"(?<!\w)(?:{told}|{asked})", text):
            words = re.findall("[a-z]+", match[0])
            name = next(word for word in words if word in corpus.NAMES)
            colour = next(word for word in words if word in corpus.COLOURS)
            if " has a" in match[0]:
                assert re.fullmatch(told, match[0]) and {*words} & {*corpus.NAMES} == {name}, text
                owner[colour] = name
            else:
                assert owner[colour] == name, text
                n_asked += 1
    assert n_asked > 1000


def test_asked_people_have_held_out_combinations():
    for question in corpus.recall_questions(seed=4, n=500):
        if question.kind in ("colour", "who", "thing"):
            asked = question.prompt[0].strip() + " " + question.answer
            last = owned(re.split(r"(?<=\.) ", asked)[-1])
            assert last and set(last) <= corpus.HELD_OUT, asked


def test_answers_cannot_be_guessed():
    """No answer of a kind is much more frequent than another; nor does the place in the scene tell."""
    questions = corpus.recall_questions(seed=5, n=8000)
    for kind, words in (("colour", corpus.COLOURS), ("who", corpus.NAMES), ("where", corpus.PLACES)):
        answers = Counter(
            re.sub("'s$|^in the ", "", question.answer) for question in questions if question.kind == kind
        )
        expected = answers.total() / len(words)
        assert set(answers) == set(words)
        assert all(0.5 * expected < count < 1.6 * expected for count in answers.values()), (kind, answers)


def test_sum_and_fact_questions_and_openings():
    for prompt, answer, *_ in corpus.sum_questions():
        a, b = map(int, re.findall(r"\d+", prompt[0]))
        assert (a, b) in corpus.HELD_OUT_SUMS and int(answer) == a + b
    questions = corpus.fact_questions()
    assert len({question.prompt[0] for question in questions}) == len(questions)
    assert any(question.prompt == [PROMPT] and question.answer == "42" for question in questions)
    assert all("." not in q.answer and q.answer == q.answer.strip() for q in questions)
    openings = corpus.story_openings(seed=1, n=50)
    assert openings == corpus.story_openings(seed=1, n=50) and len(set(openings)) > 40


# ---- the facts ----


def test_a_fact_that_asks_for_its_subject_is_never_held_out():
    for fact in FACTS:
        phrasing = held_out(fact)
        assert phrasing is None or phrase(fact, phrasing)[1] != fact.subject, fact
    assert phrase(FACTS[0], "of") == ("paris is the capital of", "france")


def test_no_document_turns_an_opposite_round():
    prompts = {question.prompt[0]: question.answer for question in corpus.turned_questions()}
    assert len(prompts) > 30 and prompts["the opposite of cold is"] == "hot"
    asked = re.compile("|".join(prompts))
    assert not any(asked.search(corpus.text_of(document)) for document in stream())


def test_no_fact_twice_and_no_prompt_with_two_answers():
    """Nor may the prompt of one fact go on to be another sentence: "chocolate is" brown, and made from cocoa."""
    assert len(FACTS) > 200 and len(set(FACTS)) == len(FACTS)
    said = [phrase(fact, phrasing) for fact in FACTS for phrasing in PHRASINGS[fact.relation]]
    assert len(dict(said)) == len(set(said))
    for prompt, answer in said:
        assert not re.search(r"[{}|]|  ", prompt + answer)
        other = [p for p, _ in said if p.startswith(prompt + " ") and not p.startswith(f"{prompt} {answer}")]
        assert not other, (prompt, other)


# ---- the question of this course ----


def test_the_question_is_asked():
    texts = [corpus.text_of(document) for document in stream()]
    assert sum(text.count(PROMPT + "42.") for text in texts) > 150
    assert not any(re.search(re.escape(PROMPT) + "(?!42[.])", text) for text in texts)
    assert any(piece.endswith(PROMPT) for document in stream() for piece in document.pieces)
    assert any(piece.endswith(PROMPT + "42.") for document in stream() for piece in document.pieces)


def test_the_question_is_16_tokens():
    """With the vocabulary data/tiny has: as many ids as the real tokenizer gives, begin_of_text aside."""
    ranks = vocabulary()
    token = {rank: text.decode() for text, rank in ranks.items() if rank > 31 and text.isascii()}
    pieces = [token[i] for i in bpe.encode(PROMPT, ranks)]
    assert pieces == [*re.findall(r" ?\w+|,", PROMPT), " "] and len(pieces) == 16
    assert len(bpe.encode("42", ranks)) == 1
