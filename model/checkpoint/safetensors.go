package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxHeader is the longest header that the safetensors library reads, in bytes.
const maxHeader = 100_000_000

const metadataKey = "__metadata__"

// tensorInfo is a tensor's value in a safetensors header; DataOffsets count from the end of the header.
type tensorInfo struct {
	DType       string   `json:"dtype"`
	Shape       []int64  `json:"shape"`
	DataOffsets [2]int64 `json:"data_offsets"`
}

// ReadSafetensors maps one safetensors file (format: an 8-byte little-endian length, a JSON header of that length,
// the tensors' bytes). Every tensor's type, shape and place is checked.
func ReadSafetensors(path string) (*Weights, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("read safetensors: %w", err)
	}
	entries, err := parseSafetensors(path, m)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read safetensors %s: %w", path, err), m.close())
	}
	return &Weights{entries: entries, maps: []mapping{m}}, nil
}

// ReadMetadata returns the string metadata of a safetensors file, nil when it has none.
func ReadMetadata(path string) (metadata map[string]string, err error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("read safetensors: %w", err)
	}
	defer func() { err = errors.Join(err, m.close()) }()
	header, _, err := splitHeader(m)
	if err == nil {
		_, metadata, err = decodeHeader(header)
	}
	if err != nil {
		return nil, fmt.Errorf("read safetensors %s: %w", path, err)
	}
	return metadata, nil
}

func parseSafetensors(path string, m mapping) (map[string]entry, error) {
	header, data, err := splitHeader(m)
	if err != nil {
		return nil, err
	}
	infos, _, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	entries := make(map[string]entry, len(infos))
	for _, in := range infos {
		t, err := in.tensor(path, data)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", in.name, err)
		}
		entries[in.name] = entry{tensor: t}
	}
	return entries, checkLayout(infos, int64(len(data)))
}

// splitHeader separates the JSON header of a safetensors file from the bytes of its tensors.
func splitHeader(m mapping) (header, data []byte, err error) {
	if len(m) < 8 {
		return nil, nil, fmt.Errorf("file has %d bytes, expected at least 8", len(m))
	}
	n := binary.LittleEndian.Uint64(m)
	if n > maxHeader {
		return nil, nil, fmt.Errorf("header length is %d, expected at most %d", n, maxHeader)
	}
	if rest := uint64(len(m) - 8); n > rest {
		return nil, nil, fmt.Errorf("file is truncated: header needs %d bytes, found %d", n, rest)
	}
	return m[8 : 8+n], m[8+n:], nil
}

type namedInfo struct {
	name string
	tensorInfo
}

// decodeHeader reads a header key by key, because a map would hide that a name occurs twice.
func decodeHeader(header []byte) (infos []namedInfo, metadata map[string]string, err error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, fmt.Errorf("header is not a JSON object: starts with %.20q", header)
	}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, headerError(dec, err)
		}
		name, _ := tok.(string) // the decoder lets only strings be keys
		if seen[name] {
			return nil, nil, fmt.Errorf("tensor %s occurs twice in the header", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("header: %s is not an object of strings: %w", metadataKey, err)
			}
			continue
		}
		info := namedInfo{name: name}
		if err := dec.Decode(&info.tensorInfo); err != nil {
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, nil, headerError(dec, err)
			}
			return nil, nil, fmt.Errorf("tensor %s: header entry is malformed: %w", name, err)
		}
		infos = append(infos, info)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, headerError(dec, err)
	}
	return infos, metadata, nil
}

func headerError(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("header is not JSON at byte %d: %w", dec.InputOffset(), err)
}

// tensor checks a header entry against the bytes behind the header and returns the tensor that it describes.
func (in namedInfo) tensor(path string, data []byte) (Tensor, error) {
	dtype, ok := parseDType(in.DType)
	if !ok {
		return Tensor{}, fmt.Errorf("unknown dtype %q", in.DType)
	}
	begin, end := in.DataOffsets[0], in.DataOffsets[1]
	if begin < 0 || end < begin {
		return Tensor{}, fmt.Errorf("data_offsets [%d, %d] are no range", begin, end)
	}
	want, ok := byteLength(dtype, in.Shape)
	if !ok {
		return Tensor{}, fmt.Errorf("shape %v is impossible", in.Shape)
	}
	if end-begin != want {
		return Tensor{}, fmt.Errorf("shape %v of %s takes %d bytes, data_offsets [%d, %d] give %d", in.Shape, dtype, want, begin, end, end-begin)
	}
	if end > int64(len(data)) {
		return Tensor{}, fmt.Errorf("file is truncated: data_offsets [%d, %d] end behind the %d bytes of data", begin, end, len(data))
	}
	return Tensor{Name: in.name, DType: dtype, Shape: in.Shape, Data: data[begin:end:end], File: path}, nil
}

// checkLayout demands what the format does: tensors cover the data without overlap and without holes.
func checkLayout(infos []namedInfo, size int64) error {
	slices.SortFunc(infos, func(a, b namedInfo) int {
		return cmp.Or(cmp.Compare(a.DataOffsets[0], b.DataOffsets[0]), cmp.Compare(a.DataOffsets[1], b.DataOffsets[1]))
	})
	end, last := int64(0), ""
	for _, in := range infos {
		switch begin := in.DataOffsets[0]; {
		case begin < end:
			return fmt.Errorf("tensor %s: data_offsets %v overlap tensor %s, which ends at %d", in.name, in.DataOffsets, last, end)
		case begin > end:
			return fmt.Errorf("tensor %s: data_offsets %v leave a hole of %d bytes before it", in.name, in.DataOffsets, begin-end)
		}
		end, last = in.DataOffsets[1], in.name
	}
	if end != size {
		return fmt.Errorf("tensors end at byte %d of %d bytes of data", end, size)
	}
	return nil
}
