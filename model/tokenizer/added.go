package tokenizer

// addedToken is an entry of added_tokens (HF: AddedToken).
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // matches only between characters that are not \w
	LStrip     bool   `json:"lstrip"`      // takes the white space before it along
	RStrip     bool   `json:"rstrip"`      // takes the white space after it along
	Normalized bool   `json:"normalized"`  // looked for in normalized text, in its normalized form
	Special    bool   `json:"special"`     // left out by Decode with skipSpecial
}

// addedVocabulary holds the added tokens and finds them in text (HF: AddedVocabulary).
type addedVocabulary struct {
	tokens     []addedToken     // in the order they were added; a later one replaces an earlier one of its id
	ids        map[string]int32 // content → id
	byID       map[int32]int    // id → index in tokens
	special    map[string]bool  // contents of special tokens
	forms      map[int32]string // id → normalized content, where it differs
	raw        trie             // tokens looked for in the text
	normalized trie             // tokens looked for in normalized text
}

func newAddedVocabulary() *addedVocabulary {
	return &addedVocabulary{
		ids: map[string]int32{}, byID: map[int32]int{}, special: map[string]bool{}, forms: map[int32]string{},
	}
}

// add adds tokens under the ids that HF gives them, whatever the file says: that of an earlier added token or a token
// of the vocabulary with the same content, else the next one, counted from the start of this list.
func (v *addedVocabulary) add(tokens []addedToken, vocab map[string]int32, norm normalizer) {
	next := int32(len(vocab))
	for _, t := range v.tokens {
		next = max(next, t.ID+1)
	}
	for _, token := range tokens {
		if token.Content == "" {
			continue
		}
		id, ok := v.ids[token.Content]
		if !ok {
			id, ok = vocab[token.Content]
		}
		if !ok {
			id = next
			next++
		}
		token.ID = id
		v.put(token, norm)
	}
}

func (v *addedVocabulary) put(token addedToken, norm normalizer) {
	if token.Normalized && norm != nil {
		if form := norm.normalize(token.Content); form != token.Content {
			v.forms[token.ID] = form
		}
	}
	v.ids[token.Content] = token.ID
	if token.Special {
		v.special[token.Content] = true
	}
	if i, ok := v.byID[token.ID]; ok {
		v.tokens[i] = token
		return
	}
	v.byID[token.ID] = len(v.tokens)
	v.tokens = append(v.tokens, token)
}

// index builds the tries; called once all tokens are added.
func (v *addedVocabulary) index() {
	v.raw, v.normalized = trie{}, trie{}
	for _, t := range v.tokens {
		content := t.Content
		if !t.Normalized {
			v.raw.add(content, t.ID)
			continue
		}
		if form, ok := v.forms[t.ID]; ok {
			content = form
		}
		v.normalized.add(content, t.ID)
	}
}

// section is a part of a text: an added token or, with id -1, text.
type section struct {
	text string
	at   int // offset in the text that was cut
	id   int32
}

// cut splits a text into its added tokens and the text between them, as HF's find_matches: the leftmost match, the
// longest of several; search goes on where the match ended, whatever white space the token takes along.
func (v *addedVocabulary) cut(dst []section, t *trie, s string) []section {
	if !t.any {
		return append(dst, section{s, 0, -1})
	}
	done := 0
	for at := 0; ; {
		start, stop, id := t.find(s, at)
		if id < 0 {
			break
		}
		at = stop
		token := &v.tokens[v.byID[id]]
		if token.SingleWord && !standsAlone(s, start, stop) {
			continue
		}
		if token.LStrip {
			start = max(spacesBefore(s, start), done)
		}
		if token.RStrip {
			stop = span(s, stop, space, space)
		}
		if done < start {
			dst = append(dst, section{s[done:start], done, -1})
		}
		dst = append(dst, section{"", start, id})
		done = stop
	}
	if done < len(s) {
		dst = append(dst, section{s[done:], done, -1})
	}
	return dst
}

// standsAlone tells whether s[start:stop] has no \w beside it.
func standsAlone(s string, start, stop int) bool {
	if start > 0 && lastClass(s[:start])&word != 0 {
		return false
	}
	if stop == len(s) {
		return true
	}
	c, _ := classAt(s, stop)
	return c&word == 0
}

// spacesBefore returns where the white space that ends at i begins.
func spacesBefore(s string, i int) int {
	for i > 0 && lastClass(s[:i])&space != 0 {
		i -= lastWidth(s[:i])
	}
	return i
}

// trie finds strings by bytes, leftmost and longest.
type trie struct {
	any   bool
	first [256]bool        // bytes that begin a string
	edges map[uint64]int32 // node<<8 | byte → node
	ends  []int32          // node → id of the string that ends there, -1 for none; node 0 is the root
}

func (t *trie) add(s string, id int32) {
	if s == "" {
		return
	}
	if !t.any {
		t.any, t.edges, t.ends = true, map[uint64]int32{}, []int32{-1}
	}
	t.first[s[0]] = true
	node := int32(0)
	for i := 0; i < len(s); i++ {
		edge := uint64(node)<<8 | uint64(s[i])
		next, ok := t.edges[edge]
		if !ok {
			next = int32(len(t.ends))
			t.edges[edge] = next
			t.ends = append(t.ends, -1)
		}
		node = next
	}
	t.ends[node] = id
}

// find returns the leftmost longest string in s from offset at on; id -1 for none.
func (t *trie) find(s string, at int) (start, stop int, id int32) {
	for ; at < len(s); at++ {
		if !t.first[s[at]] {
			continue
		}
		if stop, id := t.longest(s, at); id >= 0 {
			return at, stop, id
		}
	}
	return 0, 0, -1
}

func (t *trie) longest(s string, at int) (stop int, id int32) {
	id = -1
	node := int32(0)
	for i := at; i < len(s); i++ {
		next, ok := t.edges[uint64(node)<<8|uint64(s[i])]
		if !ok {
			break
		}
		node = next
		if t.ends[node] >= 0 {
			stop, id = i+1, t.ends[node]
		}
	}
	return stop, id
}
