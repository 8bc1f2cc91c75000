package encode

import (
	"testing"

	"revela/internal/ondevice"
)

// Texts get the same vectors on a device that is not the CPU.
func TestFixturesOnDevice(t *testing.T) {
	ondevice.Run(t, map[string]func(*testing.T){
		"file": TestFixtureFile, "search": TestFixtureSearch, "adapter": TestFixtureOpenAdapter, "MiniLM": TestDataMiniLMEmbeddings,
	})
}
