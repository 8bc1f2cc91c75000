package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/evaluate"
	"revela/evaluate/tasks"
	"revela/model/checkpoint"
)

// mirrorFlag names where the data of benchmarks is looked for first.
func mirrorFlag() cli.Flag {
	return &cli.StringFlag{Name: "mirror", DefaultText: "$REVELA_MIRROR", Usage: "`FOLDER` with data sets of benchmarks, looked through before the hub: " +
		"repositories (mteb/scifact), a copy of the hub's cache, or folders in BEIR layout (beir/scifact, scifact)"}
}

// mirror is the folder of --mirror, else of the environment.
func mirror(ctx *cli.Context) string { return cmp.Or(ctx.String("mirror"), os.Getenv("REVELA_MIRROR")) }

// namedCollections returns what --suite and evaluate.collections name, to be opened one after the other, and reports the
// mistakes of all names.
func namedCollections(ctx *cli.Context, c *config.Config) ([]evaluate.Entry, error) {
	p := newProgress(ctx.App.ErrWriter, size)
	opener := tasks.Opener{
		Resolver: &checkpoint.Resolver{Progress: p.report}, Mirror: mirror(ctx), Protocol: c.Evaluate.Protocol,
		Instruction: strings.ReplaceAll(ctx.String("instruction"), `\n`, "\n"),
	}
	if isSet(c, "evaluate.split") {
		opener.Split = c.Evaluate.Split
	}
	keepIdentical := ctx.IsSet("remove-identical") && !ctx.Bool("remove-identical")
	var entries []evaluate.Entry
	var problems []error
	add := func(name, at string) {
		named, err := opener.Entries(name, c.Evaluate.Split)
		if err != nil {
			problems = append(problems, prefixed(at, err))
			return
		}
		for _, e := range named {
			e.Open = opening(e.Open, at, p, keepIdentical)
			entries = append(entries, e)
		}
	}
	if !ctx.IsSet("suite") || ctx.IsSet("collection") { // a suite stands for what a file says
		for i, name := range c.Evaluate.Collections {
			key := fmt.Sprintf("evaluate.collections[%d]", i)
			add(name, c.At(key)+": "+key)
		}
	}
	for _, value := range ctx.StringSlice("suite") {
		for _, name := range words(value) {
			add(name, "--suite "+name)
		}
	}
	return distinct(entries), errors.Join(problems...)
}

// opening opens a collection that is named at a place, which its mistakes say.
func opening(open func(context.Context) (*evaluate.Collection, error), at string, p *progress, keepIdentical bool) func(context.Context) (*evaluate.Collection, error) {
	return func(ctx context.Context) (*evaluate.Collection, error) {
		defer p.finish()
		collection, err := open(ctx)
		if err != nil {
			if ctx.Err() == nil {
				err = prefixed(at, err)
			}
			return nil, err
		}
		if keepIdentical {
			collection.RemoveIdentical = false
		}
		return collection, nil
	}
}

// prefixed puts a place before each line of an error.
func prefixed(at string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = at + ": " + lines[i]
	}
	return &locatedError{text: strings.Join(lines, "\n"), err: err}
}

// distinct leaves out tasks that were named twice, as beir and beir/scifact do.
func distinct(entries []evaluate.Entry) []evaluate.Entry {
	var kept []evaluate.Entry
	seen := map[string]bool{}
	for _, e := range entries {
		if e.Task {
			if seen[e.Name] {
				continue
			}
			seen[e.Name] = true
		}
		kept = append(kept, e)
	}
	return kept
}
