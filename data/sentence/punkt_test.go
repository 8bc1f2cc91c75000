package sentence

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"revela/data/jsonl"
	"revela/internal/testdata"
)

// TestDataPunkt counts on which boundaries inside the paragraphs of real texts we agree with NLTK's Punkt, which the paper's
// chunks were made with.
func TestDataPunkt(t *testing.T) {
	python := testdata.Python(t, "nltk with punkt_tab", "from nltk.tokenize import sent_tokenize; sent_tokenize('A. B.')")
	// wikitext2 is tokenised (a space before every full stop), peps are lists and code for a good part
	for name, least := range map[string]float64{
		"text-wikitext2/docs.jsonl": 0.85, "text-wikipedia194/docs.jsonl": 0.9, "scifact/corpus.jsonl": 0.9, "text-peps/docs.jsonl": 0.8,
	} {
		texts := paragraphTexts(t, testdata.Data(t, name), 4000)
		theirs := punkt(t, python, texts)
		both, own, other := 0, 0, 0
		for i, text := range texts {
			a, b := inner(lengthsOf(text)), inner(theirs[i])
			own, other = own+len(a), other+len(b)
			for _, end := range a {
				if _, found := slices.BinarySearch(b, end); found {
					both++
				}
			}
		}
		agreement := 2 * float64(both) / float64(own+other)
		t.Logf("%s: %d paragraphs, %d boundaries of ours, %d of Punkt's, %d of both: %.1f %% (F1)", name, len(texts), own, other, both, 100*agreement)
		if agreement < least {
			t.Errorf("%s: agreement %.3f, expected at least %.2f", name, agreement, least)
		}
	}
}

// paragraphTexts returns paragraphs of a JSON Lines file's texts, n at most.
func paragraphTexts(t *testing.T, path string, n int) (texts []string) {
	t.Helper()
	lines, err := jsonl.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	for lines.Next() && len(texts) < n {
		var document struct{ Text string }
		if err := json.Unmarshal(lines.Line().Text, &document); err != nil {
			t.Fatal(err)
		}
		for p := range paragraphs(document.Text) {
			texts = append(texts, document.Text[p.start:p.end])
		}
	}
	return texts[:min(n, len(texts))]
}

func punkt(t *testing.T, python string, texts []string) (lengths [][]int) {
	t.Helper()
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, filepath.Join("testdata", "punkt.py"))
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, &lengths); err != nil || len(lengths) != len(texts) {
		t.Fatalf("%d of %d texts: %v", len(lengths), len(texts), err)
	}
	return lengths
}

// lengthsOf returns our sentences' lengths in characters that are no white space.
func lengthsOf(text string) (lengths []int) {
	for s := range Split(text) {
		lengths = append(lengths, utf8.RuneCountInString(strings.Join(strings.Fields(s), "")))
	}
	return lengths
}

// inner sums lengths up to the boundaries inside a text, its end left out.
func inner(lengths []int) (ends []int) {
	at := 0
	for _, length := range lengths[:max(0, len(lengths)-1)] {
		at += length
		ends = append(ends, at)
	}
	return ends
}
