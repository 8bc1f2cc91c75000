package source

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"revela/data/parquet"
	"revela/internal/testdata"
)

// readAll reads all documents of a file, and what is wrong with records.
func readAll(t *testing.T, path string) (documents []Document, wrong []string) {
	t.Helper()
	format, ok := FormatOf(path)
	if !ok {
		t.Fatalf("%s has no format", path)
	}
	var read atomic.Int64
	r, err := Open(path, format, &read)
	if err != nil {
		return nil, []string{strings.ReplaceAll(err.Error(), path, "FILE")}
	}
	var records []Record
	for r.Next() {
		records = append(records, r.Record())
	}
	if err := r.Err(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, record := range records { // after all are read: they must stay valid
		d, ok, err := Parse(path, format, record)
		switch {
		case err != nil:
			wrong = append(wrong, strings.ReplaceAll(err.Error(), path, "FILE"))
		case ok:
			documents = append(documents, d)
		}
	}
	if info, err := os.Stat(path); err == nil && read.Load() != info.Size() {
		t.Errorf("%s: %d bytes are counted of %d", filepath.Base(path), read.Load(), info.Size())
	}
	return documents, wrong
}

func TestRecordsOfEveryFormat(t *testing.T) {
	lines := "{\"_id\": \"a\", \"title\": \"T\", \"text\": \"One\"}\n\n{\"docid\": 7, \"contents\": \"Two\"}\n{\"text\": \"Three\"}\n"
	table := "id,title,text,more\na,T,\"One, or\nmore\",x\nb,,\"He said \"\"no\"\"\",y\n"
	want := map[string][]Document{
		"a.jsonl":     {{ID: "a", Title: "T", Text: "One", Line: 1}, {ID: "7", Text: "Two", Line: 3}, {Text: "Three", Line: 4}},
		"b.csv":       {{ID: "a", Title: "T", Text: "One, or\nmore", Line: 2}, {ID: "b", Text: `He said "no"`, Line: 4}},
		"c.tsv":       {{ID: "a", Title: "T", Text: `One "or" more`, Line: 2}},
		"Posts.xml":   {{ID: "4", Title: "Why <b>?", Text: "Use x < 1.\n\nfor {\n}", Line: 3}, {ID: "7", Parent: "4", Text: "Because.", Line: 4}},
		"d.txt":       {{Text: "Plain.\n", Line: 1}},
		"e.md":        {{Title: "Head", Text: "# Head\n\nText.", Line: 1, Markdown: true}},
		"f.ndjson.gz": {{Text: "Three", Line: 1}},
	}
	content := map[string]string{
		"a.jsonl": lines, "b.csv": table, "c.tsv": "_id\tText\ttitle\na\tOne \"or\" more\tT\n",
		"Posts.xml": "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<posts>\n" +
			`  <row Id="4" PostTypeId="1" Title="Why &lt;b&gt;?" Body="&lt;p&gt;Use x &amp;lt; 1.&lt;/p&gt;&#xA;&lt;pre&gt;&lt;code&gt;for {&#xA;}&lt;/code&gt;&lt;/pre&gt;" />` + "\n" +
			`  <row Id="7" PostTypeId="2" ParentId="4" Body="&lt;p&gt;Because.&lt;/p&gt;" />` + "\n" +
			`  <row Id="9" PostTypeId="5" Body="A wiki." />` + "\n</posts>\n",
		"d.txt": "Plain.\n", "e.md": "# Head\n\nText.", "f.ndjson.gz": `{"text": "Three"}`,
	}
	for name, documents := range want {
		for _, ending := range []string{"", ".gz", ".zst"} {
			if strings.HasSuffix(name, ".gz") && ending != "" {
				continue
			}
			got, wrong := readAll(t, testdata.Write(t, name+ending, content[name]))
			if len(wrong) > 0 || !reflect.DeepEqual(got, documents) {
				t.Errorf("%s%s:\n got %+v %v\nwant %+v", name, ending, got, wrong, documents)
			}
		}
	}
}

func TestParquetRows(t *testing.T) {
	type row struct {
		DocID int64  `parquet:"docid"`
		Title string `parquet:"title"`
		Text  string `parquet:"text"`
		Other bool   `parquet:"other"`
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	err := parquet.Write(path, func(put func(row) error) error {
		for i := range 5000 {
			if err := put(row{int64(i), "T", fmt.Sprintf("Text %d", i), true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, wrong := readAll(t, path)
	if len(got) != 5000 || len(wrong) > 0 || !reflect.DeepEqual(got[4321], Document{ID: "4321", Title: "T", Text: "Text 4321", Line: 4322}) {
		t.Errorf("%d rows, %v", len(got), wrong)
	}
}

func TestBrokenRecordsAreNamed(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"a.csv":         {"id,text\na,b,c\nd,e\n", "FILE:2: wrong number of fields"},
		"b.csv":         {"id,text\na,\"b\" c\n", "FILE:2: extraneous or missing \" in quoted-field"},
		"c.csv":         {"", "FILE:1: no line, expected one with the names of the columns"},
		"d.tsv":         {"id\ttext\na\tb\xff\n", "FILE:2: invalid UTF-8: byte 2 is 0xff, expected UTF-8 text"},
		"Posts.xml":     {"<posts>\n<row Id=\"1\" PostTypeId=\"1\" Body=\"x />\n", `FILE:2: broken row at "Body=\"x />", expected name="value" pairs and />`},
		"e.jsonl":       {`{"id": [], "text": "x"}`, `FILE:1: "id" is []interface {}, expected a text or a number`},
		"pages-a.xml":   {"<mediawiki>\n  <page>\n    <ns>0</ns>\n", "FILE:2: page without </page>, expected a whole one (is the file cut off?)"},
		"pages-b.xml":   {"<page>\n<ns>0</ns><title>T</title>\n</page>\n", `FILE:1: page "T" without <text>`},
		"f.pdf":         {"%PDF-1.4\nnothing", "FILE: broken PDF"},
		"utf8.txt":      {"good\nbad \xfe\n", "FILE:2: invalid UTF-8: byte 5 is 0xfe, expected UTF-8 text"},
		"other.parquet": {"PAR1", "FILE: not a Parquet file"},
	} {
		_, wrong := readAll(t, testdata.Write(t, name, test.content))
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0], test.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, wrong, test.want)
		}
	}
}

func TestFormats(t *testing.T) {
	for name, want := range map[string]Format{
		"a.MD": Markdown, "b.html.gz": HTML, "c.py": Code, "d.go": Go, "enwiki-latest-pages-articles.xml.bz2": Wikipedia,
		"enwiki-20260101-pages-articles1.xml-p1p41242.bz2": Wikipedia, "Posts.xml": Posts, "stackoverflow.com-Posts.xml.zst": Posts,
		"e.csv.zst": CSV, "f.xml": "", "g.png": "", "h": "", "i.jsonl.bz2": Lines,
	} {
		if got, ok := FormatOf(filepath.Join("some", name)); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHTMLPages(t *testing.T) {
	page := `<!doctype html><html><head><title> The  page </title><style>p{}</style></head><body><nav>Menu</nav>
		<main><h1>Guide <a class="headerlink">¶</a></h1><p>First
		<b>bold</b>text &amp; more.<br>New line.</p><script>x()</script>
		<h2>Use &lt;it&gt;</h2><ul><li>one</li><li>two</li></ul><pre>a  b
  c</pre><table><tr><td>1</td><td>2</td></tr></table><p hidden>secret</p></main><footer>Foot</footer></body></html>`
	got, err := parseHTML([]byte(page))
	if err != nil {
		t.Fatal(err)
	}
	text := "Guide\n\nFirst boldtext & more.\nNew line.\n\nUse <it>\n\none\ntwo\n\na  b\n  c\n\n1 2"
	if got.Text != text || got.Title != "The page" {
		t.Errorf("got %q\n%q, want\n%q", got.Title, got.Text, text)
	}
	var sections []string
	for _, s := range got.Sections {
		sections = append(sections, fmt.Sprintf("%d %s|%s|%s", s.Level, s.Heading, got.Text[s.At:s.Start], strings.TrimSpace(got.Text[s.Start:s.End])))
	}
	want := []string{"1 Guide|Guide|First boldtext & more.\nNew line.", "2 Use <it>|Use <it>|one\ntwo\n\na  b\n  c\n\n1 2"}
	if !reflect.DeepEqual(sections, want) {
		t.Errorf("sections are %q, want %q", sections, want)
	}
	latin, err := parseHTML([]byte("<html><head><meta charset=iso-8859-1><title>caf\xe9</title></head><body>na\xefve</body></html>"))
	if err != nil || latin.Title != "café" || latin.Text != "naïve" {
		t.Errorf("Latin-1: got %+v, %v", latin, err)
	}
}
