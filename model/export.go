package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"revela/internal/atomicfile"
	"revela/model/checkpoint"
	"revela/model/tokenizer"
	"revela/torch"
)

// Export is a network on its way into a folder that transformers and sentence-transformers read. LoRA is merged as the
// weights are written, a tensor at a time; the network stays as it is.
type Export struct {
	Network   Network
	Config    *checkpoint.Config   // of the checkpoint that Network was read from
	Tokenizer *tokenizer.Tokenizer // nil for a folder without one
	DType     checkpoint.DType     // F32, F16 or BF16; F32 where it is zero
	Base      string               // the checkpoint's name, for the model card
}

// ExportSentence writes a retriever in the layout of sentence-transformers 5.0, which versions 3 to 6 load. With AppendEOS
// the folder's tokenizer ends every text with EOS, which sentence-transformers does not do by itself.
// The folder dir appears complete or not at all.
func ExportSentence(dir string, e Export, r RetrieverSettings) error {
	if e.Tokenizer == nil {
		return errors.New("export: a sentence-transformers folder needs a tokenizer")
	}
	files, err := e.sentenceFiles(r)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return atomicfile.Dir(dir, func(tmp string) error {
		if r.Normalize {
			if err := os.Mkdir(filepath.Join(tmp, normalizeDir), 0o755); err != nil {
				return err
			}
		}
		return e.write(tmp, files)
	})
}

// sentenceFiles is all but what Export.write adds.
func (e Export) sentenceFiles(r RetrieverSettings) (map[string][]byte, error) {
	files, err := r.files(e.Network.Width())
	if err != nil {
		return nil, err
	}
	if files["README.md"], err = modelCard(e, r); err != nil {
		return nil, err
	}
	tokenizerFiles, err := e.tokenizerFiles(r.AppendEOS)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, tokenizerFiles)
	return files, addPadding(files, e.Tokenizer)
}

// tokenizerFiles are those of the tokenizer. Where the network has no token types they say so, since the class that they
// name, PreTrainedTokenizerFast, would otherwise pass them to it.
func (e Export) tokenizerFiles(appendEOS bool) (map[string][]byte, error) {
	if e.Tokenizer == nil {
		return map[string][]byte{}, nil
	}
	files, err := e.Tokenizer.Files(appendEOS)
	if err != nil || e.Config.TypeVocabSize > 0 {
		return files, err
	}
	return files, edit(files, "tokenizer_config.json", "model_input_names", []string{"input_ids", "attention_mask"})
}

// addPadding lets EOS be the padding token of a tokenizer that has none: sentence-transformers pads every batch.
func addPadding(files map[string][]byte, tok *tokenizer.Tokenizer) error {
	if _, ok := tok.PAD(); ok {
		return nil
	}
	id, ok := tok.EOS()
	if !ok {
		return errors.New("the tokenizer has neither a padding token nor EOS; sentence-transformers needs one to pad with")
	}
	token, _ := tok.Token(id)
	return errors.Join(
		edit(files, "tokenizer_config.json", "pad_token", token),
		edit(files, "special_tokens_map.json", "pad_token", token))
}

// edit sets a key of a settings file.
func edit(files map[string][]byte, name, key string, value any) error {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(files[name], &fields); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	fields[key] = raw
	files[name], err = settingsJSON(fields)
	return err
}

// ExportTransformers writes config.json, model.safetensors and the tokenizer, the layout of transformers: of a language
// model with its head, of another network as the bare class. The folder dir appears complete or not at all.
func ExportTransformers(dir string, e Export) error {
	files, err := e.tokenizerFiles(false)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return atomicfile.Dir(dir, func(tmp string) error { return e.write(tmp, files) })
}

// write fills a folder with the given files, config.json and the weights.
func (e Export) write(dir string, files map[string][]byte) error {
	if e.DType == 0 {
		e.DType = checkpoint.F32
	}
	if _, ok := dtypeNames[e.DType]; !ok {
		return fmt.Errorf("weights as %s; F32, F16 or BF16 expected", e.DType)
	}
	config, err := e.config()
	if err != nil {
		return err
	}
	files["config.json"] = config
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	return e.writeWeights(filepath.Join(dir, "model.safetensors"))
}

func writeFiles(dir string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeWeights writes the merged weights and, as they are, those of BERT's pooler, which transformers would otherwise
// draw anew with a warning.
func (e Export) writeWeights(path string) error {
	values := map[string]func(s *torch.Scope) torch.Tensor{}
	var tensors []checkpoint.Tensor
	add := func(name string, shape []int64, value func(s *torch.Scope) torch.Tensor) {
		values[name] = value
		tensors = append(tensors, checkpoint.Tensor{Name: name, DType: e.DType, Shape: shape})
	}
	for _, w := range weights(e.Network) {
		add(w.name, w.param.Shape, func(s *torch.Scope) torch.Tensor { return w.value(s, e.Network) })
	}
	source, prefix := e.Network.source(), filePrefix(e.Network)
	for _, name := range poolerNames(source, prefix) {
		info, _ := source.Info(name)
		add(strings.TrimPrefix(name, prefix), info.Shape, func(s *torch.Scope) torch.Tensor { return stored(s, source, name) })
	}
	return checkpoint.StreamSafetensors(path, tensors, nil, func(t checkpoint.Tensor) (data []byte, err error) {
		s := torch.NewScope()
		defer s.Close()
		torch.NoGrad(func() {
			value := s.To(values[t.Name](s), fileTypes[e.DType])
			if s.Err() == nil {
				data, err = value.Bytes()
			}
		})
		return data, errors.Join(s.Err(), err)
	})
}

// poolerNames lists the tensors of BERT's pooler in a checkpoint; nil is the checkpoint of a network drawn at random.
func poolerNames(source *checkpoint.Weights, prefix string) []string {
	if source == nil {
		return nil
	}
	return slices.DeleteFunc(source.Names(), func(name string) bool { return !ofPooler(strings.TrimPrefix(name, prefix)) })
}

var dtypeNames = map[checkpoint.DType]string{checkpoint.F32: "float32", checkpoint.F16: "float16", checkpoint.BF16: "bfloat16"}

// withHead is the end of a class's name that says what it has on top of the bare network.
var withHead = regexp.MustCompile(`(LMHeadModel|For[A-Z]\w*)$`)

// config is the checkpoint's config.json with the class and the type of the weights that are written.
func (e Export) config() ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(e.Config.Raw, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Config.File, err)
	}
	set := func(key string, value any) error {
		raw, err := json.Marshal(value)
		fields[key] = raw
		return err
	}
	classes := e.Config.Architectures
	lm, hasHead := e.Network.(*LanguageModel)
	if len(classes) > 0 && !hasHead {
		classes = []string{withHead.ReplaceAllString(classes[0], "Model")}
	}
	err := errors.Join(
		set("dtype", dtypeNames[e.DType]),       // transformers from 4.56 on
		set("torch_dtype", dtypeNames[e.DType]), // before
	)
	if len(classes) > 0 {
		err = errors.Join(err, set("architectures", classes))
	}
	if hasHead {
		err = errors.Join(err, set("tie_word_embeddings", lm.untiedHead() == nil))
	}
	if err != nil {
		return nil, err
	}
	return settingsJSON(fields)
}

// settingsJSON is a settings file as Python's libraries write it: two spaces, keys of maps sorted.
func settingsJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(value)
	return b.Bytes(), err
}
