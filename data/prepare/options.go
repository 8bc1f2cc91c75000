// Package prepare makes training groups from documents: documents → units (chunks of sentences, functions)
// → groups of neighbours, and beside them a held-out collection in BEIR layout, cut from the same corpus,
// whose queries are the comments, headings or titles that the corpus already pairs with its texts.
//
// The result is a pure function of the inputs and the options. Inputs are streamed, twice or three times
// where something is held out and the texts exceed 256 MB. In memory are the held-out part, 16 bytes for each
// unit (to find duplicates), 8 for each line where packages or folders are held out (to find near copies),
// and where grouping needs all units at once (by folder, by package, at random, by BM25) the units themselves; BM25's
// index adds at most 20 bytes for each distinct term of each unit.
package prepare

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Units, queries and groupings that Options take.
const (
	Sentences = "sentences" // whole sentences, at most 120 words
	Functions = "functions" // functions and methods of Go source

	NoQueries = "none"     // groups of texts alone
	Comments  = "comments" // the doc comment is the query, the code the text
	Headings  = "headings" // the heading is the query, the start of its section of a Markdown document the text
	Titles    = "titles"   // the document's title is the query, its first chunk the text
	Chunks    = "chunks"   // as comments, but comment and code are two texts of one group: the paper's own layout

	ByDocument = "document" // interleaved chunks of a few documents, the paper's way; for the hold-out: whole documents
	ByFolder   = "folder"
	ByPackage  = "package"
	AtRandom   = "random"
	BM25       = "bm25" // a chunk and those nearest to it by BM25
)

// Options says what is prepared and how.
type Options struct {
	// Input lists files, folders and globs; an entry "!PATH" leaves out that file, folder or glob.
	Input     []string
	Output    string  // the groups file; .gz and .zst compress it
	Unit      string  // Sentences | Functions
	Queries   string  // NoQueries | Comments | Headings | Titles | Chunks
	GroupBy   string  // ByDocument | BM25 | ByFolder | ByPackage | AtRandom
	GroupSize int     // texts of a line; of a line with queries, pairs
	Holdout   float64 // share kept out as a collection, the folder "holdout" beside the groups
	Tuning    float64 // further share kept out for choosing settings, the folder "tuning"
	HoldoutBy string  // ByDocument | ByFolder | ByPackage: what is kept out whole
	Strict    bool    // a broken record is an error; else it is reported and counted
	Seed      int64   // of the order within groups; what is held out does not depend on it
}

// later names values of the contract that another issue brings.
var later = map[string]bool{"tokens": true, "sections": true}

func (o Options) validate() error {
	return errors.Join(
		oneOf("unit", o.Unit, Sentences, Functions),
		oneOf("queries", o.Queries, NoQueries, Comments, Headings, Titles, Chunks),
		oneOf("group_by", o.GroupBy, ByDocument, BM25, ByFolder, ByPackage, AtRandom),
		oneOf("holdout_by", o.HoldoutBy, ByDocument, ByFolder, ByPackage),
		o.validateNumbers(),
		o.validateUnit(),
	)
}

func (o Options) validateNumbers() error {
	var all []error
	if len(o.Input) == 0 {
		all = append(all, errors.New("prepare.input: empty, expected files, folders or globs"))
	}
	if o.Output == "" {
		all = append(all, errors.New("prepare.output: empty, expected the path of the groups file"))
	} else if name := filepath.Base(o.Output); !strings.HasSuffix(trimCompression(name), ".jsonl") {
		all = append(all, fmt.Errorf("prepare.output: %q, expected a name in .jsonl, .jsonl.gz or .jsonl.zst", name))
	}
	if o.GroupSize < 2 || o.Queries == Chunks && o.GroupSize < 4 {
		all = append(all, fmt.Errorf("prepare.group_size: %d, expected at least 2 (4 with queries: chunks)", o.GroupSize))
	}
	if o.Holdout < 0 || o.Tuning < 0 || o.Holdout+o.Tuning >= 1 {
		all = append(all, fmt.Errorf("prepare.holdout: %v and tuning %v, expected shares from 0 whose sum is below 1", o.Holdout, o.Tuning))
	}
	return errors.Join(all...)
}

// validateUnit refuses options that the unit cannot serve.
func (o Options) validateUnit() error {
	var all []error
	if o.Unit == Functions && (o.Queries == Titles || o.Queries == Headings) {
		all = append(all, fmt.Errorf("prepare.queries: %s, expected none, comments or chunks with unit: functions", o.Queries))
	}
	if o.Unit == Sentences {
		if o.Queries == Comments || o.Queries == Chunks {
			all = append(all, fmt.Errorf("prepare.queries: %s, expected none, headings or titles with unit: sentences", o.Queries))
		}
		if o.GroupBy == ByPackage {
			all = append(all, errors.New("prepare.group_by: package, expected document, bm25, folder or random with unit: sentences"))
		}
		if o.HoldoutBy == ByPackage {
			all = append(all, errors.New("prepare.holdout_by: package, expected document or folder with unit: sentences"))
		}
		if o.Queries == NoQueries && o.Holdout+o.Tuning > 0 {
			all = append(all, errors.New("prepare.holdout: a collection needs queries, expected queries: headings or titles with unit: sentences"))
		}
	}
	return errors.Join(all...)
}

// minQueryWords is how many words a query of a held-out collection has.
func (o Options) minQueryWords() int {
	switch o.Queries {
	case Headings:
		return minHeadingWords
	case Titles:
		return minTitleWords
	}
	return minCommentWords
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	not := ""
	if later[value] {
		not = " is not supported yet"
	}
	return fmt.Errorf("prepare.%s: %q%s, expected one of %s", key, value, not, strings.Join(allowed, ", "))
}

func trimCompression(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
}
