package prepare

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"revela/data/jsonl"
	"revela/data/sentence"
)

// minTitleWords is what a title needs to be the query of a held-out collection or a training pair.
const minTitleWords = 3

// document is a text with a title, before it is cut.
type document struct {
	id, title, text string
	folder          string
	file            string
	line            int
	markdown        bool
	ownFile         bool // the document is the whole file
}

// units cuts a document into chunks of whole sentences; with titles, into the pair of its title and first chunk.
func (d document) units(titles bool, yield func(unit) error) error {
	text := d.text
	if titles {
		text = withoutTitle(text, d.title)
	}
	chunks := sentence.Chunks(text, sentence.MaxWords)
	if titles {
		chunks = chunks[:min(1, len(chunks))]
	}
	for i, chunk := range chunks {
		u := unit{
			id: fmt.Sprintf("%s#%d", d.id, i), name: d.title, document: d.id, folder: d.folder, pkg: d.folder,
			file: d.file, line: d.line, text: chunk, usable: !titles,
		}
		if titles {
			u.id = d.id
			u.query = strings.Join(strings.Fields(d.title), " ")
			u.sentence = u.query
			u.usable = wordCount(u.query) >= minTitleWords
		}
		if err := yield(u); err != nil {
			return err
		}
	}
	return nil
}

// withoutTitle takes the title from the start of the text, where it gives the pair away.
func withoutTitle(text, title string) string {
	if rest, found := strings.CutPrefix(strings.TrimLeft(text, "# \t\r\n"), title); found && title != "" {
		return rest
	}
	return text
}

// readText reads a text file as one document. The title of Markdown is its first heading.
func readText(f file) (document, error) {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return document{}, fmt.Errorf("read input: %w", err)
	}
	if err := checkLines(f.path, content); err != nil {
		return document{}, broken(err)
	}
	d := document{id: idOf(f.relative), text: string(content), folder: path.Dir(f.relative), file: f.path, line: 1, markdown: isMarkdown(f.path), ownFile: true}
	if d.markdown {
		first, _, _ := strings.Cut(strings.TrimSpace(d.text), "\n")
		if title, found := strings.CutPrefix(first, "# "); found {
			d.title = strings.TrimSpace(title)
		}
	}
	return d, nil
}

// readRecord reads a line of JSON Lines: {"_id": …, "title": …, "text": …}; only text must be there.
func readRecord(f file, line jsonl.Line) (document, error) {
	var record struct {
		ID    *string `json:"_id"`
		Title string  `json:"title"`
		Text  *string `json:"text"`
	}
	err := jsonl.CheckUTF8(line.Text)
	if err == nil {
		err = describe(json.Unmarshal(line.Text, &record))
	}
	if err == nil && record.Text == nil {
		err = errors.New(`object without "text", expected {"_id": …, "title": …, "text": …}`)
	}
	if err != nil {
		return document{}, broken(fmt.Errorf("%s:%d: %w", f.path, line.Number, err))
	}
	d := document{title: record.Title, text: *record.Text, folder: f.relative, file: f.path, line: line.Number}
	if record.ID == nil {
		d.id = idOf(fmt.Sprintf("%s:%d", f.relative, line.Number))
		return d, nil
	}
	d.id, d.markdown = idOf(*record.ID), isMarkdown(*record.ID)
	if folder := path.Dir(d.id); folder != "." {
		d.folder = folder
	}
	return d, nil
}

// idOf makes an id without white space, which runs and qrels cannot hold.
func idOf(name string) string { return strings.Join(strings.Fields(name), "_") }

// describe puts a JSON error into plain words.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%q is of type %s, expected a text", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf(`line is of type %s, expected {"_id": …, "title": …, "text": …}`, wrong.Value)
	}
	return fmt.Errorf(`broken JSON: %w, expected {"_id": …, "title": …, "text": …}`, err)
}
