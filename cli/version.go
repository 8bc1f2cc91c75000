package cli

import "runtime/debug"

// release is the version that CHANGELOG.md describes.
const release = "0.1.0"

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
