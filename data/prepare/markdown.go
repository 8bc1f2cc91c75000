package prepare

import (
	"bytes"
	"fmt"
	"html"
	"path"
	"strings"
	"unicode"

	"revela/data/sentence"
	"revela/data/source"

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

// headingsOf returns the sections of a document: those that its format tells, or Markdown's. known is false where the
// format has no headings.
func (d document) headingsOf() (sections []source.Section, known bool) {
	if d.Markdown {
		return parseSections([]byte(d.Text)), true
	}
	return d.Sections, d.Sections != nil
}

// titleOf is the first heading of level 1, or the document's own title.
func (d document) titleOf(sections []source.Section) string {
	for _, s := range sections {
		if s.Level == 1 {
			return s.Heading
		}
	}
	return d.Title
}

// headings pairs the headings of a document with the first chunk of the text below each, up to the next heading of any
// level. Sections without a word of text, and what comes before the first heading, are left out.
func (c cutter) headings(d document, yield func(unit) error) error {
	sections, _ := d.headingsOf()
	title := d.titleOf(sections)
	var path headingPath
	for i, s := range sections {
		name := path.enter(s)
		chunks := c.spans(d.Text[s.Start:s.End])
		if len(chunks) == 0 || plain(d.Text[s.Start+chunks[0].Start:s.Start+chunks[0].End]) == "" {
			continue
		}
		u := d.unit(fmt.Sprintf("%s#%d", d.id, i), name, sentence.Span{Start: s.Start + chunks[0].Start, End: s.Start + chunks[0].End})
		u.query, u.usable = headingQuery(title, s.Heading), false
		if spokenWords(u.query) >= minHeadingWords {
			u.sentence, u.usable = u.query, true
		}
		if d.ownFile {
			u.line += strings.Count(d.Text[:s.At], "\n")
		}
		if err := yield(u); err != nil {
			return err
		}
	}
	return nil
}

// sections yields each heading with the text below it, and first what comes before the first heading. A section of more
// words than a chunk holds is cut at whole sentences. Headings without text are left out.
func (c cutter) sections(d document, yield func(unit) error) error {
	sections, _ := d.headingsOf()
	first := len(d.Text)
	if len(sections) > 0 {
		first = sections[0].At
	}
	parts := append([]source.Section{{End: first}}, sections...)
	title, number := d.titleOf(sections), 0
	var path headingPath
	for _, part := range parts {
		name := title
		if part.Level > 0 {
			name = path.enter(part)
		}
		if plain(d.Text[part.Start:part.End]) == "" {
			continue
		}
		for _, s := range c.spans(d.Text[part.At:part.End]) {
			u := d.unit(fmt.Sprintf("%s#%d", d.id, number), name, sentence.Span{Start: part.At + s.Start, End: part.At + s.End})
			if d.ownFile {
				u.line += strings.Count(d.Text[:u.from], "\n")
			}
			if err := yield(u); err != nil {
				return err
			}
			number++
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
func (p *headingPath) enter(s source.Section) string {
	p[s.Level] = s.Heading
	clear(p[s.Level+1:])
	var path []string
	for _, heading := range p {
		if heading != "" {
			path = append(path, heading)
		}
	}
	return strings.Join(path, " > ")
}

// parseSections finds the headings of CommonMark, those within quotes and lists aside.
func parseSections(content []byte) []source.Section {
	skipped := frontMatter(content)
	content = content[skipped:]
	var sections []source.Section
	for n := goldmark.DefaultParser().Parse(text.NewReader(content)).FirstChild(); n != nil; n = n.NextSibling() {
		heading, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		at := skipped + heading.Pos()
		if len(sections) > 0 {
			sections[len(sections)-1].End = at
		}
		sections = append(sections, source.Section{
			Level: heading.Level, Heading: headingText(heading, content), At: at,
			Start: skipped + headingEnd(heading, content), End: skipped + len(content),
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
