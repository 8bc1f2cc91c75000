package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"revela/internal/atomicfile"
)

// WriteSafetensors creates or replaces a safetensors file; a reader sees the old file or the complete new one.
// The bytes are those that Python's safetensors writes: types of the highest rank first, then by name, the header
// padded with spaces to 8 bytes. Nil metadata stands for {"format": "pt"}, which transformers asks for.
func WriteSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	for _, t := range tensors {
		if err := checkLength(t); err != nil {
			return fmt.Errorf("write safetensors %s: %w", path, err)
		}
	}
	return StreamSafetensors(path, tensors, metadata, func(t Tensor) ([]byte, error) { return t.Data, nil })
}

// StreamSafetensors is WriteSafetensors for tensors whose bytes are made one at a time: Data of tensors is ignored, and
// read returns the bytes of each in the order of the file. They are not touched any more after the next call of read.
func StreamSafetensors(path string, tensors []Tensor, metadata map[string]string, read func(Tensor) ([]byte, error)) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType, a.DType), cmp.Compare(a.Name, b.Name))
	})
	if metadata == nil {
		metadata = map[string]string{"format": "pt"}
	}
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("write safetensors %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, t := range tensors {
			if t.Data, err = read(t); err != nil {
				return err
			}
			if err := checkLength(t); err != nil {
				return err
			}
			if _, err := w.Write(t.Data); err != nil {
				return err
			}
		}
		return nil
	})
}

// encodeHeader returns the length and the JSON header for tensors that lie one behind the other.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		if err := writeMember(&b, metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{metadataKey: true}
	begin := int64(0)
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %s occurs twice", t.Name)
		}
		seen[t.Name] = true
		size, err := byteSize(t)
		if err != nil {
			return nil, err
		}
		end := begin + size
		shape := append([]int64{}, t.Shape...) // a scalar's shape is [], not null
		if err := writeMember(&b, t.Name, tensorInfo{t.DType.String(), shape, [2]int64{begin, end}}); err != nil {
			return nil, err
		}
		begin = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("header takes %d bytes, the format allows %d", b.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// byteSize returns the bytes that a tensor's type and shape take.
func byteSize(t Tensor) (int64, error) {
	if t.DType.Size() == 0 {
		return 0, fmt.Errorf("tensor %s: unknown dtype %s", t.Name, t.DType)
	}
	n, ok := byteLength(t.DType, t.Shape)
	if !ok {
		return 0, fmt.Errorf("tensor %s: shape %v of %s has no size", t.Name, t.Shape, t.DType)
	}
	return n, nil
}

func checkLength(t Tensor) error {
	want, err := byteSize(t)
	if err == nil && want != int64(len(t.Data)) {
		err = fmt.Errorf("tensor %s: shape %v of %s takes %d bytes, found %d", t.Name, t.Shape, t.DType, want, len(t.Data))
	}
	return err
}

// writeMember appends `"key":value`, after a comma where one is needed. Unlike json.Marshal it leaves <, > and & as
// they are, as Python's safetensors does.
func writeMember(b *bytes.Buffer, key string, value any) error {
	if b.Len() > len("........{") {
		b.WriteByte(',')
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(key); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // Encode ends with a newline
	b.WriteByte(':')
	if err := enc.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}
