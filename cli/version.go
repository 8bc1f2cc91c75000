package cli

import (
	"fmt"
	"runtime/debug"

	"revela/torch"
)

// release is the version that CHANGELOG.md describes.
const release = "0.1.0"

// longVersion is what --version prints: the program, gotch and libtorch.
func longVersion() string {
	return fmt.Sprintf("%s, gotch %s, libtorch %s", Version(), gotchVersion(), torch.Version)
}

// gotchVersion returns the version of the gotch module in this build.
func gotchVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/sugarme/gotch" {
			return module.Version
		}
	}
	return "unknown"
}

// Version returns the program's version, with the commit that it was built from where Go knows it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return release + " (" + setting.Value[:min(12, len(setting.Value))] + ")"
		}
	}
	return release
}
