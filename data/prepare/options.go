// Package prepare makes training groups from documents: documents → units (chunks of sentences, functions)
// → groups of neighbours, and beside them a held-out collection in BEIR layout, cut from the same corpus,
// whose queries are the comments, headings or titles that the corpus already pairs with its texts.
//
// The result is a pure function of the inputs and the options, whatever the number of threads. Inputs are read once, by
// all cores, in bounded memory; their distinct units go to a spool beside the output, which a preparation that was
// interrupted continues from. In memory are the held-out part, for each unit 8 bytes and about 24 to find duplicates (with
// near-duplicates about 130 more), 8 for each line where packages or folders are held out, and what grouping needs.
package prepare

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Units, queries and groupings that Options take.
const (
	Sentences = "sentences" // whole sentences, at most 120 words
	Tokens    = "tokens"    // whole sentences, at most as many tokens as the language model reads
	Sections  = "sections"  // a heading with its text; one of more than 120 words is cut at whole sentences
	Functions = "functions" // functions and methods of source code

	NoQueries = "none"     // groups of texts alone
	Comments  = "comments" // the doc comment is the query, the code the text
	Headings  = "headings" // the heading is the query, the start of its section of a Markdown document the text
	Titles    = "titles"   // the document's title is the query, its first chunk the text
	Chunks    = "chunks"   // as comments, but comment and code are two texts of one group: the paper's own layout

	ByDocument = "document" // interleaved chunks of a few documents, the paper's way; for the hold-out: whole documents
	ByFolder   = "folder"
	ByPackage  = "package"
	AtRandom   = "random"
	Exact      = "exact" // texts that differ in punctuation at most are duplicates
	Near       = "near"  // so are those whose runs of five words agree by 80 %

	BM25 = "bm25" // a chunk and those nearest to it by BM25
)

// Options says what is prepared and how.
type Options struct {
	// Input lists files, folders and globs; an entry "!PATH" leaves out that file, folder or glob.
	Input     []string
	Output    string  // the groups file: .jsonl, .jsonl.gz, .jsonl.zst or .parquet
	Unit      string  // Sentences | Tokens | Sections | Functions
	Queries   string  // NoQueries | Comments | Headings | Titles | Chunks
	GroupBy   string  // ByDocument | BM25 | ByFolder | ByPackage | AtRandom
	GroupSize int     // texts of a line; of a line with queries, pairs
	Holdout   float64 // share kept out as a collection, the folder "holdout" beside the groups
	Tuning    float64 // further share kept out for choosing settings, the folder "tuning"
	HoldoutBy string  // ByDocument | ByFolder | ByPackage: what is kept out whole
	Strict    bool    // a broken record is an error; else it is reported and counted
	Dedup     string  // Exact | Near; "" is Exact
	// Decontaminate lists evaluation collections, folders in BEIR layout: chunks that repeat a query or a judged document
	// are removed and listed beside the groups.
	Decontaminate []string
	Threads       int // that read, cut and search, 0 for all cores; the result does not depend on it

	// With unit Tokens: how many tokens a text has, its limit, and the tokenizer's name.
	CountTokens func(text string) int
	MaxTokens   int
	Tokenizer   string

	Seed int64 // of the order within groups; what is held out does not depend on it

	// With BM25: the share of units that begin a group, 0 for all; the groups that a unit may be in, 0 for one; and the
	// address of a search engine's index that holds the corpus, "" for one of our own; see engine.Parse.
	Seeds   float64
	MaxUses int
	Engine  string

	// Of several processes that prepare the same together, on one machine or on several that share the output's folder:
	// which one this is, and how many there are; 0 and 0 or 1 for one alone. BM25's searches are divided among them; the first
	// one writes.
	Rank, Ranks int
	shared      string // the output of the first one
}

