package wikitext

import (
	"strings"
)

// dropped are elements whose content is no text of the article.
var dropped = set(`ref|gallery|timeline|imagemap|math|chem|score|references|graph|mapframe|maplink|templatestyles|
	hiero|section|categorytree|inputbox|ce`)

// verbatim are elements whose content is taken as it stands.
var verbatim = set(`nowiki|pre|syntaxhighlight|source|code`)

// tag deals with an element or a comment at the start of what is left.
func (s *stripper) tag() {
	if strings.HasPrefix(s.rest, "<!--") {
		_, rest, found := strings.Cut(s.rest, "-->")
		if !found {
			rest = ""
		}
		s.rest = rest
		return
	}
	end := strings.IndexByte(s.rest, '>')
	name := tagName(s.rest)
	if end < 0 || name == "" {
		s.out.WriteByte('<')
		s.rest = s.rest[1:]
		return
	}
	whole := s.rest[:end+1]
	s.rest = s.rest[end+1:]
	switch alone := strings.HasSuffix(whole, "/>"); {
	case whole[1] == '/' || alone && name != "br":
	case name == "br" || name == "p" || name == "div":
		s.out.WriteByte('\n')
	case dropped[name]:
		s.element(name)
	case verbatim[name]:
		s.out.WriteString(s.element(name))
	}
}

// tagName returns the name of the tag that text starts with in lower case, "" where it starts with none.
func tagName(text string) string {
	at := 1
	if strings.HasPrefix(text, "</") {
		at = 2
	}
	start := at
	for at < len(text) && (text[at] >= 'a' && text[at] <= 'z' || text[at] >= 'A' && text[at] <= 'Z' || at > start && text[at] >= '0' && text[at] <= '9') {
		at++
	}
	return strings.ToLower(text[start:at])
}

// element takes the content of an element that has been opened; without its end nothing is taken.
func (s *stripper) element(name string) string {
	for at := 0; ; {
		next := strings.Index(s.rest[at:], "</")
		if next < 0 {
			return ""
		}
		at += next
		if tagName(s.rest[at:]) == name {
			inside := s.rest[:at]
			_, s.rest, _ = strings.Cut(s.rest[at:], ">")
			return inside
		}
		at += 2
	}
}

// externalLink leaves the words of [http://… words].
func (s *stripper) externalLink() {
	end := strings.IndexAny(s.rest, "]\n")
	inside := ""
	if end > 0 {
		inside = s.rest[1:end]
	}
	if end < 0 || s.rest[end] != ']' || !strings.Contains(inside, "//") && !strings.HasPrefix(inside, "mailto:") {
		s.out.WriteByte('[')
		s.rest = s.rest[1:]
		return
	}
	_, words, _ := strings.Cut(inside, " ")
	s.rest = words + s.rest[end+1:]
}

// namespaces are those whose links show no text, in the languages of large Wikipedias.
var namespaces = set(`file|image|category|media|datei|bild|kategorie|fichier|catégorie|archivo|imagen|categoría|immagine|
	categoria|ficheiro|imagem|bestand|categorie|plik|grafika|kategoria|файл|изображение|категория|ファイル|画像|文件|檔案|分类|分類|
	fil|kategori|soubor|kategorie|tiedosto|luokka|파일|분류|ملف|تصنيف|קובץ|קטגוריה|tập tin|thể loại|dosya|kategori|файл|категорія`)

// link leaves the words of [[page|words]].
func link(inside string) string {
	page, words, found := strings.Cut(inside, "|")
	page = strings.TrimSpace(page)
	if prefix, rest, colon := strings.Cut(page, ":"); colon {
		name := strings.ToLower(strings.TrimSpace(prefix))
		if namespaces[name] || !found && isLanguage(name) && rest != "" {
			return ""
		}
	}
	if !found {
		return strip(strings.TrimPrefix(page, ":"))
	}
	return strip(words)
}

// isLanguage tells whether a prefix is the code of another Wikipedia: [[fr:Page]] shows nothing.
func isLanguage(prefix string) bool {
	if len(prefix) < 2 || len(prefix) > 3 {
		return false
	}
	return strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz") == ""
}

// firstArgument and lastArgument name templates that show an argument as text.
var (
	firstArgument = set(`nowrap|small|smaller|big|nobold|em|strong|abbr|sic|linktext|ill|interlanguage link|wiktionary-inline|
		ship|mono|code|tt|char|visible anchor|nihongo|nihongo2|as of|bigger|sc|smallcaps|angbr|vanchor|ussr`)
	lastArgument = set(`lang|langx|transl|transliteration|lang-x|color|font color|script|tooltip|xt|tlit`)
)

// template gives the words of the few templates that stand within sentences.
func template(inside string) string {
	parts := arguments(inside)
	name := strings.ToLower(strings.TrimSpace(parts[0]))
	var values []string
	for _, argument := range parts[1:] {
		if key, _, named := strings.Cut(argument, "="); !named || strings.ContainsAny(key, "<[ ") {
			values = append(values, strings.TrimSpace(argument))
		}
	}
	switch {
	case len(values) == 0:
		return templateAlone(name)
	case firstArgument[name]:
		return strip(values[0])
	case lastArgument[name]:
		return strip(values[len(values)-1])
	case name == "convert" || name == "cvt":
		return convert(values)
	case strings.HasPrefix(name, "lang-"):
		return strip(values[0])
	}
	return ""
}

// templateAlone gives the characters that templates without arguments stand for.
func templateAlone(name string) string {
	switch name {
	case "snd", "spnd", "spaced en dash", "spaced ndash":
		return " – "
	case "en dash", "ndash":
		return "–"
	case "em dash", "mdash":
		return "—"
	case "nbsp", "space":
		return " "
	case "'":
		return "'"
	case "=":
		return "="
	case "!":
		return "|"
	}
	return ""
}

// convert shows a quantity as it was entered: {{convert|5|km|mi}}, {{convert|5|to|10|km}}.
func convert(values []string) string {
	if len(values) > 3 && (values[1] == "to" || values[1] == "-" || values[1] == "–" || values[1] == "and") {
		return strings.Join(values[:4], " ")
	}
	return strings.Join(values[:min(2, len(values))], " ")
}

// arguments splits what stands in a template at the bars that are in no other markup.
func arguments(inside string) []string {
	var parts []string
	start, depth := 0, 0
	for at := 0; at < len(inside); at++ {
		switch {
		case strings.HasPrefix(inside[at:], "{{") || strings.HasPrefix(inside[at:], "[["):
			depth++
			at++
		case strings.HasPrefix(inside[at:], "}}") || strings.HasPrefix(inside[at:], "]]"):
			depth--
			at++
		case inside[at] == '|' && depth == 0:
			parts = append(parts, inside[start:at])
			start = at + 1
		}
	}
	return append(parts, inside[start:])
}
