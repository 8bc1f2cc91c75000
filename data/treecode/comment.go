package treecode

import (
	"strings"

	"revela/data/gocode"

	sitter "github.com/smacker/go-tree-sitter"
)

// docstring moves the string that opens a Python function from its code to its comment.
func (v *visitor) docstring(n, top *sitter.Node, f *gocode.Function) {
	body := n.ChildByFieldName("body")
	if body == nil || body.NamedChildCount() < 2 { // a docstring alone is the function's only content
		return
	}
	first := body.NamedChild(0)
	if first.Type() != "expression_statement" || first.NamedChildCount() != 1 || first.NamedChild(0).Type() != "string" {
		return
	}
	text := first.Content(v.source)
	f.Doc = dedent(strings.Trim(strings.TrimLeft(text, "rRuUbB"), `"'`))
	start, from, to := int(top.StartByte()), int(first.StartByte()), int(body.NamedChild(1).StartByte())
	f.Code = string(v.source[start:from]) + string(v.source[to:top.EndByte()])
}

// commentAbove returns the comments that end on the line before a node, or on its own, and where they start.
func (v *visitor) commentAbove(n *sitter.Node) (from int, comment string) {
	from = int(n.StartByte())
	row := n.StartPoint().Row
	var lines []string
	for before := previous(n); before != nil; before = before.PrevSibling() {
		kind := before.Type()
		if kind == "attribute_item" || kind == "decorator" { // between comment and function
			row = before.StartPoint().Row
			continue
		}
		end := before.EndPoint()
		last := end.Row
		if end.Column == 0 && last > before.StartPoint().Row { // the line break is part of it
			last--
		}
		if !strings.Contains(kind, "comment") || last+1 < row {
			break
		}
		text := before.Content(v.source)
		lines = append([]string{clean(text)}, lines...)
		from, row = int(before.StartByte()), before.StartPoint().Row
		if strings.HasPrefix(text, "/*") {
			break
		}
	}
	return from, strings.TrimSpace(strings.Join(lines, "\n"))
}

// previous is what stands before a node; before the first one of a Ruby class, what stands before the body.
func previous(n *sitter.Node) *sitter.Node {
	if before := n.PrevSibling(); before != nil {
		return before
	}
	if parent := n.Parent(); parent != nil && parent.Type() == "body_statement" {
		return parent.PrevSibling()
	}
	return nil
}

// clean takes the marks of a comment away.
func clean(comment string) string {
	comment = strings.TrimSuffix(strings.TrimSpace(comment), "*/")
	var lines []string
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		line = strings.TrimLeft(line, "/*#!")
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// dedent takes the white space before each line away.
func dedent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// withoutTags cuts a comment where its formal part starts: @param, :param, Args:, a line of dashes below a word.
func withoutTags(comment string) string {
	var kept []string
	for line := range strings.Lines(comment) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "@"), strings.HasPrefix(line, `\param`), strings.HasPrefix(line, ":param"), strings.HasPrefix(line, ":return"),
			line == "Args:", line == "Arguments:", line == "Returns:", line == "Raises:", line == "Yields:", line == "Example:", line == "Examples:":
			return strings.TrimSpace(strings.Join(kept, "\n"))
		case len(line) > 2 && strings.Trim(line, "-") == "" && len(kept) > 0:
			return strings.TrimSpace(strings.Join(kept[:len(kept)-1], "\n"))
		}
		kept = append(kept, line)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}
