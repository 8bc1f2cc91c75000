package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ledongthuc/pdf"
)

// parsePDF returns the text of a PDF, a paragraph a page at least. Scanned pages have none.
func parsePDF(raw []byte) (d Document, err error) {
	defer func() {
		if failure := recover(); failure != nil { // the library panics on damaged files
			err = fmt.Errorf("broken PDF: %v", failure)
		}
	}()
	r, err := pdf.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return d, fmt.Errorf("broken PDF: %w", err)
	}
	var text strings.Builder
	for number := 1; number <= r.NumPage(); number++ {
		p := r.Page(number)
		if p.V.IsNull() {
			continue
		}
		writePage(&text, p.Content().Text)
	}
	d = Document{Text: strings.ToValidUTF8(strings.TrimSpace(text.String()), "\ufffd"), Line: 1}
	d.Title = strings.TrimSpace(strings.ToValidUTF8(r.Trailer().Key("Info").Key("Title").Text(), "\ufffd"))
	if d.Text == "" {
		return d, errors.New("PDF without text (scanned pages?), expected one with text")
	}
	return d, nil
}

// writePage puts the glyphs of a page together in the order that they are drawn in: a gap is a space, a step down a new
// line, a larger one a new paragraph.
func writePage(out *strings.Builder, glyphs []pdf.Text) {
	for i, g := range glyphs {
		if i > 0 {
			out.WriteString(between(glyphs[i-1], g))
		}
		out.WriteString(g.S)
	}
	out.WriteString("\n\n")
}

// between is the white space between two glyphs.
func between(before, after pdf.Text) string {
	height := math.Max(math.Max(before.FontSize, after.FontSize), 1)
	down := before.Y - after.Y
	switch {
	case down > 1.8*height || down < -2*height:
		return "\n\n"
	case math.Abs(down) > 0.5*height:
		return "\n"
	case after.X-(before.X+before.W) > 0.15*height && before.S != " " && after.S != " ":
		return " "
	}
	return ""
}
