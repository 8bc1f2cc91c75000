package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"revela/evaluate"
	"revela/evaluate/embeddings"
)

// embeddingsFolder is where embeddings are kept; tests keep theirs elsewhere.
var embeddingsFolder = embeddings.Dir

// noCacheFlag is for commands that encode documents; see [keptEmbeddings].
func noCacheFlag() cli.Flag {
	return switchFlag("no-cache", "neither use nor keep embeddings of documents (kept below the user's cache folder, by model, text, prompt and length: revela cache lists them)")
}

// keptEmbeddings is the store of embeddings, nil with --no-cache.
func keptEmbeddings(ctx *cli.Context) (evaluate.Cache, error) {
	if ctx.Bool("no-cache") {
		return nil, nil
	}
	dir, err := embeddingsFolder()
	if err != nil {
		return nil, err
	}
	return embeddings.Open(dir, newProgress(ctx.App.ErrWriter, count).note), nil
}

func cacheCommand() command {
	return command{
		name:    "cache",
		summary: "list or clear the embeddings that evaluate and search keep",
		details: "evaluate and search keep embeddings in revela/embeddings below the user's cache folder ($XDG_CACHE_HOME, else\n" +
			"~/.cache), so that a second one over the same texts only searches. They are safe to clear at any time.",
		examples: []string{"revela cache list"},
		subcommands: []command{
			{
				name:    "list",
				summary: "list what is kept, with its size",
				details: "A line for each model with all that decides its vectors; --json adds the rest of its settings.",
				examples: []string{
					"revela cache list",
					"revela cache list --json",
				},
				flags: []cli.Flag{jsonFlag()},
				run:   runCacheList,
			},
			{
				name:      "clear",
				summary:   "remove what is kept",
				arguments: "[NAME…]",
				details:   "With names removes what list shows under these ids or models, without any all of it.",
				examples: []string{
					"revela cache clear",
					"revela cache clear runs/quickstart/revela/model",
				},
				flags: []cli.Flag{jsonFlag()},
				run:   runCacheClear,
			},
		},
	}
}

// keptModel is the JSON of what is kept for one model and kind of text.
type keptModel struct {
	ID       string         `json:"id"`
	Model    string         `json:"model"`
	Folder   string         `json:"folder"`
	Blocks   int            `json:"blocks"`
	Bytes    int64          `json:"bytes"`
	Written  time.Time      `json:"written"` // when the newest block was
	Settings map[string]any `json:"settings"`
}

// keptList is the JSON of what is kept, or was removed.
type keptList struct {
	Folder string      `json:"folder"`
	Bytes  int64       `json:"bytes"`
	Models []keptModel `json:"models"`
}

// listKept reads the user's cache.
func listKept(ctx *cli.Context) (list keptList, kept []embeddings.Kept, err error) {
	if _, err := configuration(ctx, nil); err != nil {
		return list, nil, err
	}
	if list.Folder, err = embeddingsFolder(); err != nil {
		return list, nil, err
	}
	kept, err = embeddings.List(list.Folder)
	return list, kept, err
}

func (l *keptList) add(kept embeddings.Kept) {
	m := keptModel{ID: kept.ID, Folder: kept.Folder, Blocks: kept.Files, Bytes: kept.Bytes, Written: kept.Newest.UTC(), Settings: map[string]any{}}
	if json.Unmarshal([]byte(kept.Identity), &m.Settings) == nil { // else of a version that wrote something else
		m.Model, _ = m.Settings["model"].(string)
	}
	l.Models = append(l.Models, m)
	l.Bytes += kept.Bytes
}

func runCacheList(ctx *cli.Context) error {
	list, kept, err := listKept(ctx)
	if err != nil {
		return err
	}
	list.Models = []keptModel{}
	for _, k := range kept {
		list.add(k)
	}
	slices.SortStableFunc(list.Models, func(a, b keptModel) int { return strings.Compare(a.Model, b.Model) })
	if ctx.Bool("json") {
		return printJSON(ctx, list)
	}
	return list.print(ctx.App.Writer)
}

func (l *keptList) print(w io.Writer) error {
	if len(l.Models) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tMODEL\tPROMPT\tLENGTH\tPRECISION\tBLOCKS\tSIZE\tWRITTEN")
		for _, m := range l.Models {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.ID, cmp.Or(m.Model, "-"), m.setting("%q", "prompt"), m.setting("%v", "max_length"),
				m.setting("%v", "precision"), m.Blocks, size(m.Bytes), m.Written.Local().Format(time.DateOnly))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", l.Folder, size(l.Bytes))
	return err
}

// setting formats one of the settings, - where it is not known.
func (m keptModel) setting(format, name string) string {
	value, known := m.Settings[name]
	if !known {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

func runCacheClear(ctx *cli.Context) error {
	names := ctx.Args().Slice()
	list, kept, err := listKept(ctx)
	if err != nil {
		return err
	}
	found, err := list.choose(kept, names)
	if err != nil {
		return err
	}
	for _, k := range found {
		if err := errors.Join(ctx.Context.Err(), k.Remove()); err != nil {
			return err
		}
	}
	if ctx.Bool("json") {
		return printJSON(ctx, list)
	}
	fmt.Fprintf(ctx.App.Writer, "%s: removed %s\n", list.Folder, size(list.Bytes))
	return nil
}

// choose lists those of what is kept that have one of the names, all without any; an unknown name is an error.
func (l *keptList) choose(kept []embeddings.Kept, names []string) (found []embeddings.Kept, err error) {
	l.Models = []keptModel{}
	known := map[string]bool{}
	for _, k := range kept {
		one := keptList{}
		one.add(k)
		m := one.Models[0]
		known[m.ID], known[m.Model] = true, true
		if len(names) == 0 || slices.Contains(names, m.ID) || slices.Contains(names, m.Model) {
			found = append(found, k)
			l.add(k)
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("cache: found %q, expected an id or a model that revela cache list shows", name)
		}
	}
	return found, nil
}