func (o Options) validate() error {
	return errors.Join(
		oneOf("unit", o.Unit, Sentences, Tokens, Sections, Functions),
		oneOf("dedup", o.dedup(), Exact, Near),
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
	} else if name := filepath.Base(o.Output); !strings.HasSuffix(trimCompression(name), ".jsonl") && !strings.HasSuffix(name, ".parquet") {
		all = append(all, fmt.Errorf("prepare.output: %q, expected a name in .jsonl, .jsonl.gz, .jsonl.zst or .parquet", name))
	}
	if o.Unit == Tokens && (o.CountTokens == nil || o.MaxTokens < 1) {
		all = append(all, errors.New("prepare.unit: tokens, expected a tokenizer (lm.checkpoint) and data.max_length of at least one token beside the special ones"))
	}
	if o.GroupSize < 2 || o.Queries == Chunks && o.GroupSize < 4 {
		all = append(all, fmt.Errorf("prepare.group_size: %d, expected at least 2 (4 with queries: chunks)", o.GroupSize))
	}
	if o.Holdout < 0 || o.Tuning < 0 || o.Holdout+o.Tuning >= 1 {
		all = append(all, fmt.Errorf("prepare.holdout: %v and prepare.tuning %v, expected shares from 0 whose sum is below 1", o.Holdout, o.Tuning))
	}
	return errors.Join(append(all, o.validateNeighbours())...)
}

// validateNeighbours checks how neighbours are looked for.
func (o Options) validateNeighbours() error {
	var all []error
	if o.Seeds < 0 || o.Seeds > 1 {
		all = append(all, fmt.Errorf("prepare.seeds: %v, expected a share above 0 and up to 1", o.Seeds))
	}
	if o.MaxUses < 0 || o.MaxUses > math.MaxUint16 {
		all = append(all, fmt.Errorf("prepare.max_uses: %d, expected a number from 1 to %d", o.MaxUses, math.MaxUint16))
	}
	if o.GroupBy != BM25 && (o.MaxUses > 1 || o.Engine != "" || o.Seeds > 0 && o.Seeds < 1) {
		all = append(all, errors.New("prepare.seeds, max_uses and engine concern group_by: bm25, found "+o.GroupBy))
	}
	if o.Ranks > 1 && (o.Rank < 0 || o.Rank >= o.Ranks) {
		all = append(all, fmt.Errorf("rank %d of %d, expected one from 0 to %d", o.Rank, o.Ranks, o.Ranks-1))
	}
	if o.Ranks > 1 && o.Engine != "" {
		all = append(all, errors.New("prepare.engine: with several ranks, expected one process: the engine does the searching"))
	}
	return errors.Join(all...)
}

// validateUnit refuses options that the unit cannot serve.
func (o Options) validateUnit() error {
	var all []error
	if o.Unit == Functions && (o.Queries == Titles || o.Queries == Headings) {
		all = append(all, fmt.Errorf("prepare.queries: %s, expected none, comments or chunks with unit: functions", o.Queries))
	}
	if o.Unit == Sentences || o.Unit == Tokens || o.Unit == Sections {
		if o.Queries == Comments || o.Queries == Chunks {
			all = append(all, fmt.Errorf("prepare.queries: %s, expected none, headings or titles with unit: %s", o.Queries, o.Unit))
		}
		if o.GroupBy == ByPackage {
			all = append(all, fmt.Errorf("prepare.group_by: package, expected document, bm25, folder or random with unit: %s", o.Unit))
		}
		if o.HoldoutBy == ByPackage {
			all = append(all, fmt.Errorf("prepare.holdout_by: package, expected document or folder with unit: %s", o.Unit))
		}
		if o.Queries == NoQueries && o.Holdout+o.Tuning > 0 {
			all = append(all, fmt.Errorf("prepare.holdout: a collection needs queries, expected queries: headings or titles with unit: %s", o.Unit))
		}
	}
	return errors.Join(all...)
}

// threads is how many read, cut and search.
func (o Options) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// dedup is what counts as a duplicate.
func (o Options) dedup() string {
	if o.Dedup == "" {
		return Exact
	}
	return o.Dedup
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
	return fmt.Errorf("prepare.%s: %q, expected one of %s", key, value, strings.Join(allowed, ", "))
}

func trimCompression(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
}
