"""Writes golden.json.gz and data.json: ids and texts that HuggingFace tokenizers gives, for golden_test.go.

Needs: pip install tokenizers==0.23.3; the fixtures (../../../testdata/revela) and the real collections
($REVELA_DATA, default ../shared/data beside the repository). Run it from anywhere: python make_golden.py

golden.json.gz: "lines", hand-made difficult texts; "bases", small models trained here; "cases", tokenizer.json files
made of a base and other components, with a short hash of the ids of every line and one of decoded ids; "explicit",
cases with the ids themselves; "codepoints", a hash over every code point in context.
data.json: for the tokenizers among the real collections a hash of the ids of every collection; for Llama 2's
SentencePiece model, which a test reads as a GGUF header, the same of some. "make_golden.py cases" leaves it alone.
"""
import glob
import gzip
import hashlib
import json
import os
import random
import struct
import sys

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
DATA = os.environ.get("REVELA_DATA", os.path.join(ROOT, "..", "shared", "data"))
FIXTURES = os.path.join(ROOT, "testdata", "revela")

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
GPT2_GROUPED = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
QWEN2 = LLAMA3.replace("{1,3}", "")


def lines():
    """Difficult texts."""
    out = [
        "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\n \n", "a", " a", "a ", "  a  ", "a\n \nb", "a \n\n b", "x\r\n\r\ny", "tab\there",
        "Hello world", "Hello, world!", "HELLO World", "hello  world   three    four", "don't DON'T Don't we'll WE'LL they've I'm I'd 'tis 'S 'ſ it'ſ 'Re",
        "''s '' 's' 't'd", "'", "''", "' s", "rock'n'roll", "O'Reilly's", "x's's's", "'LL'Ll'lL", "l'll'v've", "1234567890", "1 22 333 4444 55555", "3.14159e-10", "0x1F 1_000",
        "½ ¾ Ⅷ ² ³ ① ٣٤٥ १२३ 一二三 𝟘𝟙 ㉈ 〇", "v1.2.3-rc4+build.5", "a1b2c3", "12ab34", "def f(x):\n    return x  # two\n\n\tif y:\n\t\tpass\n",
        "    indented\n        more\n", "if (a<b && c>d) { return a[i]; } // end", "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|im_start|>user\nhi<|im_end|>",
        "<s>text</s>", "<s> text </s>", "  <s>  ", "[CLS] hello [SEP]", "[SEP] hello [CLS]", "[MASK] [mask] [UNK] [PAD]", "x[MASK]y", "x [MASK] y", "  [MASK]  [MASK]  ",
        "<mask> <mask><mask>", "foo <mask> bar", "foo<mask>bar", "<<mask>>", "<|begin_of_text|><|begin_of_text|>", "<|begin_of_text|", "<unk><unk> <unk>",
        "-----", "=====", "----------------------------------------", "......", "!!!???", "a" * 70, "a" * 300, "ab" * 150, "abc" * 400, "é" * 100, "_" * 129, " " * 100, "\n" * 50, "0" * 1000,
        "café cafe\u0301 naïve nai\u0308ve Ångström A\u030angstro\u0308m", "e\u0301\u0327 e\u0327\u0301", "ÀÉÎÕÜ àéîõü ÿ ß ẞ Ǆ ǅ ǆ İ ı i\u0307 I", "ﬁ ﬂ ﬃ ſ ẛ̣ Ω K Å",
        "Σίσυφος ΣΊΣΥΦΟΣ ΣΣ ς", "Привет, мир! ёЁ йЙ", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "こんにちは世界 カタカナ ｶﾀｶﾅ", "你好，世界。中文字符", "안녕하세요 세계", "한글 각 가\u11a8 \u1100\u1161\u11a8",
        "𠀀𠀁 㐀 豈 丽 中a文b", "👋🌍 👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☺️ ☺", "a\u200bb a\u200cb a\u200db \ufeffBOM", "\u00a0nbsp\u00a0x \u2003em\u2003 \u3000wide\u3000 \u2028ls\u2029ps \u0085nel \u000bvt \u000cff",
        "\u0000nul \u0001 \u001f \u007f \u0080 \u009f \u00ad soft", "\ue000 \uf8ff \U000f0000 \U0010fffd \ufffd \ufffe", "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309b", "Z" + "\u0301\u0323\u0334" * 20 + "!", "\u0301leading mark",
        "q\u0307\u0323 q\u0323\u0307 \u1e0b\u0323 \u0344 \u0f73\u0f75", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒜 ℌ ℝ ™ ℡ Ⅳ ㎏ ﷺ ½", "ａｂｃＡＢＣ１２３", "\u1e9b\u0323 \u2126 \u212b \u00c5", "\U00011935\U00011930 \U00011938 \u09c7\u09be \u0bc6\u0bbe",
        "\U0001e030\u0301 \U0001f16c \u32ff \ua7f2 \u1abf\u0301", "ǈ Ǉ ǉ Ꭰ ꭰ Ა ა ᲀ Ɐ Ⴀ ⴀ 𐐀 𐐨 𑢠 𞤀", "«quoted» “curly” ‘single’ „low“ ‹a› — – ‐ … ‽ ؟ 。、", "price: $5.00 €3 £2 ¥1 ₿", "50% & 60‰ # @user ~ ^ ` | \\ /",
        "https://example.com/a?b=c&d=%20#frag", "e-mail@example.co.uk", "C:\\path\\to\\file.txt", "snake_case camelCase PascalCase kebab-case SCREAMING_CASE", "x=1;y=2;z=x+y", "a+b-c*d/e", "\"json\": {\"k\": [1, 2.5, null, true]}",
        "SELECT * FROM t WHERE a = 'it''s';", "<div class=\"x\">text &amp; more</div>", "# Heading\n\n- item 1\n- item 2\n\n```go\nfunc main() {}\n```\n", "Ünïcödé ïs fün", "Zażółć gęślą jaźń", "Đặng Thị Ngọc", "ﺍﻟﻌﺮﺑﻴﺔ",
        "The quick brown fox jumps over the lazy dog.", "unbelievably internationalization antidisestablishmentarianism", "supercalifragilisticexpialidocious " * 3, "x" * 99, "x" * 100, "x" * 101, "é" * 101,
        "day Day DAY today birthday day. (day) day's day_ _day day1 1day", "the THE The theme bathe", "tok  tok\ttok\ntok", "left  left right  right both  both", "both both", "rightright leftleft", " right", "left ", "right  left", "both", "  both  ",
        "abc def abcdef", "▁ ▁▁ a▁b ▁a a▁", " ▁ leading", "▁▁▁", "a ▁ b", "Prepend", "a  b", "a   b", "<0x41> <0x0A> <0xZZ>", "😀😃", "☃☃☃", "ðŁĺĢ Ġ Ċ", "Ġthe Ċ", "naïve—façade", "mixed中文english한국어", "ⅷⅧ", "١٢٣abc", "x²+y²=z²",
        "I'M YOU'RE HE'S WE'VE SHE'LL THEY'D", "i'm you're he's we've she'll they'd", "' m 're' 've", "\u2019s it\u2019s", "'\u0301s", " 's", "\n's", "1's", "a\n\n\n's", "word\u0301s", "mark\u20dd\u20e0", "\u0903\u093e \u302e가 \u3099か", "\U000e0001\U000e0041", "\u2060wj\u2061",
        "a\rb", "a\r\rb", "a \r b", "\r", " \r", "...\n\n", "!\r\n?", "x!\n\n\ny", "x! \n y", ")\n}", "()\r\n[]\n\r", "\t\t\tx", " \t x", "\u3000\u3000x", "x\u3000", "x \u3000 y", "\u2003\n\u2003", "\n\u2003x",
    ]
    rng = random.Random(1)
    pools = ["abcde ", "aA1 .'\n", "é\u0301\u0327\u0323 a", "的一 ab", "<|>s/endoftx", "[]CLSEPMAK ", "0123456789 a", " \n\t\r\u00a0x", "daytheok_ .", "▁ ab<0x1>", "ſsStTlLvVeE' ", "가각\u1100\u1161\u11a8 "]
    for pool in pools:
        for _ in range(12):
            out.append("".join(rng.choice(pool) for _ in range(rng.randrange(1, 60))))
    blocks = [(0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x900, 0xE00), (0x1E00, 0x2100), (0x2000, 0x3100), (0xA000, 0xFFFF), (0x10000, 0x20000), (0, 0x3000)]
    for low, high in blocks:
        for _ in range(6):
            out.append("".join(chr(c) for c in (rng.randrange(low, high) for _ in range(40)) if not 0xD800 <= c <= 0xDFFF))
    return out


