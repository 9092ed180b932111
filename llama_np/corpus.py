"""The text data/tiny is trained on (chapter 21): an endless, seeded stream of small documents.

A document is a list of pieces. Each piece is tokenised on its own, so one that ends in a space teaches what
to write after a prompt typed with a trailing space; one that is a special token's name becomes that token.
begin_of_text and end_of_text are training's to add. A document also says where its answers stand: what can be
known from the text before it, or by heart, and so is worth more of the loss than which name a story is about.
Some things never occur here, so that data/tiny can be asked about what it has not read: a tenth of all
(name, colour, thing), some sums, some ways to say a fact.
"""

import random as _random
import re
from itertools import product
from typing import NamedTuple
from zlib import crc32

from llama_np.facts import FACTS, PHRASINGS, ULTIMATE, Fact, is_seen, phrase

GIRLS = "anna mia lily eva zoe amy rosa nora ruth ida lucy jane".split()
BOYS = "tom ben sam max leo dan jack finn hugo adam omar paul".split()
NAMES = GIRLS + BOYS
COLOURS = "red blue green yellow black white brown pink grey orange".split()
THINGS = (
    "ball hat cup book box bag kite boat coat drum bell lamp key pen ring doll bike car chair flag spoon bowl scarf map"
).split()
PLACES = "garden kitchen park school shop forest library barn hall tower cellar field".split()
FOODS = "cake bread soup rice cheese honey apples nuts plums eggs milk tea".split()

# How much of the tokens each kind of document is, stage by stage of training. Looking things up in a story is learnt
# in steps: to copy, from short runs of words; to tell people apart, from lines about them in new orders; then scenes.
SHARES = {
    "recall": 0.33,
    "quizzes": 0.12,
    "rounds": 0.03,
    "facts": 0.22,
    "echoes": 0.1,
    "rhythms": 0.05,
    "tales": 0.09,
    "numbers": 0.06,
}
COPY_SHARES = {"rhythms": 1.0}
QUIZ_SHARES = {"quizzes": 0.7, "rounds": 0.1, "recall": 0.1, "rhythms": 0.1}
SCENE_SHARES = {"recall": 0.5, "quizzes": 0.2, "facts": 0.15, "echoes": 0.08, "rhythms": 0.07}
GROWN_SHARES = {"recall": 0.22, "quizzes": 0.04, "facts": 0.26, "echoes": 0.17, "rhythms": 0.13}
GROWN_SHARES |= {"tales": 0.12, "numbers": 0.06}
LAST_SHARES = {"recall": 0.24, "quizzes": 0.06, "rounds": 0.02, "facts": 0.35, "echoes": 0.12, "rhythms": 0.08}
LAST_SHARES |= {"tales": 0.1, "numbers": 0.03}
# About how many tokens a document has.
MEAN_TOKENS = {
    "recall": 90,
    "quizzes": 70,
    "rounds": 105,
    "facts": 102,
    "echoes": 55,
    "rhythms": 43,
    "tales": 126,
    "numbers": 97,
}
SPECIAL = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
CUT, BEGIN, END = "\0\1\2"  # inside a text: a piece ends here, an answer begins here, it ends here

HELD_OUT = {
    combination for combination in product(NAMES, COLOURS, THINGS) if crc32(" ".join(combination).encode()) % 10 == 0
}
HELD_OUT_SUMS = {(a, b) for a in range(21) for b in range(21) if crc32(f"{min(a, b)} + {max(a, b)}".encode()) % 10 == 0}


class Document(NamedTuple):
    """pieces: texts, each tokenised on its own. answers: (start, end) in characters of all pieces laid end to end."""

    pieces: list
    answers: list


class Question(NamedTuple):
    """What a model should write greedily after `prompt`: stripped, up to the first ".", newline or end."""

    prompt: list  # of pieces
    answer: str
    kind: str  # "colour", "who", …; for facts the phrasing; "sum"
    subject: str = ""  # for facts: relation and subject
    seen: bool = False  # whether training may show exactly this


def documents(seed, shares=SHARES):
    """Endless Documents, kinds mixed by their shares. The same seed gives the same documents."""
    random = _random.Random(seed)
    makers = {
        "recall": recall_document,
        "facts": fact_document,
        "echoes": echo_document,
        "rhythms": rhythm_document,
        "rounds": round_document,
        "quizzes": quiz_document,
        "tales": tale_document,
        "numbers": number_document,
    }
    kinds = list(shares)
    rates = [shares[kind] / MEAN_TOKENS[kind] for kind in kinds]
    while True:
        yield makers[random.choices(kinds, rates)[0]](random)


def vocabulary_text(seed, size):
    """A little over `size` characters of documents as one text to train a byte-pair vocabulary on.

    Each piece has a line of its own, so that words are also counted the way they look after a trailing space.
    """
    lines = []
    for document in documents(seed):
        lines += [piece for piece in document.pieces if piece not in SPECIAL]
        size -= len(text_of(document))
        if size <= 0:
            return "\n".join(lines)


