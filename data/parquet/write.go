package parquet

import (
	"errors"
	"fmt"
	"io"

	"revela/internal/atomicfile"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// rowsOfGroup is how many rows are held in memory before they are written.
const rowsOfGroup = 2048

// Write creates the file at path, whole or not at all, from the rows that fill hands to put. The columns are the fields
// of T, named by their parquet tags. The same rows give the same bytes.
func Write[T any](path string, fill func(put func(row T) error) error) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		rows := parquet.NewGenericWriter[T](w, parquet.Compression(&zstd.Codec{Concurrency: 1}), parquet.CreatedBy("revela", "", ""))
		held := 0
		err := fill(func(row T) error {
			if _, err := rows.Write([]T{row}); err != nil {
				return fmt.Errorf("write row: %w", err)
			}
			if held++; held < rowsOfGroup {
				return nil
			}
			held = 0
			return rows.Flush()
		})
		return errors.Join(err, rows.Close())
	})
}
