"""The fixed texts whose embeddings testdata/minilm keeps: every length and the edges of the tokenizer."""

SENTENCE = (
    "The retriever reads a group of passages and learns which of them help a language model "
    "to predict the next token of another one ; no label says which passage belongs to which . "
).split()

EDGES = [
    "",
    " ",
    "\n\t \n",
    ".",
    "a",
    "I",
    "0",
    "the",
    "[CLS]",
    "[SEP] [PAD] [MASK] [UNK]",
    "a [SEP] b",
    "!?!?...---___***",
    "3.14159 1,000,000 0x7fff 1e-9 v2.11.0",
    "don't can't it's o'clock",
    "https://example.org/a/b?c=d&e=f#g",
    "user.name+tag@example.org",
]

UNICODE = [
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 ma\u00f1ana \u00fcber \u0141\u00f3d\u017a",
    "cafe\u0301 nai\u0308ve e\u0301\u0302",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440",
    "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u1f00\u03c1\u03c7\u1f74",
    "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3002\u4e2d\u6587\u53e5\u5b50",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\U0001f600 rocket \U0001f680 family \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "non\u00a0breaking\u2003space\u200bzero\ufeffbom",
    "control\x01\x7f\x0bchars\x85",
    "\u0130stanbul STRASSE \u00df \ufb01ne \u2460 \u00bd \u2122",
    "\u201cquotes\u201d \u2014 dash\u2026",
]

CODE = [
    "func Max(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}",
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name;",
    "for (int i = 0; i < n; ++i) { sum += x[i] * y[i]; }",
    '{"key": [1, 2.5, null, true], "nested": {"a": "b"}}',
    "How does a scheduler pick the next goroutine to run?",
    "returns the index of the first occurrence of sep in s, or -1 if sep is not present",
    "parse_http_header getElementById camelCaseIdentifier SCREAMING_SNAKE_CASE",
]

LONG = [
    "a" * 99,
    "a" * 100,
    "a" * 101,
    "a" * 5000,
    "supercalifragilisticexpialidocious " * 40,
    "- " * 600,
]


def texts():
    """Returns the 64 texts; word counts around 254 lie on both sides of the cut at 256 tokens."""
    counts = [2, 3, 5, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 200, 240, 253, 254, 255, 700]
    by_length = [" ".join((SENTENCE * 25)[:count]) for count in counts]
    return EDGES + UNICODE + CODE + LONG + by_length
