"""Writes ../unicode.bin: the character classes and lower case of HuggingFace tokenizers, probed from the library.

HuggingFace tokenizers mixes the Unicode tables of four libraries (Oniguruma, Rust's standard library, regex,
unicode_categories), each of another Unicode version, and none of them that of Go. So every code point is asked
for once. Needs: pip install tokenizers==0.23.3 (any Python; one with Unicode 14 wrote the file in the repository).

Format: runs (uvarint length, uvarint class bits) that cover U+0000 to U+10FFFF, then the number of lower case
pairs, then the pairs (uvarint distance to the code point before, zigzag varint lower case - code point).
"""
import os
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# The order is that of the class constants in unicode.go.
CLASSES = ["letter", "number", "space", "punctuation", "numeric", "word", "control", "blank", "nonspacing", "combining", "unknown"]


def removed(pre_tokenizer):
    """The code points that a pre-tokenizer takes out."""
    out = set()
    for i in range(0, len(CODE_POINTS), 20000):
        chunk = CODE_POINTS[i : i + 20000]
        kept = set()
        for _, (a, b) in pre_tokenizer.pre_tokenize_str("".join(map(chr, chunk))):
            kept.update(range(a, b))
        out.update(c for i, c in enumerate(chunk) if i not in kept)
    return out


def numeric():
    """char::is_numeric, through Digits."""
    digits, out = pre_tokenizers.Digits(individual_digits=True), set()
    for i in range(0, len(CODE_POINTS), 20000):
        chunk = CODE_POINTS[i : i + 20000]
        for _, (a, b) in digits.pre_tokenize_str("".join(chr(c) + "a" for c in chunk)):
            if b - a == 1 and a % 2 == 0:
                out.add(chunk[a // 2])
    return out - {ord("a")}


def word():
    """\\w of Rust's regex, through Whitespace."""
    whitespace = pre_tokenizers.Whitespace()
    return {c for c in CODE_POINTS if whitespace.pre_tokenize_str("a" + chr(c)) == [("a" + chr(c), (0, 2))]}


def unknown(forms):
    """Code points that the normalizer's tables are too old for: it copies them and reorders nothing across them."""
    out = set()
    for c in CODE_POINTS:
        s = chr(c)
        # Alone, and beside marks of the lowest and the highest combining class, which show its own class.
        texts = [s, "a" + s + "\u0334", "a\u0345" + s]
        if unicodedata.category(s) == "Cn":
            out.add(c)
        elif any(f(t) != unicodedata.normalize(n, t) for n, f in forms.items() for t in texts):
            out.update(map(ord, unicodedata.normalize("NFD", s)), {c})
    return out


def classes():
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    clean = normalizers.BertNormalizer(**{**bert, "clean_text": True}).normalize_str
    marks = normalizers.BertNormalizer(**{**bert, "strip_accents": True}).normalize_str
    accents = normalizers.StripAccents().normalize_str
    forms = {n: getattr(normalizers, n)().normalize_str for n in ("NFC", "NFD", "NFKC", "NFKD")}
    split = lambda pattern: removed(pre_tokenizers.Split(Regex(pattern), "removed"))
    found = {
        "letter": split(r"\p{L}"),
        "number": split(r"\p{N}"),
        "space": split(r"\s"),
        "punctuation": removed(pre_tokenizers.Punctuation("removed")),
        "numeric": numeric(),
        "word": word(),
        "control": {c for c in CODE_POINTS if clean(chr(c)) == ""},
        "blank": {c for c in CODE_POINTS if clean(chr(c)) == " "},
        "nonspacing": {c for c in CODE_POINTS if forms["NFD"](chr(c)) == chr(c) and marks(chr(c)) == ""},
        "combining": {c for c in CODE_POINTS if accents(chr(c)) == ""},
        "unknown": unknown(forms),
    }
    assert removed(pre_tokenizers.WhitespaceSplit()) == found["space"]
    return found


def uvarint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def main():
    found = classes()
    bits = [0] * 0x110000
    for i, name in enumerate(CLASSES):
        for c in found[name]:
            bits[c] |= 1 << i
    out, start = bytearray(), 0
    for c in range(1, 0x110001):
        if c == 0x110000 or bits[c] != bits[start]:
            out += uvarint(c - start) + uvarint(bits[start])
            start = c
    lowercase = normalizers.Lowercase().normalize_str
    lower = [(c, lowercase(chr(c))) for c in CODE_POINTS if lowercase(chr(c)) != chr(c)]
    assert [p for p in lower if len(p[1]) > 1] == [(0x130, "i\u0307")]
    lower = [(c, ord(s)) for c, s in lower if len(s) == 1]
    out += uvarint(len(lower))
    before = 0
    for c, low in lower:
        delta = low - c
        out += uvarint(c - before) + uvarint(delta * 2 if delta >= 0 else -delta * 2 - 1)
        before = c
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unicode.bin"), "wb") as f:
        f.write(out)
    print(len(out), {n: len(found[n]) for n in CLASSES}, len(lower))


if __name__ == "__main__":
    main()
