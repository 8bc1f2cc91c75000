package checkpoint

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ggmlType is the storage type of a GGUF tensor (ggml.h's enum ggml_type).
type ggmlType uint32

const (
	ggmlF32  ggmlType = 0
	ggmlF16  ggmlType = 1
	ggmlQ4_0 ggmlType = 2
	ggmlQ4_1 ggmlType = 3
	ggmlQ5_0 ggmlType = 6
	ggmlQ5_1 ggmlType = 7
	ggmlQ8_0 ggmlType = 8
	ggmlQ4_K ggmlType = 12
	ggmlQ5_K ggmlType = 13
	ggmlQ6_K ggmlType = 14
	ggmlBF16 ggmlType = 30
)

// ggmlFormat is how a type stores its elements: blocks of blockSize elements in blockBytes bytes. decode widens one
// block (any number of elements where blockSize is 1) to float32; like ggml it computes in float32, so that the
// results are equal bit for bit.
type ggmlFormat struct {
	name                  string
	blockSize, blockBytes int64
	decode                func(out []float32, block []byte)
}

var ggmlFormats = map[ggmlType]ggmlFormat{
	ggmlF32:  {"F32", 1, 4, decodeF32},
	ggmlF16:  {"F16", 1, 2, decodeF16},
	ggmlBF16: {"BF16", 1, 2, decodeBF16},
	ggmlQ4_0: {"Q4_0", 32, 18, decodeQ4_0},
	ggmlQ4_1: {"Q4_1", 32, 20, decodeQ4_1},
	ggmlQ5_0: {"Q5_0", 32, 22, decodeQ5_0},
	ggmlQ5_1: {"Q5_1", 32, 24, decodeQ5_1},
	ggmlQ8_0: {"Q8_0", 32, 34, decodeQ8_0},
	ggmlQ4_K: {"Q4_K", 256, 144, decodeQ4K},
	ggmlQ5_K: {"Q5_K", 256, 176, decodeQ5K},
	ggmlQ6_K: {"Q6_K", 256, 210, decodeQ6K},
}

// String returns ggml's name of the type.
func (t ggmlType) String() string {
	if format, ok := ggmlFormats[t]; ok {
		return format.name
	}
	return fmt.Sprintf("ggml type %d", uint32(t))
}

func supportedGGML() string {
	var names []string
	for _, t := range slices.Sorted(maps.Keys(ggmlFormats)) {
		names = append(names, ggmlFormats[t].name)
	}
	return strings.Join(names, ", ")
}

// dequantize widens stored blocks to float32.
func dequantize(kind ggmlType, stored []byte) []float32 {
	format := ggmlFormats[kind]
	blocks := len(stored) / int(format.blockBytes)
	size, bytes := int(format.blockSize), int(format.blockBytes)
	out := make([]float32, blocks*size)
	if size == 1 {
		format.decode(out, stored)
		return out
	}
	for i := range blocks {
		format.decode(out[i*size:(i+1)*size], stored[i*bytes:(i+1)*bytes])
	}
	return out
}

func half(b []byte) float32 { return halfToFloat(binary.LittleEndian.Uint16(b)) }

func decodeF32(out []float32, b []byte) {
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func decodeF16(out []float32, b []byte) {
	for i := range out {
		out[i] = half(b[2*i:])
	}
}

func decodeBF16(out []float32, b []byte) {
	for i := range out {
		out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
	}
}

// The 4- and 5-bit types keep element i of a block in the low and element i+16 in the high half of byte i.

// Q4_0: a half scale d, 16 bytes of nibbles; x = d · (q - 8).
func decodeQ4_0(out []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:18] {
		out[i] = d * float32(int(q&0xf)-8)
		out[i+16] = d * float32(int(q>>4)-8)
	}
}

// Q4_1: a half scale d and minimum m, 16 bytes of nibbles; x = d·q + m.
func decodeQ4_1(out []float32, b []byte) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		out[i] = float32(d*float32(q&0xf)) + m // the conversion keeps the compiler from fusing
		out[i+16] = float32(d*float32(q>>4)) + m
	}
}

// Q5_0: a half scale d, 32 fifth bits, 16 bytes of nibbles; x = d · (q - 16).
func decodeQ5_0(out []float32, b []byte) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		out[i] = d * float32(int(uint32(q&0xf)|high>>i&1<<4)-16)
		out[i+16] = d * float32(int(uint32(q>>4)|high>>(i+16)&1<<4)-16)
	}
}

// Q5_1: a half scale d and minimum m, 32 fifth bits, 16 bytes of nibbles; x = d·q + m.
func decodeQ5_1(out []float32, b []byte) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		out[i] = float32(d*float32(uint32(q&0xf)|high>>i&1<<4)) + m
		out[i+16] = float32(d*float32(uint32(q>>4)|high>>(i+16)&1<<4)) + m
	}
}

// Q8_0: a half scale d, 32 signed bytes; x = d·q.
func decodeQ8_0(out []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:34] {
		out[i] = d * float32(int8(q))
	}
}

// kScale unpacks scale and minimum j of the eight 6-bit pairs in the 12 bytes of a K-quant block.
func kScale(j int, b []byte) (scale, minimum float32) {
	if j < 4 {
		return float32(b[j] & 63), float32(b[j+4] & 63)
	}
	return float32(b[j+4]&0xf | b[j-4]>>6<<4), float32(b[j+4]>>4 | b[j]>>6<<4)
}

// Q4_K: half d and dmin, 12 bytes of scales, 128 bytes of nibbles. Each 32 bytes hold 32 elements in their low
// nibbles and the next 32 in the high ones; x = d·scale·q - dmin·minimum.
func decodeQ4K(out []float32, b []byte) {
	d, dmin := half(b), half(b[2:])
	for j := range 8 {
		scale, minimum := kScale(j, b[4:16])
		scale, minimum = d*scale, dmin*minimum
		for i, q := range b[16+j/2*32:][:32] {
			out[32*j+i] = float32(scale*float32(q>>(j%2*4)&0xf)) - minimum
		}
	}
}

// Q5_K: as Q4_K with 32 bytes of fifth bits before the nibbles; bit j of byte i belongs to element i of group j.
func decodeQ5K(out []float32, b []byte) {
	d, dmin := half(b), half(b[2:])
	high := b[16:48]
	for j := range 8 {
		scale, minimum := kScale(j, b[4:16])
		scale, minimum = d*scale, dmin*minimum
		for i, q := range b[48+j/2*32:][:32] {
			out[32*j+i] = float32(scale*float32(q>>(j%2*4)&0xf|high[i]>>j&1<<4)) - minimum
		}
	}
}

// Q6_K: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales of 16 elements each, a half d;
// x = d·scale·(q - 32). Each half block of 128 elements is four groups of 32.
func decodeQ6K(out []float32, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for i := range out {
		part, group, at := i/128, i/32%4, i%32
		q := low[part*64+group%2*32+at]>>(group/2*4)&0xf | high[part*32+at]>>(group*2)&3<<4
		out[i] = float32(d*float32(int8(scales[i/16]))) * float32(int(q)-32)
	}
}
