package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"revela/internal/testdata"
)

// The files below have every element and attribute that the published dumps have, in their order.

const dumpHead = `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.mediawiki.org/xml/export-0.11/ http://www.mediawiki.org/xml/export-0.11.xsd" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>enwiki</dbname>
    <base>https://en.wikipedia.org/wiki/Main_Page</base>
    <generator>MediaWiki 1.45.0-wmf.8</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="-2" case="first-letter">Media</namespace>
      <namespace key="0" case="first-letter" />
      <namespace key="10" case="first-letter">Template</namespace>
    </namespaces>
  </siteinfo>
`

// dumpPage is a page as the dump has it; extra stands behind its id.
func dumpPage(id, namespace int, title, extra, text string) string {
	return fmt.Sprintf(`  <page>
    <title>%s</title>
    <ns>%d</ns>
    <id>%d</id>
%s    <revision>
      <id>1300000%d</id>
      <parentid>1299999999</parentid>
      <timestamp>2026-01-01T00:00:00Z</timestamp>
      <contributor>
        <username>A &lt;text&gt; writer</username>
        <id>7</id>
      </contributor>
      <minor />
      <comment>/* History */ &lt;text&gt; of a comment</comment>
      <origin>1300000%d</origin>
      <model>wikitext</model>
      <format>text/x-wiki</format>
      <text bytes="%d" sha1="phoiac9h4m842xq45sp7s6u21eteeq1" xml:space="preserve">%s</text>
      <sha1>phoiac9h4m842xq45sp7s6u21eteeq1</sha1>
    </revision>
  </page>
`, title, namespace, id, extra, id, id, len(text), text)
}

