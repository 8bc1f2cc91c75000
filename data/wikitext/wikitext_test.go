package wikitext

import (
	"strings"
	"testing"
)

func TestMarkup(t *testing.T) {
	for source, want := range map[string]string{
		"'''Bold''' and ''italic''s.":                             "Bold and italics.",
		"A [[link]]s, [[page|word]], [[:Category:X]], [[a#b|c]].": "A links, word, Category:X, c.",
		"[[File:X.jpg|thumb|A [[caption]] here]]Text.":            "Text.",
		"[[Datei:X.jpg|mini]]Text.[[Category:Y]][[fr:Texte]]":     "Text.",
		"[http://x.org The site] and [https://y.org].":            "The site and .",
		"One<ref>{{cite|a=b}}</ref> two<ref name=\"x\" /> three.": "One two three.",
		"A <!-- hidden\n --> B":                                   "A  B",
		"{{Infobox|name={{nested|x}}|other=[[a|b]]}}Text.":        "Text.",
		"It is {{convert|5|km|mi}} or {{convert|5|to|10|km}}.":    "It is 5 km or 5 to 10 km.",
		"The word {{lang|fr|mot}} and {{lang-de|Wort}}.":          "The word mot and Wort.",
		"{| class=x\n| a || b\n{| nested |}\n|}After.":            "After.",
		"a &amp;nbsp;b&nbsp;c &lt; d":                             "a &nbsp;b c < d",
		"<math>x^2</math>Then <small>small</small> text.":         "Then small text.",
		"<nowiki>[[not a link]]</nowiki>":                         "[[not a link]]",
		"__NOTOC__Text __init__":                                  "Text __init__",
		"* one\n* two\n# three":                                   "one\ntwo\nthree",
		"Broken {{template and [[link":                            "Broken template and link",
		"x < y and [not a link]":                                  "x < y and [not a link]",
		"1 <br/>2":                                                "1\n2",
	} {
		if got, _ := Plain(source); got != want {
			t.Errorf("%q:\n got %q\nwant %q", source, got, want)
		}
	}
}

func TestSectionsOfAnArticle(t *testing.T) {
	text, sections := Plain("Lead.\n\n== One ==\n=== Empty ===\n=== Inner ===\nInside.\n\nMore.\n==See also==\n* [[Link]]\n=== Below ===\nGone.\n== Two == \n{{x}}\n==Three==\nLast.\n")
	if want := "Lead.\n\nOne\n\nInner\n\nInside.\n\nMore.\n\nThree\n\nLast."; text != want {
		t.Errorf("text is %q, want %q", text, want)
	}
	var got []string
	for _, s := range sections {
		if text[s.At:s.Start] != s.Heading+"\n" {
			t.Errorf("heading %q lies at %q", s.Heading, text[s.At:s.Start])
		}
		got = append(got, strings.Repeat("=", s.Level)+s.Heading+"|"+strings.TrimSpace(text[s.Start:s.End]))
	}
	want := "==One|;===Inner|Inside.\n\nMore.;==Three|Last."
	if strings.Join(got, ";") != want {
		t.Errorf("sections are %q, want %q", strings.Join(got, ";"), want)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("{{a|[[b]]}} == h ==\n{| x |} <ref>y</ref> '''z''' __TOC__ [http://a b]")
	f.Add("[[[[]]]]{{{{}}}}</ref><!--")
	f.Fuzz(func(t *testing.T, source string) {
		text, sections := Plain(source)
		at := 0
		for _, s := range sections {
			if s.At < at || s.Start < s.At || s.End < s.Start || s.End > len(text) {
				t.Errorf("%q: section %+v of a text of %d bytes, after %d", source, s, len(text), at)
			}
			at = s.End
		}
	})
}
