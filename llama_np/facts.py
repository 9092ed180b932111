"""The plain facts that data/tiny is taught, and the phrasings they come in (chapter 21 trains on them).

A fact is a relation, a subject and an answer; a phrasing is a prompt and what completes it. A few (fact,
phrasing) pairs never occur in training: a model that completes those has learned the fact and not the string.
There is no world knowledge beyond these lists: what is not here, data/tiny does not know.
"""

from typing import NamedTuple
from zlib import crc32


class Fact(NamedTuple):
    relation: str
    subject: str
    answer: str


# One line of "subject = answer; subject = answer" after another, by relation.
_TABLE = {
    "capital": """
        france = paris; italy = rome; spain = madrid; germany = berlin; japan = tokyo; egypt = cairo; greece =
        athens; russia = moscow; china = beijing; cuba = havana; peru = lima; norway = oslo; sweden =
        stockholm; poland = warsaw; austria = vienna; portugal = lisbon; ireland = dublin; canada = ottawa;
        kenya = nairobi; england = london; finland = helsinki; hungary = budapest; turkey = ankara; chile =
        santiago; scotland = edinburgh; wales = cardiff
    """,
    "continent": """
        france = europe; spain = europe; poland = europe; sweden = europe; japan = asia; china = asia; india =
        asia; egypt = africa; kenya = africa; ghana = africa; peru = south america; chile = south america;
        brazil = south america; canada = north america; mexico = north america
    """,
    "language": """
        france = french; spain = spanish; germany = german; italy = italian; japan = japanese; brazil =
        portuguese; china = chinese; russia = russian; greece = greek; poland = polish; mexico = spanish;
        sweden = swedish; england = english; hungary = hungarian
    """,
    "colour": """
        grass = green; snow = white; blood = red; the clear sky = blue; coal = black; a lemon = yellow;
        wood = brown; milk = white; a ripe banana = yellow; a carrot = orange; an elephant = grey; a crow
        = black; a polar bear = white; a flamingo = pink; an emerald = green; a ruby = red; a ripe strawberry
        = red; salt = white; a pumpkin = orange; soot = black; spinach = green
    """,
    "sound": """
        a dog = woof; a cat = meow; a cow = moo; a sheep = baa; a duck = quack; a pig = oink; an owl = hoot; a
        bee = buzz; a snake = hiss; a frog = croak; a mouse = squeak; a crow = caw; a turkey = gobble; a horse
        = neigh; a lion = roar; a chick = cheep
    """,
    "baby": """
        a dog = a puppy; a cat = a kitten; a cow = a calf; a horse = a foal; a sheep = a lamb; a goat = a kid;
        a pig = a piglet; a duck = a duckling; a goose = a gosling; a swan = a cygnet; a bear = a cub; a deer
        = a fawn; a hen = a chick; a frog = a tadpole; a kangaroo = a joey; an owl = an owlet; an eagle = an
        eaglet
    """,
    "opposite": """
        hot = cold; big = small; up = down; in = out; day = night; black = white; good = bad; fast = slow;
        high = low; open = closed; wet = dry; happy = sad; dark = light; early = late; full = empty; long =
        short; hard = soft; rich = poor; strong = weak; left = right; first = last; true = false; yes = no;
        north = south; east = west; love = hate; near = far; war = peace; summer = winter; top = bottom;
        inside = outside; loud = quiet; thick = thin; wide = narrow; clean = dirty; deep = shallow; life =
        death; everything = nothing
    """,
    "material": """
        bread = flour; cheese = milk; butter = cream; glass = sand; paper = wood; wine = grapes; a candle =
        wax; a brick = clay; jam = fruit; chocolate = cocoa; an omelette = eggs; a snowman = snow; ice = water
    """,
    "count": """
        legs: a dog = four; legs: a cat = four; legs: a horse = four; legs: a bird = two; legs: a spider =
        eight; legs: an ant = six; legs: a bee = six; legs: a fly = six; legs: a crab = ten; days: a week =
        seven; months: a year = twelve; minutes: an hour = sixty; seconds: a minute = sixty; hours: a day =
        twenty-four; sides: a triangle = three; sides: a square = four; sides: a hexagon = six; wheels: a
        bicycle = two; wheels: a tricycle = three; strings: a violin = four; years: a decade = ten; years: a
        century = one hundred; planets: the solar system = eight; arms: an octopus = eight
    """,
    "day after": """
        monday = tuesday; tuesday = wednesday; wednesday = thursday; thursday = friday; friday = saturday;
        saturday = sunday; sunday = monday
    """,
    "month after": """
        january = february; february = march; march = april; april = may; may = june; june = july; july =
        august; august = september; september = october; october = november; november = december; december =
        january
    """,
    "product": """
        bees = honey; cows = milk; spiders = webs; bakers = bread; silkworms = silk; oysters = pearls; birds =
        nests; beavers = dams; shoemakers = shoes; tailors = clothes; poets = poems; painters = paintings
    """,
    "workplace": """
        a teacher = a school; a doctor = a hospital; a baker = a bakery; a judge = a court; a cook = a
        kitchen; a librarian = a library; a priest = a church; an actor = a theatre; a miner = a mine; a
        gardener = a garden
    """,
    "home": """
        a bee = a hive; a bird = a nest; a horse = a stable; a pig = a sty; a rabbit = a burrow; a bear = a
        den; a monk = a monastery
    """,
    "sense": "see = eyes; hear = ears; smell = nose; taste = tongue; think = brain; bite = teeth",
    "tool": """
        to open a lock = a key; to tell the time = a clock; to dig a hole = a spade; to sweep the floor = a
        broom; to hit a nail = a hammer; to eat soup = a spoon; to cut bread = a knife; to cut wood = a saw;
        to sew a shirt = a needle; to stay dry in the rain = an umbrella
    """,
    "name": """
        the largest planet = jupiter; the planet nearest to the sun = mercury; the red planet = mars; the
        largest ocean = the pacific; the highest mountain on earth = mount everest; the largest animal = the
        blue whale; the tallest animal = the giraffe; the largest land animal = the elephant; the fastest land
        animal = the cheetah; the first month of the year = january; the last month of the year = december;
        the star nearest to the earth = the sun; the force that makes things fall = gravity; the hardest
        natural mineral = diamond; the smallest country in the world = vatican city
    """,
    "ultimate": "the answer to the ultimate question of life, the universe, and everything = 42",
}

