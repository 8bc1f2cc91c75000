package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// Each bad line stands on line 3 of the file, after two good ones.
func TestBadLines(t *testing.T) {
	const want = `, expected a list of texts or an object with "text" and perhaps "query" and "src"`
	tests := map[string]struct{ line, message string }{
		"broken list":      {`["a", "b"`, "broken JSON at byte 9: unexpected end of JSON input" + want},
		"broken object":    {`{"text": ["a" "b"]}`, "broken JSON at byte 15: invalid character '\"' after array element" + want},
		"two values":       {`["a","b"] ["c"]`, "broken JSON at byte 11: invalid character '[' after top-level value" + want},
		"no JSON":          {`hello`, "broken JSON at byte 1: invalid character 'h' looking for beginning of value" + want},
		"a number":         {`17`, "line is a number" + want},
		"a text":           {`"a"`, "line is a text" + want},
		"null":             {`null`, "line is null" + want},
		"no text":          {`{"texts": ["a", "b"]}`, `object without "text"` + want},
		"invalid UTF-8":    {"[\"a\", \"b\xff\"]", "invalid UTF-8: byte 9 is 0xff, expected UTF-8 text"},
		"number in list":   {`["a", 3]`, "text 2 is a number, expected a text"},
		"null in list":     {`["a", null]`, "text 2 is null, expected a text"},
		"text no list":     {`{"text": "a"}`, `"text" is a text, expected a list of texts`},
		"text null":        {`{"text": null}`, `"text" is null, expected a list of texts`},
		"query no list":    {`{"query": {}, "text": ["a", "b"]}`, `"query" is an object, expected a list of texts`},
		"list in query":    {`{"query": [["q"]], "text": ["a", "b"]}`, "query 1 is a list, expected a text"},
		"no queries":       {`{"query": [], "text": ["a", "b"]}`, `"query" is empty, expected at least 1 text (leave it out where the texts are the queries)`},
		"source no text":   {`{"src": true, "text": ["a", "b"]}`, `"src" is a truth value, expected a text`},
		"empty group":      {`[]`, "empty group, expected at least 2 texts"},
		"empty object":     {`{"text": []}`, "empty group, expected at least 2 texts"},
		"group of one":     {`["a"]`, "group of 1 text, expected at least 2"},
		"one with queries": {`{"query": ["p", "q"], "text": ["a"]}`, "group of 1 text, expected at least 2"},
		"empty text":       {`["a", ""]`, "text 2 is empty, expected at least one token to predict"},
		"empty query":      {`{"query": ["", "q"], "text": ["a", "b"]}`, "query 1 is empty, expected at least one token to predict"},
	}
	for name, test := range tests {
		for _, file := range []string{"bad.jsonl", "bad.jsonl.zst"} {
			path := testdata.Write(t, file, "[\"a\", \"b\"]\n[\"c\", \"d\"]\n"+test.line+"\n")
			_, err := Open([]string{path}, Options{})
			want := "open groups: " + path + ":3: " + test.message
			if err == nil || err.Error() != want {
				t.Errorf("%s in %s:\n got %v\nwant %s", name, file, err, want)
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	blank := testdata.Write(t, "blank.jsonl", "\n \n")
	notZstd := filepath.Join(t.TempDir(), "g.jsonl.zst")
	notGzip := filepath.Join(t.TempDir(), "g.jsonl.gz")
	for _, path := range []string{notZstd, notGzip} {
		if err := os.WriteFile(path, []byte("[\"a\", \"b\"]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.jsonl")
	for path, want := range map[string]string{
		blank:   blank + ": no groups, expected one a line",
		notZstd: notZstd + ":1: invalid input: magic number mismatch",
		notGzip: notGzip + ": not a gzip file: gzip: invalid header",
		missing: "open " + missing + ": no such file or directory",
	} {
		_, err := Open([]string{path}, Options{})
		if err == nil || err.Error() != "open groups: "+want {
			t.Errorf("%s:\n got %v\nwant open groups: %s", path, err, want)
		}
	}
	if _, err := Open(nil, Options{}); err == nil || err.Error() != "open groups: no files given, expected at least one" {
		t.Errorf("no files: got %v", err)
	}
	if _, err := Open([]string{blank}, Options{GroupSize: 1}); err == nil || !strings.Contains(err.Error(), "group size is 1, expected at least 2") {
		t.Errorf("group size 1: got %v", err)
	}
}

func TestTruncatedArchiveNamesTheFile(t *testing.T) {
	path := testdata.Write(t, "g.jsonl.gz", lines(2000, 4))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Open([]string{path}, Options{})
	if err == nil || !strings.Contains(err.Error(), path+":") || !strings.HasSuffix(err.Error(), "unexpected EOF") {
		t.Errorf("got %v, want an unexpected EOF in %s", err, path)
	}
}
