package tokenizer

import (
	"encoding/binary"
	"math"
	"testing"

	"revela/internal/testdata"
)

// TestDataGGUFSentencePiece reads Llama 2's SentencePiece model as llama.cpp writes it into a GGUF header.
func TestDataGGUFSentencePiece(t *testing.T) {
	v := GGUFVocab{Model: "llama", BOS: 1, EOS: 2, PAD: -1, UNK: 0, AddBOS: true}
	for field, piece := range protobuf(read(t, testdata.Data(t, "tokenizers", "llama2", "tokenizer.model"))) {
		if field != 1 {
			continue
		}
		kind := int32(1)
		for field, value := range protobuf(piece) {
			switch field {
			case 1:
				v.Tokens = append(v.Tokens, string(value))
			case 2:
				v.Scores = append(v.Scores, math.Float32frombits(binary.LittleEndian.Uint32(value)))
			case 3:
				n, _ := binary.Uvarint(value)
				kind = int32(n)
			}
		}
		v.Types = append(v.Types, kind)
	}
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	g := readGolden(t)
	g.checkDigests(t, tok, readGoldenData(t).GGUF, false)
	sameIDs(t, g, "exported", tok, reload(t, tok, false))
	sameIDs(t, g, "exported with EOS", tok, reload(t, tok, true), 2)
}

// protobuf yields field numbers and raw values of a message.
func protobuf(data []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for len(data) > 0 {
			key, n := binary.Uvarint(data)
			data = data[n:]
			var size int
			switch key & 7 {
			case 0:
				_, size = binary.Uvarint(data)
			case 1:
				size = 8
			case 2:
				length, n := binary.Uvarint(data)
				data, size = data[n:], int(length)
			case 5:
				size = 4
			}
			if !yield(int(key>>3), data[:size]) {
				return
			}
			data = data[size:]
		}
	}
}
