package treecode

import (
	"strings"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/c"
	"github.com/smacker/go-tree-sitter/cpp"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/php"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/ruby"
	"github.com/smacker/go-tree-sitter/rust"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"
)

// language says which nodes of a grammar are what.
type language struct {
	grammar         func() *sitter.Language
	functions       map[string]bool
	types           map[string]bool
	wrappers        map[string]bool
	docstring       bool // the comment is the first expression of the body
	staticIsPrivate bool
}

func kinds(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

func script(grammar func() *sitter.Language) *language {
	return &language{
		grammar: grammar,
		functions: kinds(`function_declaration generator_function_declaration method_definition arrow_function function_expression
			function`),
		types:    kinds("class_declaration interface_declaration enum_declaration abstract_class_declaration"),
		wrappers: kinds("export_statement variable_declarator lexical_declaration variable_declaration"),
	}
}

// languages holds the grammars by the ending of a file's name, in lower case.
var languages = func() map[string]*language {
	byName := map[string]*language{
		".py .pyi": {
			grammar: python.GetLanguage, docstring: true,
			functions: kinds("function_definition"), types: kinds("class_definition"), wrappers: kinds("decorated_definition"),
		},
		".js .mjs .cjs .jsx": script(javascript.GetLanguage),
		".ts .mts":           script(typescript.GetLanguage),
		".tsx":               script(tsx.GetLanguage),
		".java": {
			grammar: java.GetLanguage, functions: kinds("method_declaration constructor_declaration"),
			types: kinds("class_declaration interface_declaration enum_declaration record_declaration"),
		},
		".rs": {
			grammar: rust.GetLanguage, functions: kinds("function_item"), types: kinds("struct_item enum_item trait_item"),
		},
		".c .h": {
			grammar: c.GetLanguage, functions: kinds("function_definition"), types: kinds(""), staticIsPrivate: true,
		},
		".cc .cpp .cxx .hh .hpp .hxx": {
			grammar: cpp.GetLanguage, functions: kinds("function_definition"), types: kinds("class_specifier struct_specifier"),
			wrappers: kinds("template_declaration"),
		},
		".rb": {
			grammar: ruby.GetLanguage, functions: kinds("method singleton_method"), types: kinds("class module"),
		},
		".php": {
			grammar: php.GetLanguage, functions: kinds("function_definition method_declaration"),
			types: kinds("class_declaration interface_declaration trait_declaration"),
		},
	}
	all := map[string]*language{}
	for endings, l := range byName {
		for _, ending := range strings.Fields(endings) {
			all[ending] = l
		}
	}
	return all
}()
