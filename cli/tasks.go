package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"revela/evaluate/tasks"
)

func tasksCommand() command {
	return command{
		name:      "tasks",
		summary:   "list the benchmarks and tasks that evaluate knows",
		arguments: "[NAME…]",
		details: "Without a NAME lists the benchmarks, each with the number of its tasks; with names of benchmarks or tasks these tasks:\n" +
			"documents, queries, the data set on the HuggingFace hub with its pinned revision, and whether documents with the\n" +
			"query's id are dropped. --json adds splits, prompts and published scores.",
		examples: []string{
			"revela tasks",
			"revela tasks beir bright/biology",
			"revela tasks --json nanobeir",
		},
		flags: []cli.Flag{jsonFlag()},
		run:   runTasks,
	}
}

// listedTask is the JSON of a task.
type listedTask struct {
	tasks.Task
	Published []listedScore `json:"published"`
}

type listedScore struct {
	System string  `json:"system"`
	Source string  `json:"source"`
	Score  float64 `json:"ndcg@10"`
}

func runTasks(ctx *cli.Context) error {
	if _, err := configuration(ctx, nil); err != nil {
		return err
	}
	registry, err := tasks.Load()
	if err != nil {
		return err
	}
	if !ctx.Args().Present() && !ctx.Bool("json") {
		return printSuites(ctx.App.Writer, registry)
	}
	found, err := namedTasks(ctx, registry)
	if err != nil {
		return err
	}
	if !ctx.Bool("json") {
		return printTasks(ctx.App.Writer, found)
	}
	listed := []listedTask{}
	for _, t := range found {
		l := listedTask{Task: *t, Published: []listedScore{}}
		for _, p := range registry.PublishedScores(t.Name) {
			l.Published = append(l.Published, listedScore{p.System, p.Source, p.Scores[registry.Metric]})
		}
		listed = append(listed, l)
	}
	return printJSON(ctx, listed)
}

// namedTasks are the tasks of the arguments, all without any.
func namedTasks(ctx *cli.Context, registry *tasks.Registry) ([]*tasks.Task, error) {
	var found []*tasks.Task
	if !ctx.Args().Present() {
		for i := range registry.Tasks {
			found = append(found, &registry.Tasks[i])
		}
	}
	for _, name := range ctx.Args().Slice() {
		some, err := registry.Find(name)
		if err != nil {
			return nil, fmt.Errorf("tasks: %w", err)
		}
		found = append(found, some...)
	}
	return found, nil
}

func printSuites(w io.Writer, registry *tasks.Registry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range registry.Suites {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Title, strings.Join(s.Of, " "))
	}
	return table.Flush()
}

func printTasks(w io.Writer, found []*tasks.Task) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tTASK\tSPLIT\tDOCUMENTS\tQUERIES\tIDENTICAL IDS\tDATA SET")
	for _, t := range found {
		identical := "kept"
		if t.RemoveIdentical {
			identical = "removed"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s@%.8s\n", t.Name, t.Task, t.Split, t.Documents, t.Queries, identical, t.Repository, t.Revision)
	}
	return table.Flush()
}
