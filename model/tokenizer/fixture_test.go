package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"revela/internal/testdata"
)

// fixtureSettings is settings.json of a tiny-* fixture.
type fixtureSettings struct {
	MaxLen         int    `json:"passage_max_len"`
	AppendEOS      bool   `json:"append_eos_token"`
	PassagePrefix  string `json:"passage_prefix"`
	QueryPrefix    string `json:"query_prefix"`
	Retriever, LM  string
	FirstHalfRatio float64 `json:"first_half_ratio"`
}

func TestFixtureInputs(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join(testdata.Fixtures(t), "*", "inputs.safetensors"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no inputs.safetensors below %s (%v)", testdata.Fixtures(t), err)
	}
	for _, path := range cases {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var settings fixtureSettings
			var texts []string
			decode(t, read(t, filepath.Join(dir, "settings.json")), &settings)
			decode(t, read(t, filepath.Join(dir, "texts.json")), &texts)
			inputs := readInputs(t, path)
			retriever, lm := loadDir(t, filepath.Join(dir, settings.Retriever)), loadDir(t, filepath.Join(dir, settings.LM))
			for i, text := range texts {
				passage := retriever.EncodeMax(settings.PassagePrefix+text, settings.MaxLen-1)
				query := retriever.EncodeMax(settings.QueryPrefix+text, settings.MaxLen-1)
				half := query[:int(float64(len(query))*settings.FirstHalfRatio)]
				for name, ids := range map[string][]int32{"passage": passage, "query": query, "query_first_half": half} {
					if settings.AppendEOS {
						ids = append(slices.Clone(ids), eos(t, retriever))
					}
					compareRow(t, inputs, name, i, ids)
				}
				compareRow(t, inputs, "lm", i, lm.EncodeMax(text, settings.MaxLen-1))
			}
		})
	}
}

func loadDir(t *testing.T, dir string) *Tokenizer {
	t.Helper()
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func eos(t *testing.T, tok *Tokenizer) int32 {
	t.Helper()
	id, ok := tok.EOS()
	if !ok {
		t.Fatal("no eos_token")
	}
	return id
}

// compareRow compares ids with the row of input_ids that its attention mask leaves.
func compareRow(t *testing.T, inputs map[string][][]int64, name string, row int, got []int32) {
	t.Helper()
	var expected []int32
	for i, id := range inputs[name+".input_ids"][row] {
		if inputs[name+".attention_mask"][row][i] != 0 {
			expected = append(expected, int32(id))
		}
	}
	if !slices.Equal(got, expected) {
		t.Errorf("%s %d: got %v, expected %v", name, row, got, expected)
	}
}

// readInputs reads a safetensors file of int64 matrices.
func readInputs(t *testing.T, path string) map[string][][]int64 {
	t.Helper()
	data := read(t, path)
	n := binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	decode(t, data[8:8+n], &header)
	delete(header, "__metadata__")
	out := map[string][][]int64{}
	for name, raw := range header {
		var v struct {
			DType   string
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		decode(t, raw, &v)
		if v.DType != "I64" || len(v.Shape) != 2 {
			continue // masks that are no part of the tokenizer's work
		}
		values := data[8+int(n)+v.Offsets[0]:]
		for range v.Shape[0] {
			row := make([]int64, v.Shape[1])
			for i := range row {
				row[i] = int64(binary.LittleEndian.Uint64(values))
				values = values[8:]
			}
			out[name] = append(out[name], row)
		}
	}
	return out
}
