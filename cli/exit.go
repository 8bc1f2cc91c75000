package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
)

// Exit statuses of the program.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2   // the command line itself is wrong; nothing was done
	statusInterrupted = 130 // Ctrl-C, as shells report it
)

const statusHelp = "Exit status: 0 done, 1 failed, 2 wrong command line, 130 interrupted (Ctrl-C)."

// Status returns the exit status that an error of Run stands for.
func Status(err error) int {
	var usage *usageError
	var problems config.Problems
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &usage), errors.As(err, &problems) && !problems.InFile():
		return statusUsage
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	}
	return statusFailed
}

// printError writes an error as lines that name the program; only a configuration has more than one mistake to report.
func printError(w io.Writer, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	for _, line := range strings.Split(text, "\n") {
		fmt.Fprintf(w, "revela: %s\n", line)
	}
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// usagef makes a usage error that names the command and where its help is.
func usagef(ctx *cli.Context, format string, args ...any) error {
	name := "revela"
	text := fmt.Sprintf(format, args...)
	if ctx.Command != nil && ctx.Command.Name != "" && ctx.Command.Name != ctx.App.Name {
		path := strings.TrimPrefix(ctx.Command.HelpName, name+" ") // "bench step" of a subcommand
		name, text = name+" "+path, path+": "+text
	}
	return &usageError{text: fmt.Sprintf("%s (see %s --help)", text, name)}
}

// asUsageError makes one of what the flag parser says.
func asUsageError(ctx *cli.Context, err error, _ bool) error {
	return usagef(ctx, "%s", strings.ReplaceAll(err.Error(), "flag provided but not defined: -", "found the unknown flag --"))
}