# Relation -> phrasing -> "prompt | what completes it". "say" is the plain statement, "ask" the plain question
# (chat pairs them); "exam" is made from "ask" below. No prompt may have two answers.
PHRASINGS = {
    "capital": {
        "say": "the capital of {subject} is | {answer}",
        "ask": "what is the capital of {subject}? | {answer}",
        "has": "{subject} has a capital called | {answer}",
        "of": "{answer} is the capital of | {subject}",
        "see": "when you are in {subject}, go and see the capital, | {answer}",
    },
    "continent": {
        "say": "{subject} is a country in | {answer}",
        "ask": "which continent is {subject} in? | {answer}",
        "lies": "{subject} lies in | {answer}",
        "part": "{subject} is a part of | {answer}",
        "go": "if you go to {subject}, you go to | {answer}",
    },
    "language": {
        "say": "people in {subject} speak | {answer}",
        "ask": "what do people speak in {subject}? | {answer}",
        "of": "the language of {subject} is | {answer}",
        "learn": "before you go to {subject}, learn some | {answer}",
        "school": "children in {subject} read and write | {answer}",
    },
    "colour": {
        "say": "{subject} is | {answer}",
        "ask": "what colour is {subject}? | {answer}",
        "of": "the colour of {subject} is | {answer}",
        "paint": "if you paint {subject}, paint it | {answer}",
        "has": "{subject} has the colour | {answer}",
    },
    "sound": {
        "say": "{subject} says | {answer}",
        "ask": "what does {subject} say? | {answer}",
        "of": "the sound of {subject} is | {answer}",
        "hear": "when you hear {subject}, you hear | {answer}",
        "who": "the animal that says {answer} is | {subject}",
    },
    "baby": {
        "say": "the baby of {subject} is called | {answer}",
        "ask": "what is the baby of {subject} called? | {answer}",
        "once": "{subject} was once | {answer}",
        "before": "before it was {subject}, it was | {answer}",
        "grow": "{answer} grows up to be | {subject}",
    },
    "opposite": {
        "say": "the opposite of {subject} is | {answer}",
        "ask": "what is the opposite of {subject}? | {answer}",
        "word": "the word that means the opposite of {subject} is | {answer}",
        "turn": "turn {subject} around and you get | {answer}",
        "if": "if {subject} is one end, the other end is | {answer}",
    },
    "material": {
        "say": "{subject} is made from | {answer}",
        "ask": "what is {subject} made from? | {answer}",
        "need": "to make {subject}, you need | {answer}",
        "was": "before it was {subject}, it was | {answer}",
        "thing": "the thing you make {subject} from is | {answer}",
    },
    "count": {
        "say": "{where} has | {answer} {what}",
        "ask": "how many {what} does {where} have? | {answer}",
        "number": "the number of {what} of {where} is | {answer}",
        "count": "count the {what} of {where} and you get | {answer}",
        "think": "think of {where}. how many {what} does it have? | {answer}",
    },
    "day after": {
        "say": "the day after {subject} is | {answer}",
        "ask": "which day comes after {subject}? | {answer}",
        "if": "if today is {subject}, tomorrow is | {answer}",
        "follow": "the day that follows {subject} is | {answer}",
        "before": "the day before {answer} is | {subject}",
    },
    "month after": {
        "say": "the month after {subject} is | {answer}",
        "ask": "which month comes after {subject}? | {answer}",
        "end": "when {subject} ends, the next month is | {answer}",
        "follow": "the month that follows {subject} is | {answer}",
        "before": "the month before {answer} is | {subject}",
    },
    "product": {
        "say": "{subject} make | {answer}",
        "ask": "what do {subject} make? | {answer}",
        "know": "everyone knows that {subject} make | {answer}",
        "work": "it is the work of {subject} to make | {answer}",
        "want": "if you want {answer}, you need | {subject}",
    },
    "workplace": {
        "say": "{subject} works in | {answer}",
        "ask": "where does {subject} work? | {answer}",
        "find": "if you need {subject}, go to | {answer}",
        "of": "the place of work of {subject} is | {answer}",
        "who": "a person who works in {answer} may be | {subject}",
    },
    "home": {
        "say": "{subject} lives in | {answer}",
        "ask": "where does {subject} live? | {answer}",
        "of": "the home of {subject} is | {answer}",
        "sleep": "at night {subject} sleeps in | {answer}",
        "who": "{answer} is the home of | {subject}",
    },
    "sense": {
        "say": "we {subject} with our | {answer}",
        "ask": "what do we use to {subject}? | our {answer}",
        "need": "when you {subject}, you need your | {answer}",
        "with": "to {subject}, you use your | {answer}",
        "no": "you cannot {subject} without your | {answer}",
    },
    "tool": {
        "say": "{subject} you need | {answer}",
        "ask": "what do you need {subject}? | {answer}",
        "best": "the best thing {subject} is | {answer}",
        "use": "people use one thing {subject}: | {answer}",
        "take": "if you want {subject}, take | {answer}",
    },
    "name": {
        "say": "{subject} is | {answer}",
        "ask": "what is {subject}? | {answer}",
        "know": "everyone knows what {subject} is. it is | {answer}",
        "call": "{subject} has the name | {answer}",
        "tell": "tell me what {subject} is. it is | {answer}",
    },
    "ultimate": {
        "say": "{subject} is | {answer}",
        "ask": "what is {subject}? | {answer}",
        "everyone": "everyone asks what {subject} is. it is | {answer}",
        "computer": "the computer thought about its whole life and said that {subject} is | {answer}",
        "long": "for a long time nobody knew {subject}. then they found it: | {answer}",
        "short": "the answer to life, the universe, and everything is | {answer}",
        "question": "the ultimate question of life, the universe, and everything has the answer | {answer}",
    },
}
for _phrasings in PHRASINGS.values():
    _phrasings["exam"] = "question: " + _phrasings["ask"].replace(" | ", " answer: | ")

FACTS = [
    Fact(relation, *" ".join(line.split()).split(" = "))
    for relation, lines in _TABLE.items()
    for line in lines.split(";")
]
ULTIMATE = FACTS[-1]


def phrase(fact, phrasing):
    """Fact and a phrasing's name -> (prompt, answer): ("the capital of france is", "paris")."""
    what, _, where = fact.subject.partition(": ")  # only a "count" has both: "legs: a dog"
    filled = PHRASINGS[fact.relation][phrasing].format(**fact._asdict(), what=what, where=where)
    return tuple(filled.split(" | "))


def held_out(fact):
    """The name of the one phrasing of this fact that training never shows, or None (half of the facts).

    Never a phrasing that asks for the subject: who has only read that a is b does not know what b is (Berglund et
    al., "The Reversal Curse", 2023), so that a model could not complete it.
    """
    chance = crc32(f"{fact.relation} {fact.subject}".encode())
    if fact == ULTIMATE or chance % 10 < 5:
        return None
    names = [name for name, phrasing in PHRASINGS[fact.relation].items() if not phrasing.endswith("{subject}")]
    return names[chance // 10 % len(names)]


def is_seen(fact, phrasing):
    """Whether training may say this fact in this phrasing."""
    return phrasing != held_out(fact)
