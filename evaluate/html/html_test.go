package html

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
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