// multistream compresses parts each as a stream of its own and puts them together, as pages-articles-multistream is made.
func multistream(t *testing.T, parts ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("bzip2"); err != nil {
		t.Skip("no bzip2 to compress a dump with")
	}
	var all bytes.Buffer
	for _, part := range parts {
		compress := exec.Command("bzip2", "-c")
		compress.Stdin, compress.Stdout = strings.NewReader(part), &all
		if err := compress.Run(); err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}

func TestMultistreamDump(t *testing.T) {
	huge := strings.Repeat("A sentence of a very long article. ", 100_000)
	parts := []string{
		dumpHead,
		dumpPage(10, 0, "AccessibleComputing", "    <redirect title=\"Computer accessibility\" />\n", "#REDIRECT [[Computer accessibility]]\n\n{{rcat shell|\n{{R from move}}\n}}") +
			dumpPage(12, 0, "AT&amp;T &quot;Bell&quot;", "", "{{Short description|Company}}\n'''AT&amp;amp;T''' was &lt;b&gt;founded&lt;/b&gt; in [[1885]].&lt;ref name=&quot;a&quot;&gt;{{cite web |title=x}}&lt;/ref&gt;\n\n== History ==\nIt &amp;lt;grew&amp;gt;.\n\n[[Category:Companies]]"),
		dumpPage(13, 10, "Template:Infobox", "", "{{{1}}}") + dumpPage(14, 0, "Huge", "", strings.TrimSpace(huge)),
		dumpPage(15, 0, "Vandalised", "    <restrictions>edit=autoconfirmed</restrictions>\n", "Short &amp; sweet."),
		"</mediawiki>\n",
	}
	path := filepath.Join(t.TempDir(), "enwiki-20260101-pages-articles-multistream.xml.bz2")
	if err := os.WriteFile(path, multistream(t, parts...), 0o644); err != nil {
		t.Fatal(err)
	}
	got, wrong := readAll(t, path)
	if len(wrong) > 0 || len(got) != 3 {
		t.Fatalf("%d articles, %v", len(got), wrong)
	}
	if d := got[0]; d.Title != `AT&T "Bell"` || d.Text != "AT&T was founded in 1885.\n\nHistory\n\nIt <grew>." || len(d.Sections) != 1 {
		t.Errorf("got %q: %q", d.Title, d.Text)
	}
	if d := got[1]; d.Title != "Huge" || d.Text != strings.TrimSpace(huge) {
		t.Errorf("%s has %d bytes, want %d", d.Title, len(d.Text), len(huge)-1)
	}
	if d := got[2]; d.Text != "Short & sweet." {
		t.Errorf("got %q", d.Text)
	}
}

const postRow = `  <row Id="%d" PostTypeId="%d" %sCreationDate="2008-07-31T21:42:52.667" Score="%d" ViewCount="79842" Body="%s" OwnerUserId="8" LastEditorUserId="9134576" LastEditorDisplayName="user &quot;x&quot;" LastEditDate="2022-07-16T07:18:52.833" LastActivityDate="2022-09-08T05:07:26.033" %sAnswerCount="13" CommentCount="8" FavoriteCount="0" CommunityOwnedDate="2012-10-31T16:42:47.213" ContentLicense="CC BY-SA 4.0" />` + "\n"

func TestStackOverflowPosts(t *testing.T) {
	body := "&lt;p&gt;I want &lt;code&gt;a &amp;lt; b&lt;/code&gt; &amp;amp; more.&lt;/p&gt;&#xD;&#xA;&#xD;&#xA;&lt;pre&gt;&lt;code&gt;decimal trans = 5000;&#xA;&lt;/code&gt;&lt;/pre&gt;&#xA;"
	content := "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<posts>\r\n" +
		fmt.Sprintf(postRow, 4, 1, `AcceptedAnswerId="7" `, -3, body, `Title="Convert &amp;lt;T&amp;gt; &amp; double" Tags="&lt;c#&gt;&lt;floating-point&gt;" `) +
		fmt.Sprintf(postRow, 5, 1, "", 12, body, `Title="New tags" Tags="|c#|floating-point|" `) +
		fmt.Sprintf(postRow, 7, 2, `ParentId="4" `, 540, "&lt;p&gt;Use &lt;a href=&quot;http://x&quot;&gt;this&lt;/a&gt;.&lt;/p&gt;", "") +
		fmt.Sprintf(postRow, 8, 4, "", 0, "A tag wiki.", "") + fmt.Sprintf(postRow, 9, 6, "", 0, "An election.", "") + "</posts>"
	text := "I want a < b & more.\n\ndecimal trans = 5000;"
	want := []Document{
		{ID: "4", Title: "Convert &lt;T&gt; & double", Text: text, Line: 3}, {ID: "5", Title: "New tags", Text: text, Line: 4},
		{ID: "7", Parent: "4", Text: "Use this.", Line: 5},
	}
	got, wrong := readAll(t, testdata.Write(t, "Posts.xml", content))
	if len(wrong) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v\nwant %+v", got, wrong, want)
	}
}

// Reading a dump takes memory for a page, however long the dump is.
func TestDumpsAreReadInBoundedMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "enwiki-pages-articles.xml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const pages, size = 400, 100_000
	fmt.Fprint(f, dumpHead)
	for i := range pages {
		fmt.Fprint(f, dumpPage(i+1, 0, fmt.Sprint("Page ", i), "", strings.Repeat("word ", size/5)))
	}
	fmt.Fprint(f, "</mediawiki>\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Wikipedia, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read, most := 0, uint64(0)
	var before, memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for r.Next() {
		if d, ok, err := Parse(path, Wikipedia, r.Record()); err != nil || !ok || len(d.Text) < size-10 {
			t.Fatalf("page %d: %v, %v", read, ok, err)
		}
		if read++; read%50 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapAlloc-min(before.HeapAlloc, memory.HeapAlloc))
		}
	}
	if r.Err() != nil || read != pages || most > pages*size/4 {
		t.Errorf("%d pages, %v, %d bytes of heap for a dump of %d", read, r.Err(), most, pages*size)
	}
}