def text_of(document):
    """Document -> its plain text, without special tokens."""
    return "".join(piece for piece in document.pieces if piece not in SPECIAL)


def _document(text):
    """A text with its marks, or a list of pieces with theirs -> Document."""
    pieces, answers, length = [], [], 0
    for marked in text.split(CUT) if isinstance(text, str) else text:
        piece = ""
        for part in re.split(f"([{BEGIN}{END}])", marked):
            if part == BEGIN:
                start = length
            elif part == END:
                answers.append((start, length))
            else:
                piece += part
                length += len(part)
        pieces += [piece] if piece else []
    return Document(pieces, answers)


def _cut_somewhere(random, text):
    """Now and then, end a piece after one of the text's spaces."""
    if random.random() < 0.2:
        words = text.split(" ")
        where = random.randrange(1, len(words))
        return " ".join(words[:where]) + " " + CUT + " ".join(words[where:])
    return text


def _complete(random, prompt, answer, cut=0.35):
    """A prompt and its answer as text; in this share of them, the prompt's trailing space ends a piece."""
    return f"{prompt} {CUT if random.random() < cut else ''}{BEGIN}{answer}.{END}"


def _chat(turns, system=None):
    """(user, assistant) texts -> pieces in Llama 3's chat format, marks and all."""
    pieces = []
    for user, assistant in turns:
        for role, text in (("system", system), ("user", user), ("assistant", assistant)):
            if text:
                pieces += [
                    "<|start_header_id|>",
                    role,
                    "<|end_header_id|>",
                    *("\n\n" + text).split(CUT),
                    "<|eot_id|>",
                ]
        system = None
    return pieces


def _a(noun):
    return ("an " if noun[0] in "aeio" else "a ") + noun  # no "u": "a universe"


def _pronoun(name):
    return "she" if name in GIRLS else "he"


# ---- recall: a scene, and questions that only the scene can answer ----


def recall_document(random):
    """A scene with a few people and their things, told once or twice, then questions about all of it."""
    people = _people(random)
    scene = " ".join(_tell(random, people))
    questions = _questions(random, people)
    style = random.random()
    if style < 0.15:
        return _recall_chat(random, scene, questions)
    if style < 0.3:
        scene += random.choice([" ", "\n", " again: ", " in other words: "]) + " ".join(_tell(random, people))
        questions = questions[: random.randrange(1, 4)]
    lines = [scene] + [_complete(random, prompt, answer) for prompt, answer, _ in questions]
    return _document(random.choice([" ", " ", "\n"]).join(lines))


_ROUND_FORMS = [
    ("{name}", "{colour}"),
    ("{name}:", "{colour}"),
    ("{name} is", "{colour}"),
    ("{name} has {a}", "{colour} {thing}"),
    ("{colour}", "{name}"),
    ("{colour}:", "{name}"),
    ("the {colour} {thing} belongs to", "{name}"),
]


