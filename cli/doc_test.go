package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write docs/commands.md anew from the table of commands")

// The page of the commands is what their help says.
func TestDocIsUpToDate(t *testing.T) {
	const path = "../docs/commands.md"
	page := commandsPage()
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != page {
		t.Errorf("%s is not what the commands say (%v); write it anew with: go test ./cli -run TestDoc -update", path, err)
	}
}

func commandsPage() string {
	var page strings.Builder
	page.WriteString("# Commands\n\n" + statusHelp + "\nResults go to standard output, progress, notes and errors to standard error. " +
		"Every command takes `--help`.\n\nMade from the table of commands by `go test ./cli -run TestDoc -update`.\n\n" +
		"| command | does |\n|---|---|\n")
	for _, c := range commands() {
		fmt.Fprintf(&page, "| [`revela %s`](#revela-%s) | %s |\n", c.name, c.name, c.summary)
	}
	for _, c := range commands() {
		writeCommand(&page, "revela", c)
	}
	return page.String()
}

func writeCommand(page *strings.Builder, parent string, c command) {
	built := c.build(parent)
	fmt.Fprintf(page, "\n## %s %s\n\n`%s`\n\n%s\n\n", parent, c.name, built.UsageText, strings.ReplaceAll(c.details, "*", `\*`))
	if len(c.subcommands) > 0 {
		for _, sub := range c.subcommands {
			writeCommand(page, parent+" "+c.name, sub)
		}
		return
	}
	fmt.Fprintf(page, "```sh\n%s\n```\n\n| flag | meaning |\n|---|---|\n", strings.Join(c.examples, "\n"))
	for _, f := range built.Flags {
		placeholder, usage, _ := strings.Cut(cli.FlagStringer(f), "\t")
		placeholder, _, _ = strings.Cut(placeholder, " [ ") // [ --set KEY=VALUE ], the repetition
		fmt.Fprintf(page, "| `%s` | %s |\n", placeholder, strings.ReplaceAll(strings.TrimSpace(usage), "|", `\|`))
	}
}
