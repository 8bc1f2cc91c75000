package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/bmatcuk/doublestar/v4"
)

// expandFiles puts the files that fit it in the place of a pattern (* and ** and {a,b}), in order of their names. What is a
// file, and a pattern that nothing fits, stay: whoever opens them says what is missing.
func expandFiles(paths []string) ([]string, error) {
	expanded := make([]string, 0, len(paths))
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			expanded = append(expanded, path)
			continue
		}
		found, err := doublestar.FilepathGlob(path, doublestar.WithFilesOnly())
		if err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
		if len(found) == 0 {
			found = []string{path}
		}
		slices.Sort(found)
		expanded = append(expanded, found...)
	}
	return expanded, nil
}
