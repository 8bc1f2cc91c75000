package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const pages = `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">
  <siteinfo><sitename>Wikipedia</sitename></siteinfo>
  <page>
    <title>Anarchism &amp; order</title>
    <ns>0</ns>
    <id>12</id>
    <revision>
      <text bytes="1" xml:space="preserve">'''Anarchism''' is a [[political philosophy]].&lt;ref&gt;A book.&lt;/ref&gt;

== History ==
It began in {{convert|5|km}}.</text>
    </revision>
  </page>
  <page>
    <title>Old name</title>
    <ns>0</ns>
    <redirect title="Anarchism" />
    <revision><text>#REDIRECT [[Anarchism]]</text></revision>
  </page>
  <page>
    <title>Talk:Anarchism</title>
    <ns>1</ns>
    <revision><text>Hello.</text></revision>
  </page>
  <page>
    <title>Empty</title>
    <ns>0</ns>
    <revision><text bytes="0" /></revision>
  </page>
</mediawiki>
`

func TestWikipediaDump(t *testing.T) {
	path := filepath.Join(t.TempDir(), "enwiki-pages-articles.xml")
	if err := os.WriteFile(path, []byte(pages), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(path string) {
		t.Helper()
		got, wrong := readAll(t, path)
		if len(got) != 1 || len(wrong) > 0 {
			t.Fatalf("got %+v, %v", got, wrong)
		}
		d := got[0]
		if d.Title != "Anarchism & order" || d.Line != 3 || d.Text != "Anarchism is a political philosophy.\n\nHistory\n\nIt began in 5 km." {
			t.Errorf("got %q line %d: %q", d.Title, d.Line, d.Text)
		}
		if len(d.Sections) != 1 || strings.TrimSpace(d.Text[d.Sections[0].Start:d.Sections[0].End]) != "It began in 5 km." {
			t.Errorf("sections are %+v", d.Sections)
		}
	}
	check(path)
	if _, err := exec.LookPath("bzip2"); err != nil {
		t.Skip("no bzip2 to compress a dump with")
	}
	if out, err := exec.Command("bzip2", "-k", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check(path + ".bz2")
}
