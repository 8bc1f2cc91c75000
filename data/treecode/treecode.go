// Package treecode takes source code of languages other than Go apart into functions with their comments, through
// tree-sitter's grammars (github.com/smacker/go-tree-sitter, which carries them).
//
// A function is a function, a method, or a type without methods; what a comment is to it each language decides: a
// docstring in Python, the comment above elsewhere. Code that a grammar does not understand is passed over.
package treecode

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"revela/data/gocode"

	sitter "github.com/smacker/go-tree-sitter"
)

// Known tells whether there is a grammar for a file, by its name.
func Known(path string) bool {
	_, known := languages[strings.ToLower(filepath.Ext(path))]
	return known
}

// Selected tells whether a file is worth reading: no tests, no minified code.
func Selected(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	switch filepath.Ext(name) {
	case ".py", ".pyi", ".rb":
		return !strings.HasPrefix(stem, "test_") && !strings.HasSuffix(stem, "_test") && !strings.HasSuffix(stem, "_spec") && stem != "conftest"
	case ".java":
		return !strings.HasSuffix(stem, "test") && !strings.HasSuffix(stem, "tests")
	}
	return !strings.HasSuffix(stem, ".test") && !strings.HasSuffix(stem, ".spec") && !strings.HasSuffix(stem, ".min") &&
		!strings.HasSuffix(stem, ".d") && !strings.HasSuffix(stem, "_test")
}

// SkippedFolder tells whether a folder of that name holds code from elsewhere, or tests.
func SkippedFolder(name string) bool {
	switch name {
	case "node_modules", "__pycache__", "site-packages", "__tests__":
		return true
	}
	return gocode.SkippedFolder(name)
}

// Parse reads the source code of a file. Its error is of the library; code that breaks the language's rules has none.
func Parse(path string, source []byte) ([]gocode.Function, error) {
	l, known := languages[strings.ToLower(filepath.Ext(path))]
	if !known {
		return nil, fmt.Errorf("%s: no grammar for %s", path, filepath.Ext(path))
	}
	parser := sitter.NewParser()
	defer parser.Close()
	parser.SetLanguage(l.grammar())
	tree, err := parser.ParseCtx(context.Background(), nil, source)
	if err != nil {
		return nil, fmt.Errorf("%s: parse: %w", path, err)
	}
	defer tree.Close()
	v := visitor{language: l, source: source}
	v.visit(tree.RootNode(), nil)
	return v.functions, nil
}

// visitor collects the functions of a file.
type visitor struct {
	language  *language
	source    []byte
	functions []gocode.Function
}

// visit goes through the children of a node that is inside types and functions of the given names.
func (v *visitor) visit(n *sitter.Node, outer []string) {
	for i := range int(n.NamedChildCount()) {
		child := n.NamedChild(i)
		kind := child.Type()
		switch {
		case v.language.functions[kind]:
			v.add(child, outer)
		case v.language.types[kind]:
			before := len(v.functions)
			name := v.name(child)
			v.visit(child, append(outer[:len(outer):len(outer)], name))
			if len(v.functions) == before && name != "" {
				v.add(child, outer)
			}
		default:
			v.visit(child, outer)
		}
	}
}

// add takes note of a function or type.
func (v *visitor) add(n *sitter.Node, outer []string) {
	name := v.name(n)
	if name == "" || n.HasError() {
		return
	}
	top := v.outermost(n)
	start, end := int(top.StartByte()), int(top.EndByte())
	f := gocode.Function{
		Name: strings.Join(append(outer[:len(outer):len(outer)], name), "."), Line: int(n.StartPoint().Row) + 1,
		Code: string(v.source[start:end]), Exported: v.exported(n, name),
	}
	f.Source = f.Code
	if v.language.docstring {
		v.docstring(n, top, &f)
	} else if from, comment := v.commentAbove(top); from < start {
		f.Doc, f.Source = comment, string(v.source[from:end])
	}
	f.Deprecated = strings.Contains(f.Doc, "@deprecated") || strings.HasPrefix(f.Doc, "Deprecated")
	f.Doc = withoutTags(f.Doc)
	v.functions = append(v.functions, f)
}

// outermost is the node with what is written in front of it: decorators, export, the declaration of a variable.
func (v *visitor) outermost(n *sitter.Node) *sitter.Node {
	for parent := n.Parent(); parent != nil && v.language.wrappers[parent.Type()]; parent = n.Parent() {
		n = parent
	}
	return n
}

// name is what a function or type is called.
func (v *visitor) name(n *sitter.Node) string {
	if named := n.ChildByFieldName("name"); named != nil {
		return named.Content(v.source)
	}
	if n.Type() == "arrow_function" || n.Type() == "function_expression" || n.Type() == "function" {
		if parent := n.Parent(); parent != nil && parent.Type() == "variable_declarator" {
			return v.name(parent)
		}
		return ""
	}
	d := n.ChildByFieldName("declarator") // C: the name is within pointers and parameters
	for d != nil {
		switch d.Type() {
		case "identifier", "field_identifier", "qualified_identifier", "destructor_name", "operator_name":
			return d.Content(v.source)
		}
		next := d.ChildByFieldName("declarator")
		if next == nil && d.NamedChildCount() > 0 {
			next = d.NamedChild(0)
		}
		d = next
	}
	return ""
}

// exported tells whether the name is for others, as far as the language says so.
func (v *visitor) exported(n *sitter.Node, name string) bool {
	if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#") {
		return false
	}
	for i := range int(n.ChildCount()) {
		child := n.Child(i)
		switch child.Type() {
		case "modifiers", "accessibility_modifier", "visibility_modifier", "storage_class_specifier":
			switch text := child.Content(v.source); {
			case strings.Contains(text, "private"), strings.Contains(text, "static") && v.language.staticIsPrivate:
				return false
			}
		}
	}
	return true
}
