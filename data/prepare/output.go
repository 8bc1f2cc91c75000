package prepare

import (
	"strings"

	"revela/data/jsonl"
	"revela/data/parquet"
)

// writeOutput writes the groups file, whole or not at all.
func writeOutput(path string, fill func(put func(groupLine) error) error) error {
	if strings.HasSuffix(path, ".parquet") {
		return parquet.Write(path, fill)
	}
	return jsonl.Write(path, func(put func(any) error) error {
		return fill(func(line groupLine) error { return put(line) })
	})
}

// groupLine is a line of a groups file; see package data. Text i is bytes From[i] to To[i] of the text of the document
// that IDs[i] names before its last #.
type groupLine struct {
	Source string   `json:"src,omitempty" parquet:"src,optional"` // what all units share: the package, folder or document
	Query  []string `json:"query,omitempty" parquet:"query,list"`
	Text   []string `json:"text" parquet:"text,list"`
	IDs    []string `json:"ids" parquet:"ids,list"`               // of the units, in order
	Names  []string `json:"names,omitempty" parquet:"names,list"` // of documents' units: the title, or the path of headings
	From   []int64  `json:"from,omitempty" parquet:"from,list"`
	To     []int64  `json:"to,omitempty" parquet:"to,list"`
}

// newGroupLine lays a group out as the options ask.
func newGroupLine(opt Options, group []unit) groupLine {
	line := groupLine{Source: group[0].key(opt.GroupBy)}
	for _, u := range group {
		if u.key(opt.GroupBy) != line.Source {
			line.Source = ""
			break
		}
	}
	line.locate(group)
	for _, u := range group {
		line.IDs = append(line.IDs, u.id)
		switch opt.Queries {
		case NoQueries:
			line.Text = append(line.Text, u.wholeText())
		case Chunks:
			line.Text = append(line.Text, u.query, u.text)
		default:
			line.Query = append(line.Query, u.query)
			line.Text = append(line.Text, u.text)
		}
	}
	return line
}

// locate says where the units of documents stand in these.
func (l *groupLine) locate(group []unit) {
	named := false
	for _, u := range group {
		if u.to == 0 {
			return // a function
		}
		named = named || u.name != ""
	}
	for _, u := range group {
		l.From, l.To = append(l.From, int64(u.from)), append(l.To, int64(u.to))
		if named {
			l.Names = append(l.Names, u.name)
		}
	}
}
