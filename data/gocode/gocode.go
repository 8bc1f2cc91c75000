// Package gocode takes Go source apart into functions with their doc comments, through Go's own parser.
package gocode

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/scanner"
	"go/token"
	"path/filepath"
	"strings"

	"revela/data/sentence"
)

// Function is a function or method.
type Function struct {
	Name       string // "Split", "(*Reader).Read"
	Line       int    // of "func", from 1
	Doc        string // the doc comment's text, without comment marks and directives; "" where there is none
	Code       string // from "func" to the closing brace, without the doc comment
	Source     string // Code with the doc comment above it, as written
	Exported   bool   // visible in the package's documentation: method and receiver both
	Deprecated bool   // a paragraph of Doc starts with "Deprecated:"
}

// BaseName is the name without the receiver.
func (f Function) BaseName() string { return f.Name[strings.LastIndexByte(f.Name, '.')+1:] }

// FirstSentence is the first sentence of the doc comment.
func (f Function) FirstSentence() string {
	for s := range sentence.Split(f.Doc) {
		return s
	}
	return ""
}

// linux is the build context that files are chosen by on every machine: Linux on x86-64 with cgo.
func linux() build.Context {
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = "linux", "amd64", true
	context.BuildTags = nil
	return context
}

// Selected tells whether `GOOS=linux GOARCH=amd64 CGO_ENABLED=1 go list` names the file at path among a
// package's Go files: no tests, and its name and build constraints fit.
func Selected(path string) (bool, error) {
	name := filepath.Base(path)
	if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
		return false, nil
	}
	context := linux()
	fits, err := context.MatchFile(filepath.Dir(path), name)
	if err != nil {
		return false, fmt.Errorf("read build constraints: %w", err)
	}
	return fits, nil
}

// SkippedFolder tells whether Go's tools pass over a folder of that name, or it holds code from elsewhere.
func SkippedFolder(name string) bool {
	return name == "testdata" || name == "vendor" || len(name) > 1 && (name[0] == '.' || name[0] == '_')
}

// File is what one source file holds.
type File struct {
	Package   string // name in the package clause
	Generated bool   // marked "Code generated … DO NOT EDIT."
	Functions []Function
}

// Parse reads Go source; path is its name in errors, which carry line and column.
func Parse(path string, source []byte) (File, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		if list, ok := err.(scanner.ErrorList); ok {
			err = list[0] // one line is enough
		}
		return File{}, err
	}
	file := File{Package: tree.Name.Name, Generated: ast.IsGenerated(tree)}
	for _, declaration := range tree.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			file.Functions = append(file.Functions, newFunction(set, source, function))
		}
	}
	return file, nil
}

func newFunction(set *token.FileSet, source []byte, decl *ast.FuncDecl) Function {
	begin, end := set.PositionFor(decl.Type.Func, false), set.PositionFor(decl.End(), false)
	f := Function{
		Name:     decl.Name.Name,
		Line:     begin.Line,
		Code:     string(source[begin.Offset:end.Offset]),
		Exported: decl.Name.IsExported(),
	}
	f.Source = f.Code
	if decl.Doc != nil {
		f.Doc = decl.Doc.Text()
		f.Source = string(source[set.PositionFor(decl.Doc.Pos(), false).Offset:end.Offset])
		f.Deprecated = strings.HasPrefix(f.Doc, "Deprecated:") || strings.Contains(f.Doc, "\n\nDeprecated:")
	}
	if decl.Recv != nil && len(decl.Recv.List) > 0 {
		receiver, pointer := receiverType(decl.Recv.List[0].Type)
		f.Exported = f.Exported && ast.IsExported(receiver)
		if pointer {
			receiver = "(*" + receiver + ")"
		}
		f.Name = receiver + "." + f.Name
	}
	return f
}

// receiverType returns the name of a receiver's type without its type parameters.
func receiverType(expr ast.Expr) (name string, pointer bool) {
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr, pointer = e.X, true
		case *ast.ParenExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name, pointer
		default:
			return "", pointer
		}
	}
}
