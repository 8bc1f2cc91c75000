package treecode

import (
	"fmt"
	"strings"
	"testing"
)

// Each language: names, comments and whether a function is for others; what the code starts with.
func TestFunctionsOfEveryLanguage(t *testing.T) {
	for name, test := range map[string]struct{ source, want string }{
		"a.py": {
			"import x\n\n@dec\ndef outer(a):\n    \"\"\"Adds one.\n\n    Args:\n        a: a number\n    \"\"\"\n    def inner():\n        return 2\n    return a\n\nclass C(B):\n    \"\"\"A class.\"\"\"\n    def _m(self):\n        return 1\n\nclass D:\n    x: int = 1\n    y: int = 2\n",
			"outer|4|Adds one.|true|@dec; C._m|16||false|def _m(self):; D|19||true|class D:",
		},
		"a.js": {
			"// not it\n\n/**\n * Adds one.\n * @param {number} a\n */\nexport function add(a) {\n  return a + 1;\n}\n\n// An arrow.\nconst arrow = (a) => {\n  return a;\n};\nclass C {\n  // Does it.\n  #m() { return 1; }\n}\n",
			"add|7|Adds one.|true|export function add(a) {; arrow|12|An arrow.|true|const arrow = (a) => {; C.#m|17|Does it.|false|#m() { return 1; }",
		},
		"a.ts": {
			"/** A shape. */\ninterface Shape { area(): number }\nclass C {\n  /** Does it. */\n  private m(a: string): void { }\n}\n",
			"Shape|2|A shape.|true|interface Shape { area(): number }; C.m|5|Does it.|false|private m(a: string): void { }",
		},
		"a.tsx": {"export const A = () => <div/>;\n", "A|1||true|export const A = () => <div/>;"},
		"A.java": {
			"class A {\n  /** Adds one.\n   * @return it */\n  @Override\n  public int add(int a) { return a + 1; }\n  private void p() { }\n}\n",
			"A.add|4|Adds one.|true|@Override; A.p|6||false|private void p() { }",
		},
		"a.rs": {
			"/// Adds one.\n/// And more.\n#[inline]\npub fn add(a: i32) -> i32 {\n    a + 1\n}\n\nstruct S { x: i32 }\nimpl S {\n    // Gets it.\n    fn get(&self) -> i32 { self.x }\n}\n",
			"add|4|Adds one. And more.|true|pub fn add(a: i32) -> i32 {; S|8||true|struct S { x: i32 }; get|11|Gets it.|true|fn get(&self) -> i32 { self.x }",
		},
		"a.c": {
			"#include <a.h>\n\n/* Adds one. */\nstatic int *add(int a)\n{\n  return 0;\n}\n\nint plain(void) { return 1; }\n",
			"add|4|Adds one.|false|static int *add(int a); plain|9||true|int plain(void) { return 1; }",
		},
		"a.cpp": {
			"namespace n {\n// Adds one.\ntemplate <class T> T add(T a) { return a + 1; }\nvoid C::m() { }\n}\n",
			"add|3|Adds one.|true|template <class T> T add(T a) { return a + 1; }; C::m|4||true|void C::m() { }",
		},
		"a.rb": {
			"# Adds one.\n# And more.\ndef add(a)\n  a + 1\nend\nclass C\n  # Does it.\n  def m\n    1\n  end\nend\n",
			"add|3|Adds one. And more.|true|def add(a); C.m|8|Does it.|true|def m",
		},
		"a.php": {
			"<?php\n/**\n * Adds one.\n * @param int $a\n */\nfunction add($a) { return $a + 1; }\nclass C { private function m() { } }\n",
			"add|6|Adds one.|true|function add($a) { return $a + 1; }; C.m|7||false|private function m() { }",
		},
		"empty.py":  {"", ""},
		"broken.py": {"def f(:\n  return\n\ndef good():\n    return 1\n", "good|4||true|def good():"},
	} {
		functions, err := Parse(name, []byte(test.source))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, f := range functions {
			first, _, _ := strings.Cut(f.Code, "\n")
			got = append(got, fmt.Sprintf("%s|%d|%s|%v|%s", f.Name, f.Line, strings.Join(strings.Fields(f.Doc), " "), f.Exported, first))
			if !strings.Contains(test.source, f.Source) || !strings.HasSuffix(f.Source, f.Code[len(f.Code)-1:]) {
				t.Errorf("%s: %s is not as written: %q", name, f.Name, f.Source)
			}
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "; "), test.want)
		}
	}
}

// A docstring is the comment, and no part of the code.
func TestDocstringIsTakenFromTheCode(t *testing.T) {
	source := "def f(a):\n    r'''First line.\n\n    More \"quoted\" text.\n    '''\n    return a\n"
	functions, err := Parse("a.py", []byte(source))
	if err != nil || len(functions) != 1 {
		t.Fatalf("%v, %+v", err, functions)
	}
	f := functions[0]
	if f.Code != "def f(a):\n    return a" || f.Doc != "First line.\n\nMore \"quoted\" text." || f.Source != strings.TrimSpace(source) {
		t.Errorf("got %q\n%q\n%q", f.Code, f.Doc, f.Source)
	}
}

func TestWhichFilesAreRead(t *testing.T) {
	for name, want := range map[string]bool{
		"a.py": true, "test_a.py": false, "a_test.py": false, "conftest.py": false, "a.js": true, "a.min.js": false, "a.test.ts": false, "a.spec.tsx": false,
		"a.d.ts": false, "ATest.java": false, "A.java": true, "a.rs": true,
	} {
		if got := Known(name) && Selected(name); got != want {
			t.Errorf("%s is read: %v, want %v", name, got, want)
		}
	}
	if Known("a.go") || Known("a.txt") || !SkippedFolder("node_modules") || SkippedFolder("src") {
		t.Error("folders or languages are mistaken")
	}
}
