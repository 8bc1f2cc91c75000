package prepare

import (
	"fmt"
	"path"
	"strings"

	"revela/data/sentence"
	"revela/data/source"
)

// minTitleWords is what a title needs to be the query of a held-out collection or a training pair.
const minTitleWords = 3

// document is a text with a title and its place in the inputs, before it is cut.
type document struct {
	source.Document
	id      string
	folder  string
	file    string
	ownFile bool // the document is the whole file
}

// newDocument gives a document of a file its id and folder.
func newDocument(f file, d source.Document) document {
	doc := document{Document: d, file: f.path, ownFile: f.format.Whole()}
	switch {
	case doc.ownFile:
		doc.id, doc.folder = idOf(f.relative), path.Dir(f.relative)
		return doc
	case d.ID == "":
		doc.id = idOf(fmt.Sprintf("%s:%d", f.relative, d.Line))
	default:
		doc.id = idOf(d.ID)
	}
	doc.folder = f.relative
	switch f.format {
	case source.Wikipedia:
	case source.Posts: // a question with its answers
		if doc.folder = d.Parent; d.Parent == "" {
			doc.folder = d.ID
		}
	default:
		doc.Markdown = isMarkdown(d.ID)
		if folder := path.Dir(doc.id); d.ID != "" && folder != "." {
			doc.folder = folder
		}
	}
	return doc
}

// idOf makes an id without white space, which runs and qrels cannot hold.
func idOf(name string) string { return strings.Join(strings.Fields(name), "_") }

// cutter cuts documents into units.
type cutter struct{ opt Options }

// spans returns where the chunks of a text lie.
func (c cutter) spans(text string) []sentence.Span {
	if c.opt.Unit == Tokens {
		return sentence.Pack(text, c.opt.MaxTokens, c.opt.CountTokens)
	}
	return sentence.Spans(text, sentence.MaxWords)
}

// cut yields the units of a document: its chunks, or with queries a pair for its title or each of its headings.
func (c cutter) cut(d document, yield func(unit) error) error {
	switch {
	case c.opt.Queries == Headings:
		return c.headings(d, yield)
	case c.opt.Queries == Titles:
		return c.title(d, yield)
	case c.opt.Unit == Sections:
		return c.sections(d, yield)
	}
	for i, s := range c.spans(d.Text) {
		if err := yield(d.unit(fmt.Sprintf("%s#%d", d.id, i), d.Title, s)); err != nil {
			return err
		}
	}
	return nil
}

// unit is a part of the document.
func (d document) unit(id, name string, s sentence.Span) unit {
	return unit{
		id: id, name: name, document: d.id, folder: d.folder, pkg: d.folder, file: d.file, line: d.Line,
		from: s.Start, to: s.End, text: d.Text[s.Start:s.End], usable: true,
	}
}

// title yields the pair of a document's title and its first chunk.
func (c cutter) title(d document, yield func(unit) error) error {
	start := withoutTitle(d.Text, d.Title)
	chunks := c.spans(d.Text[start:])
	if len(chunks) == 0 {
		return nil
	}
	u := d.unit(d.id, d.Title, sentence.Span{Start: start + chunks[0].Start, End: start + chunks[0].End})
	u.query = strings.Join(strings.Fields(d.Title), " ")
	u.sentence = u.query
	u.usable = wordCount(u.query) >= minTitleWords
	return yield(u)
}

// withoutTitle is where the text goes on behind a title at its start, which would give the pair away.
func withoutTitle(text, title string) int {
	trimmed := strings.TrimLeft(text, "# \t\r\n")
	if title != "" && strings.HasPrefix(trimmed, title) {
		return len(text) - len(trimmed) + len(title)
	}
	return 0
}
