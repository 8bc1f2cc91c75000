package data

import (
	"strings"
	"testing"
)

func TestScannerKnowsGoodLines(t *testing.T) {
	for _, line := range []string{
		`["a","b"]`, ` [ "a\n\"\\\u00e4" , "ö" , "c" ] `, `{"text":["a","b"]}`,
		`{ "src" : "" , "text" : [ "a" , "b" ] }`, `{"query":["q"],"text":["a","b"],"src":"x"}`,
		`{"text":["a","b"],"ids":["x","y"],"from":[0,17],"more":{"a":[1.5e-3,-2,true,null,{}],"b":[]}}`,
	} {
		if !isGroup([]byte(line)) {
			t.Errorf("refused: %s", line)
		}
	}
}

// Whatever the scanner accepts, the parser must accept, with the same number of texts.
func FuzzScannerIsNeverWrong(f *testing.F) {
	for _, line := range []string{
		`["a","b"]`, `["a\u12g4","b"]`, `["a","b",]`, `["a" "b"]`, `["a","b"]]`, "[\"a\",\"b\x01\"]", `["\ud800","b"]`, `["a\","b"]`,
		`{"text":["a","b"]}`, `{"text":["a","b"],}`, `{"text":["a","b"],"text":["a"]}`, `{"te\u0078t":["a","b"],"query":["q"]}`, `{}`, `[]`, `{"text":["a","b"],"x":01}`, `{"text":["a","b"],"x":1.}`, `{"text":["a","b"],"x":[1,]}`, `{"text":["a","b"],"x":{"a"}}`,
		`{"text":["a","b"],"x":nul}`, `{"text":["a","b"],"x":1 2}`, `{"text":["a","b"],"\u0074ext":["a"]}`, `{"text":["a","b"],"x":{"a":1,"a":[]}}`, `{"text":["a","b"],"x":[[[]]],"y":-0.5E+7}`, `{,"text":["a","b"]}`,
		`["a","b"`, `{"text":["a","b"]`, `["a\`, `["a\u12`, "[\"\xff\",\"b\"]",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		group, err := parseGroup([]byte(line))
		if !isGroup([]byte(line)) {
			return
		}
		if err != nil {
			t.Errorf("%q: the scanner accepts it, the parser says %v", line, err)
		}
		if n := len(group.Texts); n < 2 || n > strings.Count(line, `"`)/2 {
			t.Errorf("%q: the scanner accepts a group of %d texts", line, n)
		}
	})
}
