package html

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func draw(t *testing.T, p Page) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A page is well formed, escapes what it shows, and bars are as long as their values.
func TestWrite(t *testing.T) {
	page := draw(t, Page{Model: "a <b>", Metric: "ndcg@10", Header: []string{"collection", "ndcg@10"}, Rows: [][]string{{"x & y", "0.5000"}},
		Settings: []Setting{{"query_prefix", `"q: "`}},
		Tasks: []Task{{Name: "x & y", Size: "2 queries", Summary: "better", Changes: []float64{-0.5, 0, 1},
			Bars:  []Bar{{Label: strings.Repeat("é", 50), Value: 0.5, Low: 0.25, High: 0.75, Kind: "model"}, {Label: "B", Value: 1.5, Kind: "published", Source: "a table"}},
			Worst: []Query{{ID: "q1", Text: "<script>alert(1)</script>", Baseline: 0.75, Model: 0.25}}}}})
	for _, part := range []string{
		"<h1>a &lt;b&gt;</h1>", `width="215.0"`, `width="430.0"`, `d="M337.5 11H552.5"`, "&lt;script&gt;", "<td>-0.5000</td>", "é…",
		`<path class="loss" d="M0.0 60h240.0v30.0h-240.0z">`, `<path class="gain" d="M480.0 60h240.0v-60.0h-240.0z">`, "B: 1.5000 (a table)",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s in\n%s", part, page)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
}

// More queries than pixels share columns, and the largest change of each is seen.
func TestArea(t *testing.T) {
	changes := make([]float64, 5000)
	changes[4999] = 0.5
	if got := area(changes, true); got != "M719.0 60h1.0v-30.0h-1.0z" {
		t.Errorf("got %q", got)
	}
	if got := area(changes, false); got != "" {
		t.Errorf("got %q", got)
	}
}

// A browser's parser finds in the page what it is to show: a chart a task with a bar a score, as long as it, the change of
// every query, and the queries that change most with their texts.
func TestParsed(t *testing.T) {
	task := func(name string, score float64) Task {
		return Task{Name: name, Size: "3 queries", Bars: []Bar{{Label: "ours", Value: score, Kind: "model"}, {Label: "BM25", Value: 0.5, Kind: "baseline"},
			{Label: "them", Value: 0.75, Kind: "published", Source: "a paper"}}, Changes: []float64{-0.25, 0, 0.5},
			Worst: []Query{{ID: "q1", Text: "why <i>not</i>", Baseline: 0.5, Model: 0.25}}, Best: []Query{{ID: "q3", Text: "best", Baseline: 0.25, Model: 0.75}}}
	}
	root, err := html.Parse(strings.NewReader(draw(t, Page{Model: "ours", Metric: "ndcg@10", Header: []string{"collection", "ndcg@10"},
		Rows: [][]string{{"a", "0.6000"}, {"b", "0.4000"}}, Tasks: []Task{task("a", 0.6), task("b", 0.4)}})))
	if err != nil {
		t.Fatal(err)
	}
	var widths, titles, changes, cells []string
	counts := map[string]int{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		counts[n.Data]++
		switch {
		case n.Data == "rect":
			widths = append(widths, attribute(n, "class")+" "+attribute(n, "width"))
		case n.Data == "title" && n.Parent.Data == "g":
			titles = append(titles, text(n))
		case n.Data == "path" && attribute(n, "d") != "" && attribute(n, "class") != "axis":
			changes = append(changes, attribute(n, "class"))
		case n.Data == "td" && attribute(n, "class") == "text":
			cells = append(cells, text(n))
		}
	}
	for what, pair := range map[string][2][]string{
		"bars":    {widths, {"model 258.0", "baseline 215.0", "published 322.5", "model 172.0", "baseline 215.0", "published 322.5"}},
		"titles":  {titles[:3], {"ours: 0.6000", "BM25: 0.5000", "them: 0.7500 (a paper)"}},
		"changes": {changes, {"loss", "gain", "loss", "gain"}},
		"queries": {cells, {"why <i>not</i>", "best", "why <i>not</i>", "best"}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	if counts["h2"] != 3 || counts["svg"] != 4 || counts["table"] != 5 || counts["script"]+counts["link"]+counts["img"] != 0 {
		t.Errorf("got %v", counts)
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
