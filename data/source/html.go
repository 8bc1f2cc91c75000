package source

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// parseHTML returns what a reader sees of a page: its title, its text by paragraphs, its headings. Where the page marks
// its main part (main, else a single article), only that counts; navigation, scripts and forms never do.
func parseHTML(raw []byte) (Document, error) {
	decoded, err := toUTF8(raw)
	if err != nil {
		return Document{}, err
	}
	root, err := html.Parse(bytes.NewReader(decoded))
	if err != nil {
		return Document{}, fmt.Errorf("broken HTML: %w", err)
	}
	var p page
	p.walk(mainPart(root))
	d := Document{Text: p.text.String(), Sections: p.sections, Line: 1}
	if trimmed := strings.TrimRightFunc(d.Text, unicode.IsSpace); len(trimmed) < len(d.Text) {
		d.Text = trimmed
	}
	for i := range d.Sections {
		s := &d.Sections[i]
		s.End = len(d.Text)
		if i+1 < len(d.Sections) {
			s.End = d.Sections[i+1].At
		}
		s.Start = min(s.Start, s.End)
	}
	if title := find(root, atom.Title); title != nil {
		d.Title = strings.Join(strings.Fields(innerText(title)), " ")
	}
	for _, s := range d.Sections {
		if s.Level == 1 && d.Title == "" {
			d.Title = s.Heading
		}
	}
	return d, nil
}

// toUTF8 decodes a page that says, or whose bytes tell, that it is in another encoding.
func toUTF8(raw []byte) ([]byte, error) {
	if utf8.Valid(raw) {
		return raw, nil
	}
	r, err := charset.NewReader(bytes.NewReader(raw), "")
	if err != nil {
		return nil, fmt.Errorf("decode HTML: %w", err)
	}
	decoded, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("decode HTML: %w", err)
	}
	return decoded, nil
}

// mainPart is the element that holds the page's own text.
func mainPart(root *html.Node) *html.Node {
	if n := find(root, atom.Main); n != nil {
		return n
	}
	var articles []*html.Node
	for n := range root.Descendants() {
		if n.DataAtom == atom.Article && n.Type == html.ElementNode {
			articles = append(articles, n)
		}
	}
	if len(articles) == 1 {
		return articles[0]
	}
	return root
}

func find(root *html.Node, name atom.Atom) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == name && (n.Namespace == "" || name != atom.Title) {
			return n
		}
	}
	return nil
}

// page collects text.
type page struct {
	text     strings.Builder
	sections []Section
	pre      int // depth of elements whose white space counts
	breaks   int // line breaks to write before the next text
	space    bool
}

// unseen are elements whose content is not read.
var unseen = map[atom.Atom]bool{
	atom.Head: true, atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true,
	atom.Nav: true, atom.Footer: true, atom.Aside: true, atom.Form: true, atom.Iframe: true, atom.Button: true,
	atom.Select: true, atom.Textarea: true, atom.Object: true, atom.Canvas: true, atom.Video: true, atom.Audio: true, atom.Math: true,
}

// blocks start a line of their own; paragraphs have a blank line around them.
var blocks = map[atom.Atom]int{
	atom.Br: 1, atom.Li: 1, atom.Tr: 1, atom.Dt: 1, atom.Dd: 1, atom.Option: 1, atom.Caption: 1, atom.Figcaption: 1, atom.Hr: 2,
	atom.P: 2, atom.Div: 2, atom.Section: 2, atom.Article: 2, atom.Main: 2, atom.Header: 2, atom.Blockquote: 2, atom.Pre: 2,
	atom.Ul: 2, atom.Ol: 2, atom.Dl: 2, atom.Table: 2, atom.Figure: 2, atom.Details: 2, atom.Summary: 2, atom.Address: 2,
	atom.H1: 2, atom.H2: 2, atom.H3: 2, atom.H4: 2, atom.H5: 2, atom.H6: 2,
}

func headingLevel(name atom.Atom) int {
	switch name {
	case atom.H1:
		return 1
	case atom.H2:
		return 2
	case atom.H3:
		return 3
	case atom.H4:
		return 4
	case atom.H5:
		return 5
	case atom.H6:
		return 6
	}
	return 0
}

func (p *page) walk(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		p.write(n.Data)
		return
	case html.ElementNode:
		if unseen[n.DataAtom] || hidden(n) {
			return
		}
	}
	breaks := blocks[n.DataAtom]
	p.breaks = max(p.breaks, breaks)
	if level := headingLevel(n.DataAtom); level > 0 {
		p.heading(n, level)
		return
	}
	if n.DataAtom == atom.Pre {
		p.pre++
		defer func() { p.pre-- }()
	}
	for child := range n.ChildNodes() {
		p.walk(child)
	}
	if p.breaks = max(p.breaks, breaks); n.DataAtom == atom.Td || n.DataAtom == atom.Th {
		p.space = true
	}
}

// heading writes a heading as a line of its own.
func (p *page) heading(n *html.Node, level int) {
	words := strings.Trim(strings.Join(strings.Fields(innerText(n)), " "), " ¶#")
	if words == "" {
		return
	}
	p.flush()
	at := p.text.Len()
	p.text.WriteString(words)
	p.breaks = 2
	p.sections = append(p.sections, Section{Level: level, Heading: words, At: at, Start: p.text.Len()})
}

// flush writes the white space that comes before text.
func (p *page) flush() {
	switch {
	case p.text.Len() == 0:
	case p.breaks > 0:
		p.text.WriteString("\n\n"[:min(2, p.breaks)])
	case p.space:
		p.text.WriteByte(' ')
	}
	p.breaks, p.space = 0, false
}

// write adds text, white space folded outside pre.
func (p *page) write(text string) {
	if p.pre > 0 {
		if p.flush(); text != "" {
			p.text.WriteString(text)
		}
		return
	}
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) })
		if start != 0 {
			p.space = true
		}
		if start < 0 {
			return
		}
		text = text[start:]
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		p.flush()
		p.text.WriteString(text[:end])
		text = text[end:]
	}
}

// hidden tells whether an element is marked as not to be shown.
func hidden(n *html.Node) bool {
	for _, a := range n.Attr {
		if a.Key == "hidden" || a.Key == "aria-hidden" && a.Val == "true" || a.Key == "role" && a.Val == "navigation" {
			return true
		}
	}
	return false
}

// innerText is all text below a node.
func innerText(n *html.Node) string {
	var b strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			b.WriteString(child.Data)
		}
	}
	return b.String()
}