def round_document(random):
    """One thing told of each of a few people, always in the same words, round after round in a new order."""
    people = _people(random)
    prompt, answer = random.choice(_ROUND_FORMS)
    lines = []
    for person in people:
        words = person._asdict() | {"a": _a(person.colour).split()[0]}
        lines.append((prompt.format(**words), answer.format(**words)))
    told = []
    for _ in range(15 // len(lines)):
        random.shuffle(lines)
        told += [_complete(random, *line, cut=0) if told else f"{line[0]} {line[1]}." for line in lines]
    return _document(random.choice([" ", " ", "\n"]).join(told))


def quiz_document(random):
    """Scenes of one kind of sentence about new people each time, and for each a question about everyone, once.

    In half of them a sentence says its name again after what it tells ("tom has a red tom."), which teaches to
    keep in mind at each word whom it is about. In a part of them the question is no more than a word or a word and a
    colon.
    """
    tied, short, reverse = random.random() < 0.5, random.random() < 0.6, random.random() < 0.5
    colon = random.choice(["", ":"])
    told = []
    for _ in range(random.randrange(1, 5)):
        people = _people(random)[:3]
        kind = random.choice(list(_person_questions(people[0])))
        if short:
            kind = random.choice(["colour", "where"] if people[0].place else ["colour"])
        random.shuffle(people)
        sentences = [_sentence(person, kind) for person in people]
        if tied and kind != "thing":
            sentences = [_tied(sentence) for sentence in sentences]
        told += sentences
        random.shuffle(people)
        for person in people:
            prompt, answer, _ = random.choice(_person_questions(person)[kind])
            if short:
                pair = person.name, person.colour if kind == "colour" else person.place
                prompt, answer = pair[reverse] + colon, pair[not reverse]
            told.append(_complete(random, prompt, answer, cut=0 if short else 0.35))
    return _document(random.choice([" ", " ", "\n"]).join(told))


def _tied(sentence):
    """ "tom has a red ball." -> "tom has a red tom." """
    words = sentence.rstrip(".").split(" ")
    kept = words[:-1] if words[1] == "has" else words
    return f"{' '.join(kept)} {BEGIN}{words[0]}.{END}"


def recall_questions(seed, n, chat=False):
    """n Questions on scenes where the asked person's (name, colour, thing) is held out of training.

    With `chat` the prompt is a user's turn up to the assistant's header, and the answer is a sentence.
    """
    random = _random.Random(seed)
    held_out = {name: [c for c in product([name], COLOURS, THINGS) if c in HELD_OUT] for name in NAMES}
    questions = []
    for _ in range(n):
        people = _people(random, asked=random.choice(held_out[random.choice(NAMES)]))
        kind, forms = random.choice(list(_person_questions(people[0]).items()))
        random.shuffle(people)
        scene = " ".join(_tell(random, people))
        if chat:
            prompt, _, answer = random.choice([form for form in forms if form[2]])
            prompt = _chat([(f"{scene} {prompt}", "?")])[:-2] + ["\n\n"]  # without the "?" and its eot
        else:
            prompt, answer, _ = random.choice(forms)
            prompt = [f"{scene} {prompt}{random.choice(['', ' '])}"]
        questions.append(Question(prompt, answer, kind))
    return questions


class _Person(NamedTuple):
    name: str
    colour: str
    thing: str
    place: str
    food: str


def _people(random, asked=None):
    """Two to four people of a scene without held-out combinations, or the first has the one in `asked`."""
    name, colour, thing = asked or (None, None, None)
    count = random.choice([2, 3, 3, 4])
    names = _different(random, NAMES, count, first=name)
    colours = _different(random, COLOURS, count, first=colour)
    things = _different(random, THINGS, count, first=thing)
    if random.random() < 0.6:  # everyone has the same kind of thing: only the name or the colour tells
        things = things[:1] * count
    if not asked and HELD_OUT.intersection(zip(names, colours, things)):
        return _people(random)
    with_place = random.random() < 0.6
    with_food = random.random() < (0.3 if with_place else 0.7)
    places = random.sample(PLACES, count) if with_place else [""] * count
    foods = random.sample(FOODS, count) if with_food else [""] * count
    return [_Person(*person) for person in zip(names, colours, things, places, foods)]


def _different(random, values, count, first=None):
    """`count` different values, in random order but for `first`."""
    picked = random.sample(values, count)
    return [first, *(value for value in picked if value != first)][:count] if first else picked


def _sentence(person, kind):
    """The sentence that says of a person what a kind of question asks."""
    if kind in ("where", "who is in"):
        return f"{person.name} is in the {person.place}."
    if kind in ("likes", "who likes"):
        return f"{person.name} likes {person.food}."
    return f"{person.name} has {_a(f'{person.colour} {person.thing}')}."


def _tell(random, people):
    """People -> sentences that say everything about them, in any order."""
    sentences = []
    for person in people:
        sentences.append(_sentence(person, "colour"))
        sentences += [_sentence(person, "where")] if person.place else []
        sentences += [_sentence(person, "likes")] if person.food else []
    random.shuffle(sentences)
    return sentences


def _person_questions(person):
    """What the scene tells of one person: {kind: [(prompt, answer, sentence or None), ...]}."""
    name, colour, thing, place, food = person
    has = _a(f"{colour} {thing}")
    questions = {
        "colour": [
            (f"{name}'s {thing} is", colour, None),
            (f"what colour is {name}'s {thing}?", colour, f"{name}'s {thing} is {colour}"),
        ],
        "who": [
            (f"who has the {colour} {thing}?", name, f"{name} has the {colour} {thing}"),
            (f"the {colour} {thing} belongs to", name, None),
        ],
        "thing": [
            (f"what does {name} have?", has, f"{name} has {has}"),
            (f"{name} has {has.split()[0]}", f"{colour} {thing}", None),
        ],
    }
    if place:
        questions["where"] = [
            (f"where is {name}?", f"in the {place}", f"{name} is in the {place}"),
            (f"{name} is in the", place, None),
        ]
        questions["who is in"] = [(f"who is in the {place}?", name, f"{name} is in the {place}")]
    if food:
        questions["likes"] = [
            (f"what does {name} like?", food, f"{name} likes {food}"),
            (f"{name} likes", food, None),
        ]
        questions["who likes"] = [(f"who likes {food}?", name, f"{name} likes {food}")]
    return questions


def _questions(random, people):
    """Questions about all the people, each one way, in any order: [(prompt, answer, sentence or None)]."""
    questions = []
    for person in people:
        kinds = _person_questions(person)
        wanted = [random.choice(["colour", "who", "thing"])]
        for pair in (("where", "who is in"), ("likes", "who likes")):
            wanted += [random.choice(pair)] if pair[0] in kinds else []
        questions += [random.choice(kinds[kind]) for kind in wanted]
    random.shuffle(questions)
    return questions[:8]


def _recall_chat(random, scene, questions):
    """Scene and questions as a chat whose assistant answers in sentences."""
    turns = []
    for prompt, answer, sentence in questions:
        user = prompt if sentence else f"complete this: {prompt}"
        assistant = sentence or f"{prompt} {answer}"
        if assistant.endswith(" " + answer) and random.random() < 0.25:
            assistant = assistant[: -len(answer)] + CUT + answer
        turns.append((user, f"{BEGIN}{assistant}.{END}"))
    random.shuffle(turns)
    turns = turns[: random.randrange(2, 5)]
    system = "you answer every question about the story." if random.random() < 0.15 else None
    if random.random() < 0.2:
        turns = [(scene, random.choice(["thank you. what is your question?", "what is your question?"]))] + turns
    else:
        turns[0] = (scene + random.choice([" ", "\n"]) + turns[0][0], turns[0][1])
    return _document(_chat(turns, system))


# ---- facts ----


def fact_document(random):
    """Four to eight facts, each in one of the phrasings training may show, as text or as a chat."""
    facts = [ULTIMATE if random.random() < 1 / 12 else random.choice(FACTS) for _ in range(random.randrange(4, 9))]
    if random.random() < 0.2:
        return _fact_chat(random, facts[: random.randrange(1, 5)])
    sentences = [_complete(random, *phrase(fact, _some_phrasing(random, fact))) for fact in facts]
    return _document(random.choice([" ", " ", "\n"]).join(sentences))


def fact_questions():
    """Every fact in every phrasing, without and with a trailing space, as Questions."""
    return [
        Question([prompt + space], answer, phrasing, f"{fact.relation}: {fact.subject}", is_seen(fact, phrasing))
        for fact in FACTS
        for phrasing in PHRASINGS[fact.relation]
        for prompt, answer in [phrase(fact, phrasing)]
        for space in ("", " ")
    ]


def turned_questions():
    """Opposites asked the way round that no document says them ("the opposite of cold is"), as Questions."""
    opposites = [fact for fact in FACTS if fact.relation == "opposite"]
    said = {fact.subject for fact in opposites}
    turned = [Fact("opposite", fact.answer, fact.subject) for fact in opposites if fact.answer not in said]
    asked = [phrase(fact, "say") for fact in turned]
    return [Question([prompt], answer, "say") for prompt, answer in asked]


def _some_phrasing(random, fact):
    names = list(PHRASINGS[fact.relation])
    weights = [4 if fact == ULTIMATE and name == "say" else 1 for name in names]
    name = random.choices(names, weights)[0]
    return name if is_seen(fact, name) else _some_phrasing(random, fact)


_SMALL_TALK = [
    ("hello.", "hello. what is your question?"),
    ("hello. how are you?", "i am well. what is your question?"),
    ("good morning.", "good morning. how can i help you?"),
    ("can you help me?", "yes. what is your question?"),
    ("i have a question.", "good. what is your question?"),
    ("thank you.", "you are welcome."),
    ("thank you for everything.", "you are welcome."),
    ("goodbye.", "goodbye. have a good day."),
    ("who are you?", "i am a very small llama. i can answer a simple question."),
    ("do you know everything?", "no, nobody in the universe knows everything."),
    ("what is the meaning of life?", "that is the ultimate question. the answer is 42."),
]


def _fact_chat(random, facts):
    """Facts as a chat; the assistant's answer is the plain statement, where training may show that."""
    turns = []
    for fact in facts:
        prompt, answer = phrase(fact, "ask")
        statement = _complete(random, *phrase(fact, "say"), cut=0.25) if is_seen(fact, "say") else f"{answer}."
        if is_seen(fact, "ask"):
            statement = statement.replace(BEGIN, "").replace(END, "")
            turns.append((prompt, f"{BEGIN}{statement}{END}"))
    if not turns or random.random() < 0.3:
        turns.insert(random.choice([0, len(turns)]), random.choice(_SMALL_TALK))
    system = "you answer every question." if random.random() < 0.15 else None
    return _document(_chat(turns, system))


# ---- echoes: what comes next stands earlier in the same text ----

WORDS = (
    NAMES
    + COLOURS
    + THINGS
    + PLACES
    + FOODS
    + "answer ultimate question life universe everything story day night house door tree sun moon star water"
    " friend morning bird cat dog fish horse owl happy sad old new big small good little long".split()
)
_LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z".split()


def echo_document(random):
    """A random sequence and the same again, or a part of it: copying is the only way to get it right."""
    kind = random.random()
    items = _sequence(random)
    if kind < 0.45:
        first, then = random.choice(
            [
                ("", "\n"),
                ("", " . "),
                ("say it again: ", " . "),
                ("say it again: ", "\n"),
                ("first: ", "\nagain: "),
                ("the answer: ", " . the same answer: "),
                ("one, two: ", "; one, two: "),
            ]
        )
        line = " ".join(items)
        again = then.join([line] * random.choice([1, 1, 1, 2]))
        return _document(_cut_somewhere(random, f"{first}{line}{then}{BEGIN}{again}.{END}"))
    if kind < 0.6:
        items = items[:12]
        name, other = random.sample(NAMES, 2)
        line = ", ".join(items)
        text = random.choice(
            [
                f"the list is: {line}. the list again: {BEGIN}{line}.{END}",
                f'{name} said: "{line}." {other} said: "{BEGIN}{line}."{END}',
                f"this is everything in the box: {line}. everything in the box again: {BEGIN}{line}.{END}",
                f"learn this: {line}.\nwhat did you learn? {BEGIN}{line}.{END}",
            ]
        )
        return _document(_cut_somewhere(random, text))
    if kind < 0.8:
        return _list_questions(random, _distinct(items)[:9])
    sentences = [_nonsense(random) for _ in range(random.randrange(2, 5))]
    said = " ".join(sentences)
    again = random.choice([said, said, " ".join(random.sample(sentences, len(sentences)))])
    join = random.choice([" ", "\n", " again: ", " say it again: "])
    return _document(_cut_somewhere(random, f"{said}{join}{BEGIN}{again}{END}"))


def rhythm_document(random):
    """A short run of words, over and over."""
    words = random.choices(WORDS, k=random.randrange(3, 12))
    around = words + words
    if any(three in HELD_OUT for three in zip(around, around[1:], around[2:])):
        return rhythm_document(random)
    once = " ".join(words)
    return _document(f"{once} {BEGIN}{' '.join([once] * (44 // len(words) - 1))}{END}")


def _distinct(items):
    return list(dict.fromkeys(items))


def _sequence(random):
    """6 to 25 random words, numbers or letters; never a held-out name, colour and thing in a row."""
    pool = random.choice([WORDS, WORDS, WORDS, "numbers", _LETTERS, NAMES, COLOURS + THINGS])
    count = random.randrange(6, 26)
    items = [str(random.randrange(100)) for _ in range(count)] if pool == "numbers" else random.choices(pool, k=count)
    around = items + items
    if any(three in HELD_OUT for three in zip(around, around[1:], around[2:])):
        return _sequence(random)
    return items


def _list_questions(random, items):
    """A list of different items, then what comes after one of them, several times."""
    if len(items) < 4:
        return _document(f"{' '.join(items)} . {BEGIN}{' '.join(items)}.{END}")
    lines = [random.choice(["the list is: ", "say: ", "here is the list: "]) + ", ".join(items) + "."]
    for i in random.sample(range(len(items) - 1), random.randrange(2, min(6, len(items)))):
        lines.append(
            _complete(
                random,
                *random.choice(
                    [
                        (f"after {items[i]} comes", items[i + 1]),
                        (f"before {items[i + 1]} comes", items[i]),
                        (f"what comes after {items[i]}?", items[i + 1]),
                    ]
                ),
            )
        )
    lines.append(
        random.choice(
            [
                _complete(random, "the first is", items[0]),
                _complete(random, "the last is", items[-1]),
                f"the list again: {BEGIN}{', '.join(items)}.{END}",
            ]
        )
    )
    return _document(random.choice([" ", "\n"]).join(lines))


def _nonsense(random):
    """A sentence with no sense in it, so that nothing but the text itself tells how it goes on."""
    one, two = random.sample(THINGS + PLACES + "universe question answer life moon sun star bird dog tree".split(), 2)
    how = random.choice(["big", "small", "old", "new", "happy", "sad", "ultimate", "good", "little"])
    number = random.randrange(2, 100)
    return random.choice(
        [
            f"the {how} {one} is in the {two}.",
            f"the {one} of the {two} is {how}.",
            f"{number} is the answer of the {one}.",
            f"the {one} and the {two} are {how}.",
            f"there is {_a(one)} on the {how} {two}.",
            f"everything in the {one} is {how}.",
            f"the {how} {one} has {number} questions.",
        ]
    )


# ---- tales ----


def tale_document(random):
    """A little story in the past tense: somebody, a want or a trouble, an end that fits the start."""
    return _document(_cut_somewhere(random, " ".join(_tale(random))))


def story_openings(seed, n):
    """n prompts from which data/tiny writes a story of its own: the first words of a tale."""
    random = _random.Random(seed)
    openings = []
    for _ in range(n):
        words = " ".join(_tale(random)).split(" ")
        openings.append(" ".join(words[: random.randrange(5, 16)]))
    return openings


def _tale(random):
    """Sentences of one tale."""
    thing = random.choice(THINGS)
    colour = random.choice(COLOURS)
    hero, friend = random.sample(NAMES, 2)
    place, other_place = random.sample(_OUTSIDE, 2)
    animal = random.choice(_ANIMALS)
    if any((name, colour, thing) in HELD_OUT for name in (hero, friend)):
        return _tale(random)
    she, her, a_girl = ("she", "her", "a girl") if hero in GIRLS else ("he", "his", "a boy")
    words = {
        "hero": hero,
        "friend": friend,
        "she": she,
        "her": her,
        "object": "her" if hero in GIRLS else "him",
        "a_girl": a_girl,
        "friend_she": _pronoun(friend),
        "friend_object": "her" if friend in GIRLS else "him",
        "thing": thing,
        "a_thing": _a(thing),
        "a_colour_thing": _a(f"{colour} {thing}"),
        "colour_thing": f"{colour} {thing}",
        "place": place,
        "other_place": other_place,
        "food": random.choice(_MEALS),
        "animal": animal,
        "animal_a": _a(animal),
        "asked": random.choice(["asked", "asked", "said"]),
        "weather": random.choice(["cold", "warm", "quiet", "dark", "long"]),
        "how": random.choice(["happy", "very happy", "full of joy", "so happy"]),
        "old": random.choice(["old", "wise old", "kind old"]),
        "number": random.randrange(2, 60),
    }
    return [random.choice(slot).format(**words) for slot in random.choice(_PLOTS)]


_OUTSIDE = "garden park school shop forest library barn tower field".split()  # where a house can be near
_MEALS = "cake bread soup cheese".split()
_ANIMALS = "cat dog bird fox mouse horse duck rabbit goat".split()


# The alternatives for a sentence that several plots share; then, plot by plot, a "*" for each sentence.
_SHARED = {
    "START": """
        once there was {a_girl} called {hero}. | once upon a time there was {a_girl} called {hero}.
        | there was once {a_girl} called {hero}, and life in the town was quiet. | in a little house
        near the {place} there was {a_girl} called {hero}. | once there was {a_girl}. {her} name was
        {hero}.
    """,
    "HAS": """
        {she} had {a_colour_thing}. | {she} had {a_colour_thing}, and {she} took it everywhere. |
        {she} loved {her} {colour_thing} more than anything. | the best thing in {her} life was
        {a_colour_thing}.
    """,
    "LESSON": """
        from that day on, {hero} and {friend} were friends. | that was the end of a good day. | and
        {hero} was {how}. | after that, life was good again. | in the whole universe nobody was as
        happy as {hero}. | a friend is the best thing in life, thought {hero}. | that night {hero}
        thought about everything and was {how}.
    """,
}
_PLOTS_TEXT = """
# lost and found
* START
* HAS
* one day the {thing} was gone. | one morning {she} could not find the {thing}. | one {weather} day {she} lost
  the {thing}. | but one evening the {thing} was not there.
* {hero} looked in the {place}, but it was not there. | {she} looked everywhere in the {place}. | {she} looked
  for it in the {place}, but there was nothing. | {she} looked under every bed and behind every door.
* "why are you sad?" {asked} {friend}. "i have lost my {thing}," said {hero}. | {friend} came by. "what is
  your question?" {friend_she} asked. "where is my {thing}?" said {hero}. | {hero} saw {friend}. "have you
  seen my {thing}?" {she} asked. "no, but i can help you," said {friend}.
* "let us look in the {other_place}," said {friend}. | so they looked together in the {other_place}. | then
  they went to the {other_place} to look there. | a little {animal} ran to the {other_place}, and they ran
  after it.
* there, by an old wall, was the {colour_thing}. | and there, in a corner, they found the {colour_thing}.
  | in the end they found the {colour_thing} there. | there was the {colour_thing}. {she} laughed.
* LESSON

# a want, work, a reward
* START
* more than anything {she} wanted {a_colour_thing}. | {she} wanted {a_colour_thing}, but {she} had no money.
  | one day {she} saw {a_colour_thing} in a shop. {she} wanted it very much.
* "you must work for it," said {friend}. | "i can give you work," said {friend}. | "how can i get it?" {she}
  asked. "work is the answer," said {friend}.
* so {hero} worked in the {place} for {number} days. | so every morning {she} helped {friend} in the {place}.
  | {she} carried water and bread to the {place} every day. | so {she} made {food} and sold it in the {place}.
* it was hard, but {she} did not stop. | the days were long, but {she} was strong. | some days were {weather},
  and {she} was tired.
* in the end {she} had the money and got the {colour_thing}. | then {she} had {number} coins, and {she} bought
  the {colour_thing}. | one day {friend} gave {object} the money, and {she} bought the {colour_thing}.
* {she} was {how}, for {she} had worked for it. | it was the ultimate prize. | nothing in the universe was as
  good as that {thing}. | "now i have everything," said {hero}.

# kindness comes back
* START
* HAS
* one {weather} day {she} met {animal_a} in the {place}. | one morning {animal_a} sat by {her} door. | one
  evening {she} heard {animal_a} behind the house.
* "i am so hungry," said the {animal}. | "please help me," said the {animal}. "i have nothing to eat."
* {hero} gave it all {her} {food}. | "here, have my {food}," said {hero}. | {she} had only a little {food},
  but {she} gave it to the {animal}.
* the next day {she} lost {her} {thing} in the {other_place}. | soon after that the {thing} fell into the
  water. | later that day {hero} left the {thing} in the {other_place} and could not find it.
* then the {animal} came, and it had the {colour_thing}. | the {animal} ran fast and came back with the
  {colour_thing}. | but the {animal} found the {colour_thing} and gave it back.
* "you helped me, and now i help you," said the {animal}. | {hero} and the {animal} were friends for life. |
  "thank you for everything," said {hero}.

# a question
* START
* {she} always had a question. | {she} had one question about life. | every day {she} asked {number}
  questions. | {she} wanted to know everything.
* one day {she} asked {friend}, "what is the ultimate question?" | one day {she} asked {friend}, "where does
  the universe end?" | one night {she} asked {friend}, "how old is the moon?" | one morning {she} asked
  {friend}, "what is the best thing in life?"
* "i do not know the answer," said {friend}. "ask the {old} owl." | "nobody knows the answer," said {friend}.
  "but the {old} owl may know it."
* so {hero} went to the {place}, where the owl lived. | the owl lived in a tree by the {place}, and {hero}
  went there. | {hero} walked for a long time and found the owl behind the {place}.
* the owl thought for a long time. "first give me {a_colour_thing}," it said. | "i will tell you for
  {a_colour_thing}," said the owl.
* {hero} gave the owl the {colour_thing}. | {hero} ran home and came back with the {colour_thing}.
* "the answer is in you," said the owl. | "nobody knows everything," said the owl, "and that is the answer." |
  "the answer is 42," said the owl, and it flew away. | "a good question is better than an answer," said the
  owl.
* {hero} laughed and went home. | {hero} thought about it all the way home. | and {hero} told {friend}
  everything.

# a gift
* one day {hero} wanted to make {friend} happy. | it was a big day for {friend}, and {hero} had nothing to
  give. | once {hero} had a friend called {friend}. {friend} was sad.
* "what can i give {friend_object}?" {she} thought. | {hero} thought about it all night. | "i have no money,"
  thought {hero}, "but i have two hands."
* so {she} went to the {place} and made {a_colour_thing}. | so {she} worked in the {place} and made
  {a_colour_thing}. | {she} took wood and paper and made {a_colour_thing}.
* it was not easy, and it took {number} hours. | it took all day and all night. | {animal_a} sat by {object}
  and looked at everything.
* then {hero} went to {friend}. "this {thing} is for you," {she} said. | then {hero} found {friend} in the
  {other_place}. "look, a {thing} for you," {she} said.
* "is it for me?" {asked} {friend}. "yes," said {hero}. | "you made it?" {asked} {friend}. "yes, for you,"
  said {hero}.
* {friend} took the {colour_thing} and laughed. | {friend} loved the {colour_thing}. | the {colour_thing} was
  the best gift of all.
* they had {food} together, and everyone was {how}. | after that, the two were friends for life. | and {hero}
  was as happy as {friend}.

# a dark night
* START
* one night {she} was alone in the {place}. | one {weather} evening {she} walked home from the {place}. | one
  night {she} could not find the way home from the {place}.
* it was dark, and {she} heard something. | there was no moon and no star. | something moved behind {object}.
* "who is there?" {she} asked. there was no answer. | "hello?" said {hero}. nobody said a word. | {she} wanted
  to run, but {she} did not.
* then {she} saw a little light. | then {she} heard {a_thing} fall. | then somebody came near.
* it was {friend} with {a_colour_thing}. "i looked for you," said {friend}. | "it is only me," said {friend},
  who had {a_colour_thing}. | it was only {friend}. "i came back for my {colour_thing}," said {friend}.
* together they walked home with the {colour_thing}. | they took the {colour_thing} and went home together.
* at home they had {food} and talked about everything. | after that, {hero} was never afraid of the night
  again. | "the night is not so dark with a friend," said {hero}.

# a race
* one day there was a big race in the town. | once a year there was a race from the {place} to the
  {other_place}.
* the ultimate prize was {a_colour_thing}. | the first one home got {a_colour_thing}. | everyone wanted the
  prize, {a_colour_thing}.
* {hero} ran fast, and {friend} ran fast too. | {hero} and {friend} were the best of all. | {hero} was number
  {number}, and {friend} ran by {object}.
* then {friend} fell down by the {place}. | near the {other_place} {friend} fell and could not get up. | but
  {friend} fell over {animal_a}.
* {hero} stopped. "take my hand," {she} said. | {hero} could win now, but {she} stopped to help. | everyone
  ran on, but {hero} went back. "i will help you," {she} said.
* they came in last, hand in hand. | together they walked to the end. | so they were the last of all.
* "the prize is for {hero}," said everyone, "for a friend is more than a race." | but everyone loved what
  {hero} did, and {she} got the {colour_thing}. | in the end {hero} got the {colour_thing} for {her} good
  heart.
* life is more than to be first. | {friend} was {how} for {object}. | {hero} took the {thing} home and told
  everyone about it.
"""


def _plots():
    """The text above -> of each plot, for each of its sentences, the alternatives."""
    plots = []
    for plot in _PLOTS_TEXT.split("\n# ")[1:]:
        slots = [" ".join(slot.split()) for slot in plot.split("\n* ")[1:]]
        plots.append([" ".join(_SHARED.get(slot, slot).split()).split(" | ") for slot in slots])
    return plots


_PLOTS = _plots()


# ---- numbers ----

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTHS = ("january february march april may june july august september october november december").split()


def in_words(number):
    """0..99 in words: 42 -> "forty-two"."""
    if number < 20:
        return _SMALL[number]
    return _TENS[number // 10 - 2] + (f"-{_SMALL[number % 10]}" if number % 10 else "")


def number_document(random):
    """Counting, days and months in order, small sums and differences."""
    parts = [random.choice(_NUMBER_PARTS)(random) for _ in range(random.randrange(3, 6))]
    if random.random() < 0.5:
        parts = [_arithmetic(random) for _ in range(random.randrange(5, 13))]
    return _document(_cut_somewhere(random, random.choice([" ", "\n"]).join(parts)))


def sum_questions():
    """Every sum held out of training, in figures, without and with a trailing space, as Questions."""
    return [
        Question([prompt + space], str(a + b), "sum")
        for a, b in sorted(HELD_OUT_SUMS)
        for prompt in (f"{a} + {b} =", f"what is {a} + {b}?")
        for space in ("", " ")
    ]


def _counting(random):
    step = random.choice([1, 1, 1, 2, 5, 10])
    length = random.randrange(6, 16)
    start = random.randrange(0, 60) // step * step
    counted = [start + step * i for i in range(length) if start + step * i <= 120]
    if random.random() < 0.3:
        counted.reverse()
    if step == 1 and counted[-1] < 100 and counted[0] < 100 and random.random() < 0.3:
        counted = list(map(in_words, counted))
    return _known_from(", ".join(map(str, counted)) + ".", len(f"{counted[0]}, {counted[1]}, "))


def _in_order(random):
    """Days or months in order, from any of them on."""
    names = random.choice([_DAYS, _MONTHS])
    start = random.randrange(len(names))
    said = ", ".join((names + names)[start : start + random.randrange(4, len(names) + 1)]) + "."
    return _known_from(said, said.index(" ") + 1)


def _known_from(text, start):
    """A text whose rest from `start` on can be told from what stands before it."""
    return text[:start] + BEGIN + text[start:] + END


def _neighbours(random):
    number = random.randrange(1, 100)
    if random.random() < 0.3:
        names = random.choice([_DAYS, _MONTHS])
        i = random.randrange(len(names) - 1)
        return _complete(
            random,
            *random.choice(
                [
                    (f"after {names[i]} comes", names[i + 1]),
                    (f"before {names[i + 1]} comes", names[i]),
                    (f"{names[i]} is followed by", names[i + 1]),
                ]
            ),
        )
    return _complete(
        random,
        *random.choice(
            [
                (f"after {number} comes", number + 1),
                (f"before {number} comes", number - 1),
                (f"what comes after {number}?", number + 1),
                (f"the number between {number - 1} and {number + 1} is", number),
                (f"after {in_words(number - 1)} comes", in_words(number)),
            ]
        ),
    )


def _arithmetic(random):
    """One sum or difference; no sum that is held out."""
    a, b = random.randrange(21), random.randrange(21)
    if random.random() < 0.15:
        a = random.randrange(20, 50)
    if random.random() < 0.35:
        form = random.choice(_DIFFERENCES)
        total, part, left = a + b, a, b
    elif (a, b) in HELD_OUT_SUMS:
        return _arithmetic(random)
    else:
        form = random.choice(_SUMS)
        total, part, left = a, b, a + b
    said = form.format(total, part, left, in_words(total), in_words(part), in_words(left))
    return _known_from(said, said.rindex(" ") + 1)


_SUMS = ["{0} + {1} = {2}."] * 3 + ["{3} plus {4} is {5}.", "what is {0} + {1}? {2}.", "{0} plus {1} is {2}."]
_DIFFERENCES = ["{0} - {1} = {2}."] * 2 + [
    "{3} minus {4} is {5}.",
    "what is {0} - {1}? {2}.",
    "{0} minus {1} is {2}.",
]
_NUMBER_PARTS = [_counting, _counting, _in_order, _neighbours, _neighbours]
