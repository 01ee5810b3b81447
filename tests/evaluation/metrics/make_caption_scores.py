"""Write caption_scores.json: captions made up here, with their words and scores by pycocoevalcap.

python -m tests.evaluation.metrics.make_caption_scores

It needs the extra `captions`, and Java. 100 items of a candidate and four references are drawn from
a small grammar; ODDITIES go to where a generator would not.
"""

import json
import random
import re
from pathlib import Path

import numpy as np

WHO = [
    "a man",
    "A woman",
    "two kids",
    "The chef",
    "Mr. Jones",
    "a dog",
    "O'Brien",
    "the U.S. team",
    "a caf\u00e9 owner",
    "na\u00efve boys",
    "St. Mary\u2019s choir",
    "Ms. Lee (a nurse)",
    "D.J. Smith",
    "a mother-in-law",
    "the AT&T guy",
    "man/woman",
    "\u201cthe boss\u201d",
    "'the kid'",
    "a Ph.D. student",
]
DOES = [
    "is cooking",
    "isn't running with",
    "can't open",
    "doesn't see",
    "'s slicing",
    "won't eat",
    "cannot find",
    "is gonna make",
    "isn\u2019t cutting",
    "they've cut",
    "wanna eat",
    "y'all see",
    "couldn't've had",
    "gotta have",
    "he'd mix",
    "adds,then mixes",
    'says "wow!" to',
    "re-heats",
]
WHAT = [
    "a T-shirt",
    "rock 'n' roll",
    "a 3-layer cake",
    "1/2 cup of sugar",
    "\u00bd cup of milk",
    "50% of it",
    "$5 worth",
    "the dog's bowl",
    "the boys' room",
    "\u201chome-made\u201d bread",
    "fish & chips",
    "jalape\u00f1o peppers",
    "a 5'10\" pole",
    "vegetables (carrots, peas)",
    "cr\u00e8me br\u00fbl\u00e9e",
    "the 1990s",
    "a video game: chess",
    "salt/pepper",
    "20-30 minutes",
    "3,000 people",
    "a 2.5 kg bag",
    "R&B music",
    "1 1/2 cups",
    'a 12" pizza',
    "350\u00b0F",
    "3.5oz",
    "a 1/4-inch slice",
    "#yolo",
    "http://foo.com/bar?x=1",
    "\u20ac5 bread",
    "\u00a33 tea",
    "5\u00a2 coins",
    "a 10:30 a.m. show",
    "'90s music",
    "No. 5",
    "c++ code",
    "eggs, etc., there",
    "x\u00b2 plots",
    "H\u2082O ice",
    "\u65e5\u672c food",
    "\u043a\u0443\u0445\u043d\u044f",
    "a \U0001f600 face",
    "24/7 shops",
    "(555) 123-4567",
    "&amp; more",
    "<b>bold</b> letters",
    "[applause]",
    "wi-fi",
    "an \u20acuro",
]
ENDS = [
    "",
    "",
    "",
    ".",
    ".",
    "!",
    "?",
    "...",
    " - then stops.",
    "; and smiles",
    ", too",
    "\u2026",
    " \u2014 slowly",
    "!!",
    " at 5 p.m.",
    " in 3D",
    " (again)",
    " :)",
    " \U0001f44d\U0001f3fd",
    "?!",
]
ODDITIES = [
    "",
    " ",
    ".",
    "?!",
    "\U0001f600",
    "dog",
    "Dog dog DOG dog.",
    "one\u2028two\u2029three",
    "a\x0bb\x0cc\x85d\r\ne",
    "-LRB- (a) [b] {c}",
    "a_b __init__ _x",
    "``quoted'' `text'",
    "'tis o'clock, ma'am! 'em 'til 'cause",
    "s'mores c'mon hawai'i d'angelo l'or\u00e9al",
    "1\u20442 cup",
    "555 123 4567",
    "9/11/2001 12-25-2003",
    "1.2.3 -5 +5 .5 1+1=2",
    ":-) ;) =( :'( ^_^ -_- >_<",
    "f# c# c++ d#",
    "** ## @@ << >> -----",
    "vitamin C. The man",
    "J. K. Rowling e.g. i.e., a.k.a. u.s.-based",
    "approx. 3 oz. vs. fig. 3",
    "com:ma semi;colon ex!clam hey?you dot.dot",
    "don\u2019tgo n't 's 'll",
    "x@y.org @user_1 #tag1",
    "www.foo.com, foo.org/bar/baz.",
    "soft\u00adhyphen zero\u200bwidth no\u00a0break",
    "\u0915\u094d\u0937 \u0e01\u0e34\u0e19 e\u0301t\u00e9",
    "20\u201330 a\u2013b \u00abc\u00bb \u2018d\u2019 \u201ee",
    "half-&-half w/ b/c n/a and/or/not",
    "1 000 000",
    "\u00bc\u00be\u2153\u2154\u215b",
]
SEPARATORS = re.compile(r"[\n\r\x0b\x0c\x85\u2028\u2029]")


def draw_items() -> list[list[str]]:
    """Draw candidates with four references each, the candidate first."""
    rng = random.Random(0)
    items = []
    for _ in range(100):
        who, does, what = rng.choice(WHO), rng.choice(DOES), rng.choice(WHAT)
        item = [
            f"{rng.choice([who, rng.choice(WHO)])} {rng.choice([does, rng.choice(DOES)])} "
            f"{rng.choice([what, rng.choice(WHAT)])}{rng.choice(ENDS)}"
            for _ in range(5)
        ]
        items.append(item)
    for number, oddity in enumerate(ODDITIES):
        items[number][number % 5] = oddity
    items[40] = ["dog", "dog", "a dog", "dog", "dog dog"]
    items[41] = items[42] = ["the same words in it", "the same words in it", "others", "", ""]
    return items


def main() -> None:
    """Score the items and write the file."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    items = draw_items()
    clean = {
        number: [{"caption": SEPARATORS.sub(" ", caption)} for caption in item]
        for number, item in enumerate(items)
    }
    words = PTBTokenizer().tokenize(clean)
    references = {number: item[1:] for number, item in words.items()}
    candidates = {number: item[:1] for number, item in words.items()}
    scores = {}
    for scorer in (Bleu(4), Rouge(), Cider(), Meteor()):
        figure, each = scorer.compute_score(references, candidates)
        scores[scorer.method()] = {
            "corpus": figure if isinstance(figure, list) else float(figure),
            "items": np.asarray(each).tolist(),
        }
    alone = {50: references[50]}, {50: candidates[50]}
    scores["Bleu of item 50 alone"] = Bleu(4).compute_score(*alone, verbose=0)[0]
    kept = {"captions": items, "words": [words[number] for number in range(len(items))], **scores}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(what)}" for name, what in kept.items())
    Path(__file__).with_name("caption_scores.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
