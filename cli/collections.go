package cli

import (
	"cmp"
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

// openCollections opens what --suite and evaluate.collections name, and reports the mistakes of all of them.
func openCollections(ctx *cli.Context, c *config.Config) ([]*evaluate.Collection, error) {
	p := newProgress(ctx.App.ErrWriter, size)
	defer p.finish()
	opener := tasks.Opener{
		Resolver: &checkpoint.Resolver{Progress: p.report}, Mirror: mirror(ctx), Protocol: c.Evaluate.Protocol,
		Instruction: strings.ReplaceAll(ctx.String("instruction"), `\n`, "\n"),
	}
	if isSet(c, "evaluate.split") {
		opener.Split = c.Evaluate.Split
	}
	var collections []*evaluate.Collection
	var problems []error
	add := func(name, at string) {
		opened, err := opener.Collections(ctx.Context, name, c.Evaluate.Split)
		if err != nil && ctx.Err() == nil {
			err = prefixed(at, err)
		}
		problems = append(problems, err)
		collections = append(collections, opened...)
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
	if ctx.IsSet("remove-identical") && !ctx.Bool("remove-identical") {
		for _, collection := range collections {
			collection.RemoveIdentical = false
		}
	}
	return distinct(collections), errors.Join(problems...)
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
func distinct(collections []*evaluate.Collection) []*evaluate.Collection {
	var kept []*evaluate.Collection
	seen := map[string]bool{}
	for _, c := range collections {
		if c.Task != nil {
			if seen[c.Name] {
				continue
			}
			seen[c.Name] = true
		}
		kept = append(kept, c)
	}
	return kept
}
