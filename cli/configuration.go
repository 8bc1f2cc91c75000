package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"revela/config"
	"revela/evaluate"
)

// keys maps a command's flags to the configuration keys that they stand for.
type keys map[string]string

// configuration loads the file of --config, if there is one, then the command's own flags, then --set.
func configuration(ctx *cli.Context, own keys) (*config.Config, error) {
	var overrides []config.Override
	for _, flag := range ctx.Command.Flags { // in the order of help, so that messages come in one order
		name := flag.Names()[0]
		if key, ok := own[name]; ok && ctx.IsSet(name) {
			override, err := flagOverride(ctx, name, key)
			if err != nil {
				return nil, err
			}
			overrides = append(overrides, override)
		}
	}
	overrides = append(overrides, config.Sets(ctx.StringSlice("set"))...)
	return config.LoadWith(ctx.String("config"), overrides)
}

func flagOverride(ctx *cli.Context, name, key string) (config.Override, error) {
	value := fmt.Sprint(ctx.Value(name))
	given := fmt.Sprintf("--%s %s", name, value)
	if list, ok := ctx.Value(name).(cli.StringSlice); ok {
		text, err := json.Marshal(list.Value())
		if err != nil {
			return config.Override{}, fmt.Errorf("read --%s: %w", name, err)
		}
		value, given = string(text), "--"+name+" "+strings.Join(list.Value(), " --"+name+" ")
	}
	return config.Override{Key: key, Value: value, Given: given}, nil
}

// configuredMeasures are the measures of evaluate.metrics; an unknown one is an error at its place in the file.
func configuredMeasures(c *config.Config) ([]evaluate.Measure, error) {
	measures, err := evaluate.ParseMeasures(c.Evaluate.Metrics)
	if err != nil {
		return nil, fmt.Errorf("%s: evaluate.metrics: %w", c.At("evaluate.metrics"), err)
	}
	return measures, nil
}

// located puts before each line of an error that begins with a configuration key where that key was set.
func located(c *config.Config, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		if at := c.At(key); at != key {
			lines[i] = at + ": " + line
		}
	}
	return &locatedError{text: strings.Join(lines, "\n"), err: err}
}

// locatedError is an error with the places of its keys in its text.
type locatedError struct {
	text string
	err  error
}

func (e *locatedError) Error() string { return e.text }
func (e *locatedError) Unwrap() error { return e.err }
