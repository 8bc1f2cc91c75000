// Package cli is the command line of revela: the table of commands, a file a subcommand, and what they share.
//
// A command parses its flags, calls one function of another package and prints. Results go to standard
// output, progress and notes to standard error. Errors are printed in one place, as one line each.
package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// commands is the table of subcommands, in the order of help.
func commands() []command {
	return []command{
		prepareCommand(),
		inspectCommand(),
		trainCommand(),
		evaluateCommand(),
		tasksCommand(),
		reproduceCommand(),
		encodeCommand(),
		searchCommand(),
		cacheCommand(),
		scoreCommand(),
		exportCommand(),
		downloadCommand(),
		checkCommand(),
		benchCommand(),
		doctorCommand(),
	}
}

// command is a row of the table.
type command struct {
	name      string
	summary   string // a line for the table of commands
	arguments string // what the usage line shows after the flags; empty where no arguments are taken
	details   string // what --help says beside the flags
	examples  []string
	flags     []cli.Flag
	run       func(*cli.Context) error

	subcommands []command // instead of flags and run
}

// Run runs the program with os.Args and returns its exit status: see Status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := newApp(stdout, stderr).RunContext(ctx, args)
	printError(stderr, err)
	return Status(err)
}

// newApp builds the application of the table.
func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "revela",
		Usage:                     "train dense retrievers from raw text, and measure them",
		UsageText:                 "revela COMMAND [flags]",
		Description:               "Each command says with --help what it does, with an example.\n\n" + statusHelp,
		Version:                   longVersion(),
		Writer:                    stdout,
		ErrWriter:                 stderr,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // a value of --set may hold commas
		Action:                    noCommand,
		OnUsageError:              asUsageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // Run prints and returns the status
	}
	for _, c := range commands() {
		app.Commands = append(app.Commands, c.build("revela"))
	}
	return app
}

// build turns a row of the table into urfave's command; every command takes --set.
// parent is what stands before its name.
func (c command) build(parent string) *cli.Command {
	name := parent + " " + c.name
	if len(c.subcommands) > 0 {
		return c.buildGroup(name)
	}
	usage := name + " [flags]"
	if c.arguments != "" {
		usage += " " + c.arguments
	}
	return &cli.Command{
		Name:            c.name,
		Usage:           c.summary,
		UsageText:       usage,
		Description:     c.details + "\n\nExample:\n  " + strings.Join(c.examples, "\n  "),
		Flags:           append(c.flags, setFlag()),
		HideHelpCommand: true,
		OnUsageError:    asUsageError,
		Action: func(ctx *cli.Context) error {
			if err := c.checkArguments(ctx); err != nil {
				return err
			}
			return c.run(ctx)
		},
	}
}

// buildGroup is build for a command of subcommands.
func (c command) buildGroup(name string) *cli.Command {
	group := &cli.Command{
		Name:            c.name,
		Usage:           c.summary,
		UsageText:       name + " COMMAND [flags]",
		Description:     c.details + "\n\nExample:\n  " + strings.Join(c.examples, "\n  "),
		HideHelpCommand: true,
		OnUsageError:    asUsageError,
		Action:          noSubcommand,
	}
	for _, sub := range c.subcommands {
		group.Subcommands = append(group.Subcommands, sub.build(name))
	}
	return group
}

// checkArguments refuses arguments that nobody would read, and flags behind arguments, which would pass for such.
func (c command) checkArguments(ctx *cli.Context) error {
	for _, argument := range ctx.Args().Slice() {
		if strings.HasPrefix(argument, "-") && argument != "-" {
			return usagef(ctx, "found the flag %s after an argument, expected flags first", argument)
		}
	}
	if c.arguments == "" && ctx.Args().Present() {
		return usagef(ctx, "found the argument %q, expected flags only", ctx.Args().First())
	}
	return nil
}

// noCommand is the action without a known command.
func noCommand(ctx *cli.Context) error {
	return unknown(ctx, ctx.App.Commands)
}

// noSubcommand is the action of a command of subcommands without a known one.
func noSubcommand(ctx *cli.Context) error { return unknown(ctx, ctx.Command.Subcommands) }

func unknown(ctx *cli.Context, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	found := "no command"
	if ctx.Args().Present() {
		found = fmt.Sprintf("the unknown command %q", ctx.Args().First())
	}
	return usagef(ctx, "found %s, expected one of %s", found, strings.Join(names, ", "))
}
