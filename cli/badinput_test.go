package cli

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"revela/internal/testdata"
)

// badInput is a folder with sound inputs of every command, in which a test breaks one. The commands write below out.
type badInput struct {
	t   *testing.T
	dir string
}

func newBadInput(t *testing.T) badInput {
	t.Helper()
	b := badInput{t, t.TempDir()}
	for _, name := range []string{"retriever", "lm"} {
		source := filepath.Join(testdata.Fixtures(t), "tiny-llama", name)
		if err := os.CopyFS(b.path(name), os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
	}
	tinyCollection(t, b.dir)
	if err := os.Mkdir(b.path("out"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write("groups.jsonl", `["a text of words", "another one"]`+"\n"+`["a third text", "and a fourth"]`+"\n")
	b.write("docs.jsonl", `{"_id": "a", "text": "One sentence. And another one."}`+"\n"+`{"_id": "b", "text": "A third. A fourth."}`+"\n")
	b.write("train.yaml", fmt.Sprintf("output: %s\nprecision: fp32\nretriever: {checkpoint: %s, max_length: 32}\nlm: {checkpoint: %s}\n"+
		"data: {groups: [%s], max_length: 32, shuffle: false}\ntrain: {steps: 1, groups_per_step: 2, warmup_steps: 0}\n",
		b.path("out/run"), b.path("retriever"), b.path("lm"), b.path("groups.jsonl")))
	return b
}

func (b badInput) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b badInput) write(name, content string) {
	b.t.Helper()
	write(b.t, b.path(name), content)
}

// change replaces a file's content.
func (b badInput) change(name string, edit func(content []byte) []byte) {
	b.t.Helper()
	content, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name, string(edit(content)))
}

// arguments are those of a command over the sound inputs, output included.
func (b badInput) arguments(command string) []string {
	switch command {
	case "train":
		return []string{"train", "--config", b.path("train.yaml")}
	case "encode":
		return []string{"encode", "--model", b.path("retriever"), "--input", b.path("tiny/corpus.jsonl"), "--output", b.path("out/v.npy")}
	case "evaluate":
		return []string{"evaluate", "--model", "bm25", "--collection", b.path("tiny"), "--output", b.path("out/scores")}
	case "search":
		return []string{"search", "--model", b.path("retriever"), "--corpus", b.path("tiny/corpus.jsonl"),
			"--queries", b.path("tiny/queries.jsonl"), "--output", b.path("out/run.trec")}
	case "export":
		return []string{"export", "--checkpoint", b.path("retriever"), "--output", b.path("out/model")}
	case "prepare":
		return []string{"prepare", "--input", b.path("docs.jsonl"), "--output", b.path("out/groups.jsonl"), "--set", "prepare.group_size=2",
			"--set", "prepare.strict=true"}
	}
	b.t.Fatalf("no arguments are known for %s", command)
	return nil
}

// temporary matches the end of the names under which files are written before they get their own.
var temporary = regexp.MustCompile(`\.\d+\.tmp`)

// requireRefusal checks that a command fails with one line, in which DIR is the folder of the inputs, and leaves no file
// behind.
func (b badInput) requireRefusal(command, want string, more ...string) {
	b.t.Helper()
	stdout, stderr, status := run(b.t, append(b.arguments(command), more...)...)
	stderr = temporary.ReplaceAllString(strings.ReplaceAll(stderr, b.dir, "DIR"), ".N.tmp")
	if status != statusFailed || stderr != "revela: "+want+"\n" || stdout != "" {
		b.t.Errorf("revela %s: status %d, output %q\n got %s\nwant revela: %s", command, status, stdout, stderr, want)
	}
	if left := b.files("out"); len(left) > 0 {
		b.t.Errorf("revela %s left behind %v", command, left)
	}
}

// files lists what is below a folder, empty folders aside.
func (b badInput) files(dir string) []string {
	b.t.Helper()
	var files []string
	err := filepath.WalkDir(b.path(dir), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// The sound inputs are sound: what the other tests see comes from what they break.
func TestFixtureSoundInput(t *testing.T) {
	b := newBadInput(t)
	for _, command := range []string{"train", "encode", "evaluate", "search", "export", "prepare"} {
		if _, stderr, status := run(t, b.arguments(command)...); status != statusDone {
			t.Errorf("revela %s: status %d: %s", command, status, stderr)
		}
	}
}

// dataStart is where the tensors of a safetensors file begin.
func dataStart(file []byte) int { return 8 + int(binary.LittleEndian.Uint64(file)) }

// Weights that cannot be right are refused by every command that reads them.
func TestFixtureBadWeights(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(file []byte) []byte
		want string
	}{
		{"truncated", func(file []byte) []byte { return file[:len(file)/2] },
			"open weights: read safetensors DIR/retriever/model.safetensors: tensor model.layers.1.mlp.down_proj.weight: " +
				"file is truncated: data_offsets [160320, 178752] end behind the 161996 bytes of data"},
		{"truncated in the header", func(file []byte) []byte { return file[:100] },
			"open weights: read safetensors DIR/retriever/model.safetensors: file is truncated: header needs 2976 bytes, found 92"},
		{"header of a huge length", func(file []byte) []byte {
			return append(binary.LittleEndian.AppendUint64(nil, math.MaxInt64), file[8:]...)
		}, "open weights: read safetensors DIR/retriever/model.safetensors: header length is 9223372036854775807, expected at most 100000000"},
		{"NaN", func(file []byte) []byte {
			binary.LittleEndian.PutUint32(file[dataStart(file):], math.Float32bits(float32(math.NaN())))
			return file
		}, "DIR/retriever/model.safetensors: tensor model.embed_tokens.weight holds NaN at index 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBadInput(t)
			b.change("retriever/model.safetensors", test.edit)
			for _, command := range []string{"encode", "search", "export"} {
				b.requireRefusal(command, "load model: "+test.want)
			}
			b.requireRefusal("train", "load retriever: "+test.want)
		})
	}
}

// Lines that cannot be right name file and line.
func TestFixtureBadLines(t *testing.T) {
	for _, test := range []struct {
		name, command, file string
		line                string // put in the place of the file's second line
		want                string
	}{
		{"empty group", "train", "groups.jsonl", `[]`,
			"DIR/train.yaml:5: data.groups: open groups: DIR/groups.jsonl:2: empty group, expected at least 2 texts"},
		{"group of one", "train", "groups.jsonl", `["alone"]`,
			"DIR/train.yaml:5: data.groups: open groups: DIR/groups.jsonl:2: group of 1 text, expected at least 2"},
		{"broken JSON", "train", "groups.jsonl", `["a", `,
			"DIR/train.yaml:5: data.groups: open groups: DIR/groups.jsonl:2: broken JSON at byte 6: unexpected end of JSON input, " +
				`expected a list of texts or an object with "text" and perhaps "query" and "src"`},
		{"invalid UTF-8", "train", "groups.jsonl", "[\"a\xff\", \"b\"]",
			"DIR/train.yaml:5: data.groups: open groups: DIR/groups.jsonl:2: invalid UTF-8: byte 4 is 0xff, expected UTF-8 text"},
		{"empty chunk", "train", "groups.jsonl", `["a text", ""]`,
			"DIR/train.yaml:5: data.groups: open groups: DIR/groups.jsonl:2: text 2 is empty, expected at least one token to predict"},
		{"broken JSON", "encode", "tiny/corpus.jsonl", `{"_id": "d2", "text": `,
			"DIR/tiny/corpus.jsonl:2: broken JSON at byte 22: unexpected end of JSON input"},
		{"invalid UTF-8", "encode", "tiny/corpus.jsonl", "{\"_id\": \"d2\", \"text\": \"a\xff\"}",
			"DIR/tiny/corpus.jsonl:2: invalid UTF-8: byte 25 is 0xff, expected UTF-8 text"},
		{"broken JSON", "evaluate", "tiny/corpus.jsonl", `{"_id": "d2", "text": `,
			"--collection DIR/tiny: evaluate.collections[0]: open collection: DIR/tiny/corpus.jsonl:2: broken JSON at byte 22: unexpected end of JSON input"},
		{"invalid UTF-8", "evaluate", "tiny/corpus.jsonl", "{\"_id\": \"d2\", \"text\": \"a\xff\"}",
			"--collection DIR/tiny: evaluate.collections[0]: open collection: DIR/tiny/corpus.jsonl:2: invalid UTF-8: byte 25 is 0xff, expected UTF-8 text"},
		{"unknown document", "evaluate", "tiny/qrels/test.tsv", "q1\tnone\t1",
			"--collection DIR/tiny: evaluate.collections[0]: open collection: DIR/tiny/qrels/test.tsv:2: " +
				`corpus.jsonl has no document "none" (unknown documents in 1 judgements, unknown queries in 0)`},
		{"broken JSON", "search", "tiny/queries.jsonl", `{"_id": "q2", `,
			"DIR/tiny/queries.jsonl:2: broken JSON at byte 14: unexpected end of JSON input"},
		{"invalid UTF-8", "search", "tiny/queries.jsonl", "{\"_id\": \"q2\", \"text\": \"a\xff\"}",
			"DIR/tiny/queries.jsonl:2: invalid UTF-8: byte 25 is 0xff, expected UTF-8 text"},
		{"broken JSON", "prepare", "docs.jsonl", `{"_id": `,
			"prepare: DIR/docs.jsonl:2: broken JSON: unexpected end of JSON input, " +
				`expected {"_id": …, "title": …, "text": …}`},
		{"invalid UTF-8", "prepare", "docs.jsonl", "{\"_id\": \"b\", \"text\": \"a\xff\"}",
			"prepare: DIR/docs.jsonl:2: invalid UTF-8: byte 24 is 0xff, expected UTF-8 text"},
	} {
		t.Run(test.name+" "+test.command, func(t *testing.T) {
			b := newBadInput(t)
			b.change(test.file, func(content []byte) []byte {
				first, _, _ := strings.Cut(string(content), "\n")
				return []byte(first + "\n" + test.line + "\n")
			})
			b.requireRefusal(test.command, test.want)
		})
	}
}

// Which tokens are to predict only the language model's tokenizer tells, so that this ends the run where the group is read.
func TestFixtureNoTokenToPredict(t *testing.T) {
	b := newBadInput(t)
	b.write("groups.jsonl", `["a text of words", "another one"]`+"\n"+`{"query": ["<|end_of_text|>"], "text": ["a text", "another"]}`+"\n")
	stdout, stderr, status := run(t, b.arguments("train")...)
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(stderr, b.dir, "DIR")) {
		if strings.HasPrefix(line, "revela: ") {
			lines = append(lines, line)
		}
	}
	const want = "revela: step 1: DIR/groups.jsonl:2: text 1 of the group has no token to predict (2 tokens)\n"
	if status != statusFailed || stdout != "" || len(lines) != 1 || lines[0] != want {
		t.Errorf("status %d, output %q\n got %q\nwant %q", status, stdout, lines, want)
	}
	if left := b.files("out/run"); len(left) != 2 { // of the run so far: config.yaml and metrics.jsonl
		t.Errorf("revela train left behind %v", left)
	}
}

