package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// postProcessor is what all supported post-processors do to a single text: ids before and after it.
type postProcessor struct {
	prefix, suffix []int32
}

// templatePiece is a piece of a template: a special token or a sequence.
type templatePiece struct {
	SpecialToken *templateID `json:",omitempty"`
	Sequence     *templateID `json:",omitempty"`
}

type templateID struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

type templateToken struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// template is TemplateProcessing.
type template struct {
	Type          string                   `json:"type"`
	Single        []templatePiece          `json:"single"`
	Pair          []templatePiece          `json:"pair"`
	SpecialTokens map[string]templateToken `json:"special_tokens"`
}

// readPostProcessor builds the post-processor; the zero one for none.
func readPostProcessor(raw json.RawMessage) (postProcessor, error) {
	c, ok, err := readComponent("post_processor", raw)
	if !ok {
		return postProcessor{}, err
	}
	p, err := c.postProcessor()
	for _, id := range append(slices.Clone(p.prefix), p.suffix...) {
		if id < 0 && err == nil {
			err = fmt.Errorf("%s: a special token has the negative id %d", c.where, id)
		}
	}
	return p, err
}

func (c component) postProcessor() (postProcessor, error) {
	switch c.kind {
	case "ByteLevel": // offsets only
		return postProcessor{}, nil
	case "TemplateProcessing":
		return c.template()
	case "BertProcessing", "RobertaProcessing":
		return c.bertProcessing()
	case "Sequence":
		return c.postProcessors()
	}
	return postProcessor{}, c.unsupported()
}

// postProcessors reads a Sequence; HF itself fails on a second processor that adds tokens.
func (c component) postProcessors() (postProcessor, error) {
	items, err := c.list("processors")
	if err != nil {
		return postProcessor{}, err
	}
	var out postProcessor
	for _, item := range items {
		p, err := item.postProcessor()
		if err != nil {
			return out, err
		}
		if len(p.prefix)+len(p.suffix) == 0 {
			continue
		}
		if len(out.prefix)+len(out.suffix) > 0 {
			return out, fmt.Errorf("%s: two processors that add tokens are not supported", c.where)
		}
		out = p
	}
	return out, nil
}

func (c component) template() (postProcessor, error) {
	var v template
	if err := c.read(&v, "single", "pair", "special_tokens"); err != nil {
		return postProcessor{}, err
	}
	var out postProcessor
	sequences := 0
	for _, piece := range v.Single {
		switch {
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			sequences++
		case piece.SpecialToken != nil:
			token, ok := v.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return out, fmt.Errorf("%s: single names %q, which special_tokens lacks", c.where, piece.SpecialToken.ID)
			}
			if sequences == 0 {
				out.prefix = append(out.prefix, token.IDs...)
			} else {
				out.suffix = append(out.suffix, token.IDs...)
			}
		default:
			return out, fmt.Errorf("%s: single holds a piece that is neither a special token nor sequence A", c.where)
		}
	}
	if sequences != 1 {
		return out, fmt.Errorf("%s: single holds sequence A %d times, expected once", c.where, sequences)
	}
	return out, nil
}

// bertProcessing reads the older form of [CLS] text [SEP].
func (c component) bertProcessing() (postProcessor, error) {
	var v struct {
		Sep tokenAndID `json:"sep"`
		Cls tokenAndID `json:"cls"`
	}
	if err := c.read(&v, "sep", "cls"); err != nil {
		return postProcessor{}, err
	}
	return postProcessor{[]int32{v.Cls.id}, []int32{v.Sep.id}}, nil
}

// tokenAndID is ["[CLS]", 101].
type tokenAndID struct {
	token string
	id    int32
}

// UnmarshalJSON reads an array of a string and a number.
func (t *tokenAndID) UnmarshalJSON(data []byte) error {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	if len(items) != 2 {
		return fmt.Errorf("found %d entries, expected a token and its id", len(items))
	}
	if err := json.Unmarshal(items[0], &t.token); err != nil {
		return err
	}
	return json.Unmarshal(items[1], &t.id)
}
