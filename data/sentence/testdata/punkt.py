"""Sentences of NLTK's Punkt, English: reads a JSON list of texts, prints a list of the lengths of each one's sentences.

A length is in characters that are no white space. Needs nltk and its model punkt_tab, found through $NLTK_DATA; wheels of
llama-index-core carry it in llama_index/core/_static/nltk_cache.
"""
import json
import sys

from nltk.tokenize import sent_tokenize

print(json.dumps([[len("".join(s.split())) for s in sent_tokenize(text)] for text in json.load(sys.stdin)]))
