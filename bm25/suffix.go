package bm25

import "strings"

// The suffixes of the later steps with what takes their place. The longest one that the word ends with is looked
// up first, its region checked after.
var (
	step2Endings = map[string]string{
		"tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize",
		"ization": "ize", "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al",
		"fulness": "ful", "ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble",
		"bli": "ble", "ogist": "og", "ogi": "og", "fulli": "ful", "lessli": "less", "li": "",
	}
	step3Endings = map[string]string{
		"tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic", "ful": "",
		"ness": "", "ative": "",
	}
	step4Endings = map[string]string{
		"al": "", "ance": "", "ence": "", "er": "", "ic": "", "able": "", "ible": "", "ant": "", "ement": "",
		"ment": "", "ent": "", "ism": "", "ate": "", "iti": "", "ous": "", "ive": "", "ize": "", "ion": "",
	}
)

const longestEnding = 7

// ending returns the longest key of endings that the word ends with and the index at which it begins.
func (w *stemmer) ending(endings map[string]string) (found string, begin int) {
	for begin = max(len(w.letters)-longestEnding, 0); begin < len(w.letters); begin++ {
		found = string(w.letters[begin:])
		if _, ok := endings[found]; ok {
			return found, begin
		}
	}
	return "", begin
}

// after reports whether one of the letters in set stands before index begin.
func (w *stemmer) after(begin int, set string) bool {
	return begin > 0 && strings.ContainsRune(set, w.letters[begin-1])
}

// step2 shortens pairs of suffixes in R1.
func (w *stemmer) step2() {
	found, begin := w.ending(step2Endings)
	if found == "" || begin < w.p1 {
		return
	}
	if found == "ogi" && !w.after(begin, "l") || found == "li" && !w.after(begin, "cdeghkmnrt") {
		return
	}
	w.replaceFrom(begin, step2Endings[found])
}

// step3 shortens or removes further suffixes in R1.
func (w *stemmer) step3() {
	found, begin := w.ending(step3Endings)
	if found == "" || begin < w.p1 || found == "ative" && begin < w.p2 {
		return
	}
	w.replaceFrom(begin, step3Endings[found])
}

// step4 removes suffixes in R2.
func (w *stemmer) step4() {
	found, begin := w.ending(step4Endings)
	if found == "" || begin < w.p2 || found == "ion" && !w.after(begin, "st") {
		return
	}
	w.replaceFrom(begin, "")
}

// step5 removes a final e, and one of two final l.
func (w *stemmer) step5() {
	last := len(w.letters) - 1
	if last < 0 {
		return
	}
	switch w.letters[last] {
	case 'e':
		if last >= w.p2 || last >= w.p1 && !w.shortVowel(last) {
			w.replaceFrom(last, "")
		}
	case 'l':
		if last >= w.p2 && w.after(last, "l") {
			w.replaceFrom(last, "")
		}
	}
}
