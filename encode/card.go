package encode

import (
	"path/filepath"
	"regexp"
	"strings"

	"revela/evaluate"
)

// snapshot is a model in the hub's cache: organisation, name and commit.
var snapshot = regexp.MustCompile(`models--([^/]+)--([^/]+)/snapshots/([^/]+)$`)

// Card implements [evaluate.Carded]: a model of the hub has its name and commit there; one of the package index is called
// pypi/PACKAGE, one of a folder local/FOLDER with the hash of its files as its revision.
func (e *Encoder) Card() (evaluate.Card, error) {
	if _, err := e.Identity(evaluate.Query); err != nil {
		return evaluate.Card{}, err
	}
	r := e.Retriever
	card := evaluate.Card{
		MaxTokens: e.maxLength(), Dim: int(r.Width()), Frameworks: []string{"PyTorch"}, Similarity: "dot",
		Prompts: r.QueryPrefix != "" || r.PassagePrefix != "",
	}
	if r.Normalize {
		card.Similarity = "cosine"
	}
	card.Name, card.Revision = e.published()
	return card, nil
}

func (e *Encoder) published() (name, revision string) {
	if len(e.folders) == 1 {
		if m := snapshot.FindStringSubmatch(filepath.ToSlash(e.folders[0])); m != nil {
			return m[1] + "/" + m[2], m[3]
		}
		if wheel, ok := strings.CutPrefix(e.Model, "pypi:"); ok {
			wheel, _, _ = strings.Cut(wheel, "#")
			name, version, _ := strings.Cut(wheel, "==")
			return "pypi/" + name, version
		}
	}
	return "local/" + folderName(e.folders[0]), e.hash[:12]
}

// folderName is a folder's last name, of a run's model/ the run's.
func folderName(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if name := filepath.Base(path); name != "model" {
		return name
	}
	return filepath.Base(filepath.Dir(path))
}