// A tokenizer with a token that the model has no embedding for.
func TestFixtureBadTokenizer(t *testing.T) {
	b := newBadInput(t)
	b.change("retriever/tokenizer.json", func(content []byte) []byte {
		const one = `{"id": 400, "content": "<more>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, `
		return regexp.MustCompile(`"added_tokens":\s*\[`).ReplaceAll(content, []byte("$0"+one))
	})
	const want = "DIR/retriever: the tokenizer has ids up to 400, the model embeddings for 400 tokens"
	for _, command := range []string{"encode", "search", "export"} {
		b.requireRefusal(command, want)
	}
	b.requireRefusal("train", "DIR/train.yaml:3: retriever.checkpoint: "+want)
}

func TestFixtureUnknownMetric(t *testing.T) {
	b := newBadInput(t)
	const given = "evaluate.metrics=[ndcg@10,ndgc@10]"
	want := "--set " + given + `: evaluate.metrics: unknown metric "ndgc@10", expected one of: ` + knownMetrics
	b.requireRefusal("evaluate", want, "--set", given)
	b.requireRefusal("train", want, "--set", given, "--set", "evaluate.collections=["+b.path("tiny")+"]", "--set", "train.evaluate_every=1")
}

const knownMetrics = "ndcg@K, map@K, recall@K, precision@K, mrr@K, hit_rate@K, map, mrr, ndcg, recip_rank, Rprec, bpref, gm_map, " +
	"iprec_at_recall, P.K, recall.K, success.K, map_cut.K, ndcg_cut.K, num_q, num_ret, num_rel, num_rel_ret, runid, official"

// readOnly takes the right to write into a folder away, from root as well, as far as this goroutine's files go.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755); err != nil { // nobody may read the inputs
		t.Fatal(err)
	}
	runtime.LockOSThread() // the file system's user is a thread's own
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
		runtime.UnlockOSThread()
	})
}

func TestFixtureReadOnlyOutput(t *testing.T) {
	b := newBadInput(t)
	readOnly(t, b.path("out"))
	for command, want := range map[string]string{
		"train":    "output: create the run folder: mkdir DIR/out/run: permission denied",
		"encode":   "create DIR/out/v.npy: open DIR/out/.v.npy.N.tmp: permission denied",
		"evaluate": "evaluate: create output folder: mkdir DIR/out/scores: permission denied",
		"search":   "create DIR/out/run.trec: open DIR/out/.run.trec.N.tmp: permission denied",
		"export":   "create DIR/out/model: mkdir DIR/out/.model.N.tmp: permission denied",
		"prepare":  "prepare: create work folder: mkdir DIR/out/.groups.jsonl.partial: permission denied",
	} {
		b.requireRefusal(command, want)
	}
}