def corpus():
    with open(os.path.join(DATA, "text-wikitext2", "docs.jsonl"), encoding="utf-8") as f:
        texts = [json.loads(l)["text"] for l in f][:20]
    return texts + ["don't we'll the day DAY café naïve def f(x):\n    return x\n"] * 20


def bases():
    """Small models of each kind, as the "model" entry of tokenizer.json."""
    out = {}

    def train(name, model, trainer, normalizer=None, pre_tokenizer=None):
        t = Tokenizer(model)
        t.normalizer, t.pre_tokenizer = normalizer, pre_tokenizer
        t.train_from_iterator(corpus(), trainer)
        out[name] = json.loads(t.to_str())["model"]

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte = dict(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    train("bytes", models.BPE(), trainers.BpeTrainer(**byte), None, pre_tokenizers.ByteLevel(add_prefix_space=False))
    fallback = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    spm = dict(vocab_size=520, special_tokens=fallback, limit_alphabet=60, show_progress=False)
    metaspace = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    train("spm", models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), trainers.BpeTrainer(**spm), metaspace, pre_tokenizers.Split("▁", "merged_with_next"))
    words = dict(vocab_size=450, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=120, show_progress=False)
    bert = normalizers.BertNormalizer()
    train("words", models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(**words), bert, pre_tokenizers.BertPreTokenizer())
    return out


