package prepare

import (
	"bytes"
	"fmt"
	"html"
	"path"
	"strings"
	"unicode"

	"revela/data/sentence"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// minHeadingWords is what a heading needs to be a query, in words that hold a letter; one of fewer follows the
// document's title.
const minHeadingWords = 2

// isMarkdown tells by a file's name or a record's id.
func isMarkdown(name string) bool {
	extension := strings.ToLower(path.Ext(name))
	return extension == ".md" || extension == ".markdown"
}

// section is a heading and where the text up to the next heading lies.
type section struct {
	level   int
	heading string // on one line, without markup
	at      int    // where the heading starts
	text    span
}

// span is a part of a text in bytes.
type span struct{ start, end int }

// sections pairs the headings of a Markdown document with the first chunk of the text below each, up to the next
// heading of any level. Sections without a word of text, and what comes before the first heading, are left out.
func (d document) sections(yield func(unit) error) error {
	sections := parseSections([]byte(d.text))
	title := d.title
	for _, s := range sections {
		if s.level == 1 {
			title = s.heading
			break
		}
	}
	var headings headingPath
	for i, s := range sections {
		name := headings.enter(s)
		chunks := sentence.Chunks(d.text[s.text.start:s.text.end], sentence.MaxWords)
		if len(chunks) == 0 || plain(chunks[0]) == "" {
			continue
		}
		query := headingQuery(title, s.heading)
		u := unit{
			id: fmt.Sprintf("%s#%d", d.id, i), name: name, document: d.id, folder: d.folder, pkg: d.folder,
			file: d.file, line: d.line, text: chunks[0], query: query,
		}
		if spokenWords(query) >= minHeadingWords {
			u.sentence, u.usable = query, true
		}
		if d.ownFile {
			u.line += strings.Count(d.text[:s.at], "\n")
		}
		if err := yield(u); err != nil {
			return err
		}
	}
	return nil
}

// spokenWords counts words that hold a letter: a version or a date is none.
func spokenWords(heading string) int {
	n := 0
	for _, word := range strings.Fields(plain(heading)) {
		if strings.ContainsFunc(word, unicode.IsLetter) {
			n += sentence.Words(word)
		}
	}
	return n
}

// headingQuery is the heading; one that says too little alone, such as Usage or 1.2.3, follows the title.
func headingQuery(title, heading string) string {
	if spokenWords(heading) >= minHeadingWords || heading == "" || title == "" || title == heading {
		return heading
	}
	return title + ": " + heading
}

// headingPath holds the headings that a section is below, by level from 1.
type headingPath [7]string

// enter goes on to a section and returns its path: Guide > Installation > Linux.
func (p *headingPath) enter(s section) string {
	p[s.level] = s.heading
	clear(p[s.level+1:])
	var path []string
	for _, heading := range p {
		if heading != "" {
			path = append(path, heading)
		}
	}
	return strings.Join(path, " > ")
}

// parseSections finds the headings of CommonMark, those within quotes and lists aside.
func parseSections(source []byte) []section {
	skipped := frontMatter(source)
	source = source[skipped:]
	var sections []section
	for n := goldmark.DefaultParser().Parse(text.NewReader(source)).FirstChild(); n != nil; n = n.NextSibling() {
		heading, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		at := skipped + heading.Pos()
		if len(sections) > 0 {
			sections[len(sections)-1].text.end = at
		}
		sections = append(sections, section{
			level: heading.Level, heading: headingText(heading, source), at: at,
			text: span{skipped + headingEnd(heading, source), skipped + len(source)},
		})
	}
	return sections
}

// frontMatter returns the length of the YAML between two lines --- at the start, which CommonMark takes for a heading.
func frontMatter(source []byte) int {
	at := 0
	for line := range bytes.Lines(source) {
		fence := string(bytes.TrimRight(line, " \r\n")) == "---"
		if at == 0 && !fence {
			return 0
		}
		at += len(line)
		if fence && at > len(line) {
			return at
		}
	}
	return 0
}

// headingEnd is where the line after a heading starts.
func headingEnd(heading *ast.Heading, source []byte) int {
	end := heading.Pos()
	if lines := heading.Lines(); lines.Len() > 0 && lines.At(0).Start == end {
		end = nextLine(source, lines.At(lines.Len()-1).Stop) // underlined: its text starts where it starts itself
	}
	return nextLine(source, end)
}

func nextLine(source []byte, at int) int {
	if length := bytes.IndexByte(source[at:], '\n'); length >= 0 {
		return at + length + 1
	}
	return len(source)
}

// headingText is what a reader sees of a heading: links, emphasis, entities and escapes resolved.
func headingText(heading *ast.Heading, source []byte) string {
	var b strings.Builder
	visit := func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.AutoLink:
			if entering {
				b.Write(n.Label(source))
			}
		case *ast.Text:
			if !entering {
				break
			}
			value := n.Value(source)
			if n.Parent().Kind() != ast.KindCodeSpan {
				value = []byte(html.UnescapeString(string(util.UnescapePunctuations(value))))
			}
			b.Write(value)
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	}
	if err := ast.Walk(heading, visit); err != nil {
		return "" // visit returns none
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
