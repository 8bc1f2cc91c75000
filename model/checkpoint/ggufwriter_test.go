package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// ggufWriter builds GGUF files; pairs and tensors in the order given.
type ggufWriter struct {
	version uint32
	pairs   []any // key, value, key, value …
	tensors []ggufStored
}

type ggufStored struct {
	name   string
	kind   ggmlType
	dims   []uint64
	stored []byte
}

func (g ggufWriter) bytes() []byte {
	b := []byte("GGUF")
	le := binary.LittleEndian
	text := func(s string) { b = append(le.AppendUint64(b, uint64(len(s))), s...) }
	b = le.AppendUint32(b, g.version)
	b = le.AppendUint64(b, uint64(len(g.tensors)))
	b = le.AppendUint64(b, uint64(len(g.pairs)/2))
	for i := 0; i < len(g.pairs); i += 2 {
		text(g.pairs[i].(string))
		b = appendValue(b, g.pairs[i+1])
	}
	offset := uint64(0)
	for _, t := range g.tensors {
		text(t.name)
		b = le.AppendUint32(b, uint32(len(t.dims)))
		for _, n := range t.dims {
			b = le.AppendUint64(b, n)
		}
		b = le.AppendUint32(b, uint32(t.kind))
		b = le.AppendUint64(b, offset)
		offset = (offset + uint64(len(t.stored)) + 31) / 32 * 32
	}
	for _, t := range g.tensors {
		b = append(b, make([]byte, (32-len(b)%32)%32)...)
		b = append(b, t.stored...)
	}
	return b
}

// appendValue appends the type and the value of a key-value pair.
func appendValue(b []byte, value any) []byte {
	le := binary.LittleEndian
	array := func(kind uint32, n int) {
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, ggufArray), kind), uint64(n))
	}
	switch v := value.(type) {
	case string:
		b = le.AppendUint64(le.AppendUint32(b, ggufString), uint64(len(v)))
		return append(b, v...)
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, ggufUint32), v)
	case float32:
		return le.AppendUint32(le.AppendUint32(b, ggufFloat32), math.Float32bits(v))
	case bool:
		b = le.AppendUint32(b, ggufBool)
		return append(b, map[bool]byte{true: 1}[v])
	case []string:
		array(ggufString, len(v))
		for _, s := range v {
			b = append(le.AppendUint64(b, uint64(len(s))), s...)
		}
	case []int32:
		array(ggufInt32, len(v))
		b, _ = binary.Append(b, le, v)
	case []float32:
		array(ggufFloat32, len(v))
		b, _ = binary.Append(b, le, v)
	}
	return b
}

const (
	testHidden, testHeads, testKVHeads, testHeadDim, testVocab = 8, 2, 1, 4, 3
)

// tinyGGUF is a model of one layer whose q rows are numbered as HuggingFace orders them and stored as llama.cpp does.
func tinyGGUF(arch string) ggufWriter {
	q, k := rowsNumbered(testHeads*testHeadDim), rowsNumbered(testKVHeads*testHeadDim)
	bias := rowNumbers(testHeads * testHeadDim)
	if arch == "llama" {
		q, k = interleave(q, testHeads), interleave(k, testKVHeads)
		bias = interleave(bias, testHeads)
	}
	return ggufWriter{
		version: 3,
		pairs: []any{
			"general.architecture", arch,
			arch + ".block_count", uint32(1), arch + ".context_length", uint32(64), arch + ".embedding_length", uint32(testHidden),
			arch + ".feed_forward_length", uint32(16), arch + ".attention.head_count", uint32(testHeads),
			arch + ".attention.head_count_kv", uint32(testKVHeads), arch + ".rope.freq_base", float32(500000),
			arch + ".attention.layer_norm_rms_epsilon", float32(1e-5), arch + ".rope.dimension_count", uint32(testHeadDim),
			"tokenizer.ggml.model", "gpt2", "tokenizer.ggml.pre", "qwen2", "tokenizer.ggml.tokens", []string{"a", "b", "ab"},
			"tokenizer.ggml.merges", []string{"a b"}, "tokenizer.ggml.token_type", []int32{1, 1, 3},
			"tokenizer.ggml.scores", []float32{-1, 0.5, 2}, "tokenizer.ggml.eos_token_id", uint32(2), "tokenizer.ggml.add_eos_token", true,
		},
		tensors: []ggufStored{
			{"token_embd.weight", ggmlF16, []uint64{testHidden, testVocab}, bytes.Repeat([]byte{0, 0x3c}, testHidden*testVocab)},
			{"blk.0.attn_q.weight", ggmlF32, []uint64{testHidden, testHeads * testHeadDim}, floats(flat(q)...)},
			{"blk.0.attn_q.bias", ggmlF32, []uint64{testHeads * testHeadDim}, floats(flat(bias)...)},
			{"blk.0.attn_k.weight", ggmlF32, []uint64{testHidden, testKVHeads * testHeadDim}, floats(flat(k)...)},
			{"blk.0.attn_v.weight", ggmlF32, []uint64{testHidden, testKVHeads * testHeadDim}, floats(flat(rowsNumbered(4))...)},
			{"output_norm.weight", ggmlF32, []uint64{testHidden}, floats(make([]float32, testHidden)...)},
		},
	}
}

// rowsNumbered returns n rows of testHidden columns; row i holds i.
func rowsNumbered(n int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = slices.Repeat([]float32{float32(i)}, testHidden)
	}
	return rows
}

// rowNumbers returns the numbers 0 to n-1 as rows of one column.
func rowNumbers(n int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = []float32{float32(i)}
	}
	return rows
}

func flat(rows [][]float32) []float32 { return slices.Concat(rows...) }

// interleave is llama.cpp's LlamaModel.permute: reshape(heads, 2, headDim/2).swapaxes(1, 2).
func interleave(rows [][]float32, heads int) [][]float32 {
	var out [][]float32
	headDim := len(rows) / heads
	for head := range heads {
		for i := range headDim / 2 {
			for part := range 2 {
				out = append(out, rows[head*headDim+part*headDim/2+i])
			}
		}
	}
	return out
}
