package model

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"text/template"
)

// poolingFile is 1_Pooling/config.json.
type poolingFile struct {
	Dimension    int64 `json:"word_embedding_dimension"`
	CLS          bool  `json:"pooling_mode_cls_token"`
	Mean         bool  `json:"pooling_mode_mean_tokens"`
	Max          bool  `json:"pooling_mode_max_tokens"`
	MeanSqrt     bool  `json:"pooling_mode_mean_sqrt_len_tokens"`
	WeightedMean bool  `json:"pooling_mode_weightedmean_tokens"`
	Last         bool  `json:"pooling_mode_lasttoken"`
	Prompt       bool  `json:"include_prompt"`
}

// files are the settings of a sentence-transformers folder (version 5.0) for a network of the given width.
func (r RetrieverSettings) files(width int64) (map[string][]byte, error) {
	if r.Pooling != PoolCLS && r.Pooling != PoolMean && r.Pooling != PoolEOS {
		return nil, fmt.Errorf("pooling %q found; cls, mean or eos expected", r.Pooling)
	}
	if r.MaxLength < 1 {
		return nil, fmt.Errorf("greatest length of a text is %d; a positive integer expected", r.MaxLength)
	}
	const classes = "sentence_transformers.models."
	modules := []module{{0, "0", "", classes + "Transformer"}, {1, "1", poolingDir, classes + "Pooling"}}
	if r.Normalize {
		modules = append(modules, module{2, "2", normalizeDir, classes + "Normalize"})
	}
	contents := map[string]any{
		modulesFile: modules,
		path.Join(poolingDir, "config.json"): poolingFile{Dimension: width, CLS: r.Pooling == PoolCLS,
			Mean: r.Pooling == PoolMean, Last: r.Pooling == PoolEOS, Prompt: true},
		transformerFile: map[string]any{"max_seq_length": r.MaxLength, "do_lower_case": false},
		modelFile: map[string]any{
			"model_type":          "SentenceTransformer",
			"__version__":         map[string]string{"sentence_transformers": "5.0.0"}, // the layout's
			"prompts":             map[string]string{"query": r.QueryPrefix, "document": r.PassagePrefix},
			"default_prompt_name": nil,
			"similarity_fn_name":  r.similarity(),
		},
	}
	files := map[string][]byte{}
	for name, value := range contents {
		content, err := settingsJSON(value)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}

// similarity is the measure that the folder names: the inner product, which of unit vectors is the cosine.
func (r RetrieverSettings) similarity() string {
	if r.Normalize {
		return "cosine"
	}
	return "dot"
}

//go:embed modelcard.md
var cardText string

// hubID is a name on the HuggingFace hub; the card's base_model can be no other.
var hubID = regexp.MustCompile(`^[\w-][\w.-]*/[\w-][\w.-]*$`)

// modelCard is README.md.
func modelCard(e Export, r RetrieverSettings) ([]byte, error) {
	card, err := template.New("modelcard.md").Parse(cardText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = card.Execute(&b, map[string]any{
		"Base": e.Base, "OnHub": hubID.MatchString(e.Base), "Width": e.Network.Width(), "Settings": r, "Similarity": r.similarity(),
	})
	return b.Bytes(), err
}
