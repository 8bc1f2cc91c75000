package checkpoint

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// selection chooses the files of a repository that are wanted.
type selection interface {
	// choose returns the files to fetch. read gives the content of a file of the repository.
	choose(files []string, read func(file string) (localPath string, err error)) ([]string, error)
	// complete returns an error that says what a cached snapshot lacks, nil when it is usable.
	complete(dir string) error
}

// allFiles takes the whole repository.
type allFiles struct{}

func (allFiles) choose(files []string, _ func(string) (string, error)) ([]string, error) {
	return files, nil
}

func (allFiles) complete(string) error { return nil }

// only takes one file.
type only string

func (o only) choose(files []string, _ func(string) (string, error)) ([]string, error) {
	if !slices.Contains(files, string(o)) {
		return nil, fmt.Errorf("the repository has no file %s", string(o))
	}
	return []string{string(o)}, nil
}

func (o only) complete(dir string) error {
	if !exists(filepath.Join(dir, string(o))) {
		return fmt.Errorf("file %s is not there", string(o))
	}
	return nil
}

// modelFiles takes what a model needs: configuration, tokenizer, sentence-transformers modules and one form of weights.
type modelFiles struct{}

var smallFiles = regexp.MustCompile(`^(` + strings.Join([]string{
	`(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json`,
	`(vocab|merges)\.txt`, `(tokenizer|sentencepiece\.bpe|spiece)\.model`, `chat_template\.(json|jinja)`,
	`(modules|sentence_bert_config|config_sentence_transformers|adapter_config)\.json`,
	`\d+_\w+/(config\.json|[^/]+\.safetensors)`, // modules of sentence-transformers: 1_Pooling, 2_Dense, …
}, "|") + `)$`)

func (modelFiles) choose(files []string, read func(string) (string, error)) ([]string, error) {
	var chosen, safetensors, ggufs []string
	for _, f := range files {
		switch {
		case smallFiles.MatchString(f):
			chosen = append(chosen, f)
		case strings.Contains(f, "/"): // other forms of the weights: onnx/, openvino/, original/
		case strings.HasSuffix(f, ".safetensors"):
			safetensors = append(safetensors, f)
		case strings.HasSuffix(strings.ToLower(f), ".gguf"):
			ggufs = append(ggufs, f)
		}
	}
	var weights []string
	var err error
	switch {
	case slices.Contains(safetensors, weightsFile):
		weights = []string{weightsFile}
	case slices.Contains(files, weightsIndexFile):
		weights, err = indexedShards(files, read)
	case len(safetensors) > 0:
		weights = safetensors
	case len(ggufs) == 1:
		weights = ggufs
	case len(ggufs) > 1:
		err = fmt.Errorf("the repository has %d GGUF files: name one as org/name/FILE.gguf (%s)", len(ggufs), strings.Join(ggufs, ", "))
	default:
		err = fmt.Errorf("the repository has no safetensors or GGUF weights%s", otherWeights(files))
	}
	if slices.Contains(safetensors, adapterFile) && !slices.Contains(weights, adapterFile) {
		weights = append(weights, adapterFile)
	}
	return append(chosen, weights...), err
}

// indexedShards reads the index and returns it with the shards that it names.
func indexedShards(files []string, read func(string) (string, error)) ([]string, error) {
	index, err := read(weightsIndexFile)
	if err != nil {
		return nil, err
	}
	shardOf, err := readIndex(index)
	if err != nil {
		return nil, err
	}
	chosen := []string{weightsIndexFile}
	for _, shard := range shardOf {
		if !slices.Contains(files, shard) {
			return nil, fmt.Errorf("%s names shard %s, which the repository does not have", weightsIndexFile, shard)
		}
		chosen = append(chosen, shard)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// otherWeights names weights in a form that is not read.
func otherWeights(files []string) string {
	for _, f := range files {
		if ext := path.Ext(f); ext == ".bin" || ext == ".pt" || ext == ".pth" || ext == ".h5" {
			return fmt.Sprintf(", only %s: convert it to safetensors first", f)
		}
	}
	return ""
}

// complete demands weights, all shards of them, and a configuration (GGUF brings its own).
func (modelFiles) complete(dir string) error {
	if index := filepath.Join(dir, weightsIndexFile); exists(index) && !exists(filepath.Join(dir, weightsFile)) {
		shardOf, err := readIndex(index)
		if err != nil {
			return err
		}
		for _, shard := range shardOf {
			if !exists(filepath.Join(dir, shard)) {
				return fmt.Errorf("shard %s is not there", shard)
			}
		}
	} else if _, err := singleWeightsFile(dir); err != nil && !exists(filepath.Join(dir, weightsFile)) && !exists(filepath.Join(dir, adapterFile)) {
		return err
	}
	if _, err := ggufFile(dir); err == nil {
		return nil
	}
	if !exists(filepath.Join(dir, configFile)) && !exists(filepath.Join(dir, "adapter_config.json")) {
		return fmt.Errorf("%s is not there", configFile)
	}
	return nil
}
