package bm25

import (
	"slices"
	"strings"
)

// Stem returns the stem of an English word in lower case, by Snowball's algorithm of release 3.1, the one of
// PyStemmer 3 ("english"). The Go ports of Snowball follow a release of 2018 and differ on about one word in a
// thousand (added, internal, biologist). The functions below are named as in algorithms/english.sbl.
func Stem(word string) string {
	if stem, ok := exceptions[word]; ok {
		return stem
	}
	w := &stemmer{letters: []rune(word)}
	if len(w.letters) < 3 {
		return word
	}
	w.prelude()
	w.markRegions()
	w.step1a()
	w.step1b()
	w.step1c()
	w.step2()
	w.step3()
	w.step4()
	w.step5()
	return strings.ReplaceAll(string(w.letters), "Y", "y")
}

// exceptions are the words that the rules would get wrong (exception1).
var exceptions = map[string]string{
	"skis": "ski", "skies": "sky", "idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli",
	"singly": "singl", "sky": "sky", "news": "news", "howe": "howe", "atlas": "atlas", "cosmos": "cosmos",
	"bias": "bias", "andes": "andes",
}

// stemmer is a word on its way to its stem. A y that acts as a consonant is written Y.
type stemmer struct {
	letters []rune
	p1, p2  int // where the regions R1 and R2 begin
}

func isVowel(r rune) bool { return strings.ContainsRune("aeiouy", r) }

// prelude drops a leading apostrophe and marks each y that begins the word or follows a vowel.
func (w *stemmer) prelude() {
	if w.letters[0] == '\'' {
		w.letters = w.letters[1:]
	}
	for i, r := range w.letters {
		if r == 'y' && (i == 0 || isVowel(w.letters[i-1])) {
			w.letters[i] = 'Y'
		}
	}
}

// longPrefixes end where R1 begins, later than the rule would have it.
var longPrefixes = []string{"gener", "commun", "arsen", "past", "univers", "later", "emerg", "organ", "inter"}

// markRegions: R1 begins after the first consonant that follows a vowel, R2 after the next such consonant.
func (w *stemmer) markRegions() {
	w.p1 = w.afterVowelAndConsonant(0)
	for _, prefix := range longPrefixes {
		if strings.HasPrefix(string(w.letters), prefix) {
			w.p1 = len(prefix)
		}
	}
	w.p2 = w.afterVowelAndConsonant(w.p1)
}

func (w *stemmer) afterVowelAndConsonant(i int) int {
	for i < len(w.letters) && !isVowel(w.letters[i]) {
		i++
	}
	for i < len(w.letters) && isVowel(w.letters[i]) {
		i++
	}
	return min(i+1, len(w.letters))
}

// shortVowel reports whether a short syllable ends before index end: a vowel between consonants of which the last
// is not w, x or Y, or a vowel at the word's begin with a consonant after it.
func (w *stemmer) shortVowel(end int) bool {
	l := w.letters[:end]
	switch {
	case end >= 3 && !isVowel(l[end-3]) && isVowel(l[end-2]) && !isVowel(l[end-1]) && !strings.ContainsRune("wxY", l[end-1]):
		return true
	case end == 2 && isVowel(l[0]) && !isVowel(l[1]):
		return true
	}
	return strings.HasSuffix(string(l), "past")
}

// suffix returns the longest of the given suffixes that the word ends with and the index at which it begins.
func (w *stemmer) suffix(suffixes ...string) (found string, begin int) {
	for _, s := range suffixes {
		if len(s) > len(found) && w.endsWith(len(w.letters), s) {
			found = s
		}
	}
	return found, len(w.letters) - len(found)
}

// endsWith reports whether the letters before index end end with an ASCII string.
func (w *stemmer) endsWith(end int, s string) bool {
	return end >= len(s) && string(w.letters[end-len(s):end]) == s
}

// replaceFrom replaces everything from index begin.
func (w *stemmer) replaceFrom(begin int, s string) {
	w.letters = append(w.letters[:begin], []rune(s)...)
}

func (w *stemmer) hasVowelBefore(end int) bool {
	return slices.ContainsFunc(w.letters[:max(end, 0)], isVowel)
}

// step1a removes plurals.
func (w *stemmer) step1a() {
	if found, begin := w.suffix("'", "'s", "'s'"); found != "" {
		w.replaceFrom(begin, "")
	}
	switch found, begin := w.suffix("sses", "ied", "ies", "s", "us", "ss"); found {
	case "sses":
		w.replaceFrom(begin, "ss")
	case "ied", "ies":
		if begin >= 2 {
			w.replaceFrom(begin, "i")
		} else {
			w.replaceFrom(begin, "ie")
		}
	case "s":
		if w.hasVowelBefore(begin - 1) {
			w.replaceFrom(begin, "")
		}
	}
}

// step1b removes past tenses and gerunds.
func (w *stemmer) step1b() {
	found, begin := w.suffix("eed", "eedly", "ed", "edly", "ingly", "ing")
	before := string(w.letters[:begin])
	switch found {
	case "":
		return
	case "eed", "eedly":
		if begin >= w.p1 && before != "proc" && before != "exc" && before != "succ" {
			w.replaceFrom(begin, "ee")
		}
		return
	case "ing":
		if begin == 2 && w.letters[1] == 'y' && !isVowel(w.letters[0]) {
			w.replaceFrom(1, "ie")
			return
		}
		if slices.Contains([]string{"inn", "out", "cann", "herr", "earr", "even"}, before) {
			return
		}
	}
	if w.hasVowelBefore(begin) {
		w.replaceFrom(begin, "")
		w.repairEnd()
	}
}

// repairEnd restores the end of a verb after its ending is gone: hop(p) → hop, hop(e).
func (w *stemmer) repairEnd() {
	found, begin := w.suffix("at", "bl", "iz", "bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
	switch found {
	case "at", "bl", "iz":
		w.letters = append(w.letters, 'e')
	case "":
		if len(w.letters) == w.p1 && w.shortVowel(len(w.letters)) {
			w.letters = append(w.letters, 'e')
		}
	default:
		if begin != 1 || !strings.ContainsRune("aeo", w.letters[0]) {
			w.letters = w.letters[:begin+1]
		}
	}
}

// step1c turns a final y after a consonant into i.
func (w *stemmer) step1c() {
	last := len(w.letters) - 1
	if last >= 2 && (w.letters[last] == 'y' || w.letters[last] == 'Y') && !isVowel(w.letters[last-1]) {
		w.letters[last] = 'i'
	}
}
