package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew from the comments of config.go")

const docHeader = `# Configuration

One YAML file drives every stage. All keys are below, with their types and defaults; a file names what differs.
An unknown key, a wrong type or an impossible value is an error that names file, line, key and what was expected,
and all of them are reported at once (` + "`revela check --config FILE`" + ` shows them without running anything).
` + "`--set train.learning_rate=5e-5`" + ` overrides any key, in every command.

Made from the comments of config/config.go by ` + "`go test ./config -run TestDoc -update`" + `.
`

// The page of the configuration is what config.go's comments, types, tags and defaults say.
func TestDocIsUpToDate(t *testing.T) {
	comments, err := fieldComments("config.go")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString(docHeader)
	if err := writeSection(&page, reflect.ValueOf(*defaults()), "", comments); err != nil {
		t.Fatal(err)
	}
	const path = "../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != page.String() {
		t.Errorf("%s is not what config.go says (%v); write it anew with: go test ./config -run TestDoc -update", path, err)
	}
}

// fieldComments reads the comments of all struct fields of a file, by "Type.Field".
func fieldComments(path string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if section, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range section.Fields.List {
				for _, name := range field.Names {
					comments[spec.Name.Name+"."+name.Name] = strings.TrimSpace(field.Doc.Text())
				}
			}
		}
		return false
	})
	return comments, nil
}

// writeSection writes a section's table, then the tables of the sections in it.
func writeSection(page *strings.Builder, section reflect.Value, prefix string, comments map[string]string) error {
	page.WriteString("\n| key | value | default | meaning |\n|---|---|---|---|\n")
	var inner []func() error
	for i := range section.NumField() {
		field := section.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		key := prefix + field.Tag.Get("yaml")
		comment := comments[section.Type().Name()+"."+field.Name]
		if comment == "" {
			return fmt.Errorf("%s.%s has no comment", section.Type().Name(), field.Name)
		}
		if sub, ok := subsection(section.Field(i)); ok {
			inner = append(inner, func() error {
				fmt.Fprintf(page, "\n## %s\n\n%s\n", key, comment)
				return writeSection(page, sub, key+".", comments)
			})
		}
		if section.Field(i).Kind() == reflect.Struct && !isUnion(section.Field(i)) {
			continue
		}
		value, err := flow(withNull(section.Field(i), field))
		if err != nil {
			return err
		}
		fmt.Fprintf(page, "| `%s` | %s | `%s` | %s |\n", key, kindOf(section.Field(i), field), value, comment)
	}
	for _, write := range inner {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func isUnion(v reflect.Value) bool {
	_, ok := reflect.New(v.Type()).Interface().(union)
	return ok
}

// subsection returns the section that a field holds; both adapters have the same one, so it is shown once.
func subsection(v reflect.Value) (reflect.Value, bool) {
	switch {
	case v.Type() == reflect.TypeFor[*LoRA]():
		return reflect.ValueOf(*defaultLoRA()), true
	case v.Kind() == reflect.Struct && !isUnion(v):
		return v, true
	}
	return v, false
}

// withNull returns the default as the file would say it: null where a zero stands for one.
func withNull(v reflect.Value, field reflect.StructField) reflect.Value {
	if _, nullable := field.Tag.Lookup("null"); nullable && v.IsZero() {
		var null any
		return reflect.ValueOf(&null).Elem()
	}
	return v
}

// kindOf says what values a key takes.
func kindOf(v reflect.Value, field reflect.StructField) string {
	kind := plainKind(v, field.Tag.Get("is"))
	if null, ok := field.Tag.Lookup("null"); ok {
		kind += "; null: " + null
	}
	return kind
}

func plainKind(v reflect.Value, is string) string {
	if u, ok := reflect.New(v.Type()).Interface().(union); ok {
		return u.expected()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return "mapping of " + list(keysOf(v.Type().Elem()), "and")
	case reflect.Slice:
		return "list of texts"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		if strings.Contains(is, "|") || is == "adamw" {
			return list(strings.Split(is, "|"), "or")
		}
		return "text"
	}
	in, err := parseInterval(is)
	if err != nil {
		return err.Error()
	}
	if v.CanInt() {
		return "whole number" + in.String()
	}
	return "number" + in.String()
}
