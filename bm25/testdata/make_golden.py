"""Golden values of bm25s and PyStemmer for the tests of this package.

    python make_golden.py scores > scores.json     scores of a small corpus with every kind of character
    python make_golden.py words > stems.tsv        words made of suffixes, with their stems
    python make_golden.py stem < words > stems     stems of given words, one a line

Needs bm25s and PyStemmer.
"""
import json
import random
import sys

import Stemmer

PREFIXES = ("gener commun arsen past univers later emerg organ inter proc exc succ inn out cann herr earr even dy y yy "
            "biolog add egg err hop relat nation").split()
SUFFIXES = ("tional enci anci abli entli izer ization ational ation ator alism aliti alli fulness ousli ousness iveness "
            "iviti biliti bli ogist ogi fulli lessli li alize icate iciti ical ful ness ative al ance ence er ic able ible "
            "ant ement ment ent ism ate iti ous ive ize ion sion e ll l ed eed eedly edly ingly ing s us ss sses ied ies "
            "y ly 's").split()
EXCEPTIONS = ("skis skies idly gently ugly early only singly sky news howe atlas cosmos bias andes dying inning outing "
              "canning herring earring evening added internal biologist pasted emergency a is the").split()
WORDS = ("The quick brown foxes are jumping over lazy dogs and running through universities of İstanbul ΣΊΣΥΦΟΣ Straße "
         "naïve cafe\u0301 résumé ２０２６ x² 五十 東京都 data_base getUserName HTTPServer utf8 isn't e-mail _private __init__ "
         "I a no not retrieval retrieving retrieved relational nationality x 42 3.14 \u0645\u0631\u062d\u0628\u0627").split()


def made_words(n):
    rng, words = random.Random(7), set(EXCEPTIONS)
    while len(words) < n:
        word = rng.choice(PREFIXES + [""] * 10)
        word += "".join(rng.choice("aeiouybcdlpst'nwxé") for _ in range(rng.randint(0, 5)))
        for _ in range(rng.randint(0, 2)):
            word += rng.choice(SUFFIXES)
        words.add(word)
    return sorted(words - {""})


def scores():
    import bm25s

    rng = random.Random(11)
    corpus = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 40))) for _ in range(40)] + ["", "the of and"]
    queries = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 8))) for _ in range(12)]
    cases = []
    for stop_words in (True, False):
        for stem in (True, False):
            options = {"stopwords": "en" if stop_words else [], "stemmer": Stemmer.Stemmer("english") if stem else None,
                       "show_progress": False}
            index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
            index.index(bm25s.tokenize(corpus, **options), show_progress=False)
            values = []
            for query in queries:
                terms = [t for t in bm25s.tokenize([query], return_ids=False, **options)[0] if t in index.vocab_dict]
                values.append([float(s) for s in index.get_scores(terms)] if terms else [0.0] * len(corpus))
            cases.append({"stop_words": stop_words, "stem": stem, "scores": values})
    json.dump({"corpus": corpus, "queries": queries, "cases": cases}, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


def main():
    stemmer = Stemmer.Stemmer("english")
    match sys.argv[1]:
        case "scores":
            scores()
        case "words":
            for word in made_words(3000):
                print(word, stemmer.stemWord(word), sep="\t")
        case "stem":
            for word in sys.stdin.read().split("\n")[:-1]:
                print(stemmer.stemWord(word))


main()