def seq(kind, *items):
    key = {"pre": "pretokenizers", "norm": "normalizers", "dec": "decoders", "post": "processors"}[kind]
    return {"type": "Sequence", key: list(items)}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern if isinstance(pattern, dict) else {"Regex": pattern}, "behavior": behavior, "invert": invert}


def bert_norm(clean=True, chinese=True, strip=None, lower=True):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lower}


def metaspace(scheme="always", cut=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def added(content, special=False, **flags):
    token = {"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": not special, "special": special}
    return {**token, **flags}


def template(single, ids):
    def pieces(s):
        return [{"Sequence": {"id": x[1], "type_id": 0}} if x[0] == "$" else {"SpecialToken": {"id": x, "type_id": 0}} for x in s.split()]

    special = {k: {"id": k, "ids": v, "tokens": [k] * len(v)} for k, v in ids.items()}
    return {"type": "TemplateProcessing", "single": pieces(single), "pair": pieces(single + " $B"), "special_tokens": special}


PREPEND = {"type": "Prepend", "prepend": "▁"}
TO_BLANK = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
FROM_BLANK = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
SPM_DECODER = seq("dec", FROM_BLANK, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
DIGITS = {"type": "Digits", "individual_digits": True}
BERT_PRE = {"type": "BertPreTokenizer"}
WORDPIECE = {"type": "WordPiece", "prefix": "##", "cleanup": True}
FLAGS = [
    added("<|endoftext|>", True), added("<|im_start|>", True), added("<|im_end|>", True), added("day", single_word=True), added("tok", lstrip=True),
    added("left", True, lstrip=True), added("right", True, rstrip=True), added("both", lstrip=True, rstrip=True), added("THE", normalized=True), added("abc"), added("abcdef"), added("  "),
    added("<mask>", True, lstrip=True), added("é", normalized=True),
]


def cases():
    """name → (base, components)."""
    c = {}
    for name, pattern in (("gpt2", GPT2), ("gpt2-grouped", GPT2_GROUPED), ("llama3", LLAMA3), ("qwen2", QWEN2)):
        pre = seq("pre", split(pattern), byte_level(regex=False))
        c["bytes-" + name] = ("bytes", dict(pre_tokenizer=pre, decoder=byte_level()))
        c["words-" + name] = ("words", dict(pre_tokenizer=split(pattern, "Removed", True), decoder=WORDPIECE))
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        c["bytes-" + form] = ("bytes", dict(normalizer={"type": form}, pre_tokenizer=byte_level(), decoder=byte_level()))
    for name, norm in (
        ("lowercase", {"type": "Lowercase"}), ("stripaccents", {"type": "StripAccents"}), ("nfd-stripaccents", seq("norm", {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"})),
        ("strip", {"type": "Strip", "strip_left": True, "strip_right": True}), ("lstrip", {"type": "Strip", "strip_left": True, "strip_right": False}),
        ("replace", {"type": "Replace", "pattern": {"String": "aa"}, "content": "b"}), ("delete", {"type": "Replace", "pattern": {"String": "e"}, "content": ""}),
    ):
        c["bytes-" + name] = ("bytes", dict(normalizer=norm, pre_tokenizer=byte_level(), decoder=byte_level()))
    c["bytes-prefix"] = ("bytes", dict(pre_tokenizer=byte_level(True), decoder=byte_level(), post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": True}))
    c["bytes-noregex"] = ("bytes", dict(pre_tokenizer=byte_level(regex=False), decoder=byte_level()))
    c["bytes-digits"] = ("bytes", dict(pre_tokenizer=seq("pre", DIGITS, byte_level()), decoder=byte_level()))
    c["bytes-contiguous-digits"] = ("bytes", dict(pre_tokenizer=seq("pre", {"type": "Digits", "individual_digits": False}, byte_level(True)), decoder=byte_level()))
    c["bytes-punctuation"] = ("bytes", dict(pre_tokenizer=seq("pre", {"type": "Punctuation", "behavior": "MergedWithPrevious"}, byte_level()), decoder=byte_level()))
    c["bytes-ignore-merges"] = ("bytes", dict(model=dict(ignore_merges=True, merges=[]), pre_tokenizer=byte_level(), decoder=byte_level()))
    c["bytes-missing"] = ("bytes", dict(model=dict(drop=["e", "t"]), pre_tokenizer=byte_level(), decoder=byte_level()))
    c["bytes-unknown"] = ("bytes", dict(model=dict(drop=["e", "t"], unk_token="z"), pre_tokenizer=byte_level(), decoder=byte_level()))
    c["bytes-unknown-fused"] = ("bytes", dict(model=dict(drop=["e", "t"], unk_token="z", fuse_unk=True), pre_tokenizer=byte_level(), decoder=byte_level()))
    for name, norm in (("", None), ("-lowercase", {"type": "Lowercase"}), ("-nfkc", {"type": "NFKC"})):
        c["added" + name] = ("bytes", dict(normalizer=norm, pre_tokenizer=byte_level(), decoder=byte_level(), added_tokens=FLAGS))
    c["added-prepend"] = ("spm", dict(normalizer=seq("norm", PREPEND, TO_BLANK), decoder=SPM_DECODER, added_tokens=FLAGS + [added("<s>", True), added("</s>", True, normalized=True), added("<unk>", True)]))
    spm_added = [added("<unk>", True), added("<s>", True), added("</s>", True)]
    c["spm-legacy"] = ("spm", dict(normalizer=seq("norm", PREPEND, TO_BLANK), decoder=SPM_DECODER, added_tokens=spm_added, post_processor=template("<s> $A", {"<s>": [1]})))
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            pre = metaspace(scheme, cut)
            c[f"spm-{scheme}-{'cut' if cut else 'whole'}"] = ("spm", dict(pre_tokenizer=pre, decoder=pre, added_tokens=spm_added, post_processor=template("<s> $A </s>", {"<s>": [1], "</s>": [2, 1]})))
    c["spm-words-first"] = ("spm", dict(pre_tokenizer=seq("pre", {"type": "WhitespaceSplit"}, metaspace("first")), decoder=metaspace("first"), added_tokens=spm_added))
    c["spm-crossing"] = ("spm", dict(model=dict(add=[["s", "▁"], ["▁", "▁"]]), normalizer=seq("norm", PREPEND, TO_BLANK), decoder=SPM_DECODER))
    c["spm-nofallback"] = ("spm", dict(model=dict(byte_fallback=False), pre_tokenizer=metaspace(), decoder=metaspace()))
    c["spm-nofuse"] = ("spm", dict(model=dict(byte_fallback=False, fuse_unk=False), pre_tokenizer=metaspace(), decoder=metaspace()))
    c["spm-partial-fallback"] = ("spm", dict(model=dict(drop=["<0xE4>", "<0x0A>"]), pre_tokenizer=metaspace(), decoder=SPM_DECODER))
    c["spm-ignore-merges"] = ("spm", dict(model=dict(ignore_merges=True), pre_tokenizer=metaspace(), decoder=seq("dec", {"type": "ByteFallback"}, metaspace())))
    c["spm-nodecoder"] = ("spm", dict(normalizer=TO_BLANK, decoder=None))
    for behavior in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"):
        c["words-punctuation-" + behavior] = ("words", dict(normalizer=bert_norm(), pre_tokenizer=seq("pre", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": behavior}), decoder=WORDPIECE))
        c["words-string-" + behavior] = ("words", dict(pre_tokenizer=split({"String": "a"}, behavior), decoder=WORDPIECE))
        c["words-invert-" + behavior] = ("words", dict(pre_tokenizer=split({"String": "a"}, behavior, True), decoder=WORDPIECE))
    bert_post = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    specials = [added(s, True) for s in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] + [added("[MASK]", True, lstrip=True)]
    for i, norm in enumerate((bert_norm(), bert_norm(lower=False), bert_norm(strip=False), bert_norm(lower=False, strip=True), bert_norm(clean=False), bert_norm(chinese=False), bert_norm(False, False, False, False))):
        c[f"bert-{i}"] = ("words", dict(normalizer=norm, pre_tokenizer=BERT_PRE, decoder={**WORDPIECE, "cleanup": i % 2 == 0}, post_processor=bert_post, added_tokens=specials))
    c["bert-normalized-added"] = ("words", dict(normalizer=bert_norm(), pre_tokenizer=BERT_PRE, decoder=WORDPIECE, added_tokens=[*specials, added("Day", single_word=True), added("Both", lstrip=True, rstrip=True), added("É")]))
    c["words-whitespace"] = ("words", dict(pre_tokenizer={"type": "Whitespace"}, decoder=WORDPIECE))
    c["words-whitespacesplit"] = ("words", dict(pre_tokenizer={"type": "WhitespaceSplit"}, decoder=WORDPIECE))
    c["words-digits"] = ("words", dict(pre_tokenizer=DIGITS, decoder=WORDPIECE))
    c["words-short"] = ("words", dict(model=dict(max_input_chars_per_word=5), pre_tokenizer=BERT_PRE, decoder=WORDPIECE))
    return c


def make_model(base, changes):
    """The model entry with a case's changes: drop removes tokens, add appends merges, else keys are replaced."""
    model = json.loads(json.dumps(base))
    changes = dict(changes)
    dropped = set(changes.pop("drop", []))
    for a, b in changes.pop("add", []):
        model["merges"].append([a, b])
        model["vocab"].setdefault(a + b, max(model["vocab"].values()) + 1)
    model.update(changes)
    model["vocab"] = {t: i for t, i in model["vocab"].items() if t not in dropped}
    if "merges" in model:
        model["merges"] = [m for m in model["merges"] if not dropped & {m[0], m[1], m[0] + m[1]}]
    return model


def make_file(base, parts):
    keys = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": parts.get("added_tokens", [])}
    return {**file, **{k: parts.get(k) for k in keys}, "model": make_model(base, parts.get("model", {}))}


def pack(ids):
    return struct.pack(f"<{len(ids) + 1}i", len(ids), *ids)


def short(ids, *texts):
    h = hashlib.sha256(pack(ids))
    for text in texts:
        h.update(text.encode() + b"\0")
    return h.hexdigest()[:8]


def check(t, texts):
    """A hash a line: ids with and without special tokens, cut to 7, decoded with and without special tokens."""
    out = []
    for s in texts:
        ids, bare = t.encode(s).ids, t.encode(s, add_special_tokens=False).ids
        t.enable_truncation(7)
        cut = t.encode(s).ids
        t.no_truncation()
        out.append(short(ids + [-1] + bare + [-1] + cut, t.decode(ids, skip_special_tokens=False), t.decode(ids)))
    return out


def decoded(t):
    """A hash of the texts of ids in no order, some of which no token has."""
    size, out = t.get_vocab_size() + 5, []
    for n in range(1, 120):
        ids = [(n * 7919 + k * k * 31) % size for k in range(n % 23 + 1)]
        out += [t.decode(ids, skip_special_tokens=False), t.decode(ids)]
    return short([], *out)


def codepoints():
    """Texts that show every code point up to U+1FFFF (and tags) beside letters, digits and blanks."""
    for start in [*range(0, 0x20000, 16), *range(0xE0000, 0xE0200, 16)]:
        yield "".join(f"a{chr(c)}a {chr(c)}1{chr(c)}{chr(c)}'{chr(c)}\n" for c in range(start, start + 16) if not 0xD800 <= c <= 0xDFFF)


CODEPOINT_CASES = ["words-gpt2", "words-llama3", "words-qwen2", "bytes-NFC", "bytes-NFD", "bytes-NFKC", "bytes-NFKD", "bytes-lowercase", "bytes-stripaccents", "bytes-strip", "bert-0", "bert-1", "words-whitespace", "words-whitespacesplit", "words-digits", "words-punctuation-Isolated", "added", "spm-legacy"]


def digest(t, texts):
    h, n = hashlib.sha256(), 0
    for s in texts:
        h.update(pack(t.encode(s).ids))
        n += 1
    return {"texts": n, "sha256": h.hexdigest()}


BY_LINE = ["tokenizers/bert-uncased", "tokenizers/smollm2"]  # these read the collections line by line as well


def collection(path, by_line):
    with open(path, encoding="utf-8") as f:
        for line in f:
            doc = json.loads(line)
            yield doc.get("title") or ""
            yield doc["text"]
            if by_line:
                yield from doc["text"].split("\n")


def sentencepiece(path):
    """(token, score, type) of every piece of a SentencePiece model, read from its protocol buffer."""

    def fields(data):
        i = 0
        while i < len(data):
            key, i = varint(data, i)
            if key & 7 == 0:
                value, i = varint(data, i)
            elif key & 7 == 2:
                n, i = varint(data, i)
                value, i = data[i : i + n], i + n
            else:
                n = {1: 8, 5: 4}[key & 7]
                value, i = data[i : i + n], i + n
            yield key >> 3, value

    def varint(data, i):
        value = shift = 0
        while True:
            value |= (data[i] & 127) << shift
            shift, i = shift + 7, i + 1
            if data[i - 1] < 128:
                return value, i

    with open(path, "rb") as f:
        pieces = [dict(fields(v)) for k, v in fields(f.read()) if k == 1]
    return [(p[1].decode(), struct.unpack("<f", p[2])[0], p.get(3, 1)) for p in pieces]


def llama2(path):
    """The tokenizer of a SentencePiece BPE model: Llama 2's tokenizer.json, merges as transformers derives them."""
    pieces = sentencepiece(path)
    vocab = {token: i for i, (token, _, _) in enumerate(pieces)}
    merges = []
    for token, score, _ in pieces:
        pairs = [(token[:i], token[i:], score) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab]
        merges += sorted(pairs, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    model = models.BPE(vocab=vocab, merges=[m[:2] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    t = Tokenizer(model)
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.add_special_tokens([token for token, _, kind in pieces if kind in (2, 3)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", vocab["<s>"])])
    return t


def load(path):
    t = Tokenizer.from_file(path)
    t.no_truncation()
    t.no_padding()
    return t


def golden(texts):
    out = {"lines": texts, "bases": bases(), "cases": {}, "explicit": {}, "codepoints": {}}
    for name, (base, parts) in cases().items():
        t = Tokenizer.from_str(json.dumps(make_file(out["bases"][base], parts)))
        parts = {k: v for k, v in parts.items() if v is not None}
        out["cases"][name] = {"base": base, "parts": parts, "decoded": decoded(t), "lines": check(t, texts)}
        if name in CODEPOINT_CASES:
            out["codepoints"][name] = digest(t, codepoints())
    for name in ("tiny-llama", "tiny-qwen2"):
        t = load(os.path.join(FIXTURES, name, "lm", "tokenizer.json"))
        out["explicit"][name] = [t.encode(s).ids for s in texts]
    return out


def data(texts):
    out = {"tokenizers": {}, "gguf": {}}
    tokenizers = sorted(glob.glob(os.path.join(DATA, "tokenizers", "*", "tokenizer.json"))) + [os.path.join(DATA, "stories260K", "hf", "tokenizer.json")]
    collections = sorted(glob.glob(os.path.join(DATA, "*", "docs.jsonl")) + glob.glob(os.path.join(DATA, "*", "corpus.jsonl")) + glob.glob(os.path.join(DATA, "*", "queries.jsonl")))
    for path in tokenizers:
        t, name = load(path), os.path.relpath(os.path.dirname(path), DATA)
        out["tokenizers"][name] = {"lines": digest(t, texts), "codepoints": digest(t, codepoints())}
        for file in collections:
            out["tokenizers"][name][os.path.relpath(file, DATA)] = digest(t, collection(file, name in BY_LINE))
        print(name, flush=True)
    t = llama2(os.path.join(DATA, "tokenizers", "llama2", "tokenizer.model"))
    out["gguf"]["lines"] = digest(t, texts)
    for file in ("text-wikitext2/docs.jsonl", "cosqa/corpus.jsonl", "text-peps/docs.jsonl"):
        out["gguf"][file] = digest(t, collection(os.path.join(DATA, file), False))
    return out


def main():
    texts = lines()
    content = json.dumps(golden(texts), ensure_ascii=False, separators=(",", ":")).encode()
    with gzip.GzipFile(os.path.join(HERE, "golden.json.gz"), "wb", mtime=0) as f:
        f.write(content)
    if sys.argv[1:] != ["cases"]:
        with open(os.path.join(HERE, "data.json"), "w", encoding="utf-8") as f:
            json.dump(data(texts), f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
