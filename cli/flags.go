package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func setFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name:  "set",
		Usage: "override a configuration key, `KEY=VALUE`, such as train.learning_rate=5e-5; may be repeated",
	}
}

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "configuration `FILE` (docs/configuration.md has all keys)"}
}

func jsonFlag() cli.Flag { return switchFlag("json", "print the result as JSON") }

// switchFlag is off unless it is named, which its help need not say.
func switchFlag(name, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, DisableDefaultText: true}
}

// require reports the first of the flags that is missing.
func require(ctx *cli.Context, flags ...string) error {
	for _, flag := range flags {
		if !ctx.IsSet(flag) {
			return usagef(ctx, "found no --%s, expected one", flag)
		}
	}
	return nil
}

// printJSON writes a result for other programs.
func printJSON(ctx *cli.Context, result any) error {
	encoder := json.NewEncoder(ctx.App.Writer)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

// words splits a flag's value at commas and blanks.
func words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}
