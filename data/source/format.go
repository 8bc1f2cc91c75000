package source

import (
	"path/filepath"
	"slices"
	"strings"
)

// Format says how a file is read.
type Format string

// The formats, as they are called in messages.
const (
	Text      Format = "text"
	Markdown  Format = "Markdown"
	HTML      Format = "HTML"
	PDF       Format = "PDF"
	Go        Format = "Go source"
	Code      Format = "source code" // in another language
	Lines     Format = "JSON Lines"
	CSV       Format = "CSV"
	TSV       Format = "TSV"
	Parquet   Format = "Parquet"
	Wikipedia Format = "Wikipedia dump"
	Posts     Format = "Stack Overflow posts"
)

// Expected says what FormatOf knows, for messages.
const Expected = "text, Markdown, HTML, PDF, source code, JSON Lines (.jsonl), CSV, TSV, Parquet, a Wikipedia dump " +
	"(…pages-articles….xml.bz2) or Posts.xml, each plain, .gz, .zst or .bz2"

// byExtension tells the format of most files.
var byExtension = map[string]Format{
	".go": Go, ".md": Markdown, ".markdown": Markdown, ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".pdf": PDF,
	".jsonl": Lines, ".ndjson": Lines, ".csv": CSV, ".tsv": TSV, ".parquet": Parquet,
}

var textExtensions = strings.Fields(`.txt .text .rst .adoc .tex .org`)

var codeExtensions = strings.Fields(`.py .pyi .c .h .cc .cpp .cxx .hh .hpp .hxx .java .js .mjs .cjs .jsx .ts .mts .tsx
	.rs .rb .php .cs .swift .kt .scala .lua .pl .r .jl .sh .sql .proto .hs .ml .ex .erl .clj .m .zig .s`)

// FormatOf tells by its name how a file is read; ok is false for what cannot be read.
func FormatOf(path string) (format Format, ok bool) {
	name := strings.ToLower(filepath.Base(TrimCompression(path)))
	extension := filepath.Ext(name)
	if format, ok = byExtension[extension]; ok {
		return format, true
	}
	switch {
	case slices.Contains(textExtensions, extension):
		return Text, true
	case slices.Contains(codeExtensions, extension):
		return Code, true
	case extension == ".xml" && strings.Contains(name, "pages-") || strings.Contains(name, "pages-articles") && strings.Contains(name, ".xml"):
		return Wikipedia, true // parts of a dump are called …xml-p1p41242
	case extension == ".xml" && strings.HasSuffix(name, "posts.xml"):
		return Posts, true
	}
	return "", false
}

// Whole tells whether a file of the format is one document.
func (f Format) Whole() bool {
	switch f {
	case Text, Markdown, HTML, PDF, Go, Code:
		return true
	}
	return false
}

// TrimCompression takes the ending that says how a file is compressed from its name.
func TrimCompression(name string) string {
	for _, ending := range []string{".gz", ".zst", ".bz2"} {
		if trimmed, found := strings.CutSuffix(name, ending); found {
			return trimmed
		}
	}
	return name
}
