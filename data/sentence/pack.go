package sentence

// Pack packs the sentences of text into chunks whose measure is at most limit, as many in each as fit: Chunks by another
// measure than words, such as a tokenizer's tokens. A sentence that is longer alone is cut between words; a word that is
// longer alone stays whole.
func Pack(text string, limit int, measure func(string) int) []Span {
	p := packer{text: text, limit: limit, measure: measure}
	for s := range split(text) {
		n := measure(text[s.start:s.end])
		if n <= limit {
			p.add(s, n)
			continue
		}
		p.addWords(s)
	}
	p.end()
	return p.chunks
}

// packer holds the chunk that is growing.
type packer struct {
	text    string
	limit   int
	measure func(string) int
	chunks  []Span
	chunk   Span
	size    int // at least the chunk's measure, give or take what joins its sentences
}

// add takes a sentence of a measure. That of a chunk is not the sum of its sentences' where white space or the start of
// a text counts, so a chunk that is nearly full is measured as a whole.
func (p *packer) add(s span, n int) {
	if p.size == 0 {
		p.chunk, p.size = Span{s.start, s.end}, n
		return
	}
	const slack = 8
	size := p.size + n + 1
	if size > p.limit-slack && size <= p.limit+slack {
		size = p.measure(p.text[p.chunk.Start:s.end])
	}
	if size > p.limit {
		p.end()
		p.chunk, p.size = Span{s.start, s.end}, n
		return
	}
	p.chunk.End, p.size = s.end, size
}

func (p *packer) end() {
	if p.size > 0 {
		p.chunks = append(p.chunks, p.chunk)
	}
	p.size = 0
}

// addWords cuts a long sentence into runs of words, each as long as fits.
func (p *packer) addWords(s span) {
	list := words(p.text, s)
	for len(list) > 0 {
		fits, tooMany := 1, len(list)+1
		for fits+1 < tooMany {
			middle := (fits + tooMany) / 2
			if middle > 2*fits && fits > 1 {
				middle = 2 * fits // the measure of a whole document is dear
			}
			if p.measure(p.text[list[0].start:list[middle-1].end]) <= p.limit {
				fits = middle
			} else {
				tooMany = middle
			}
		}
		run := span{list[0].start, list[fits-1].end}
		p.add(run, p.measure(p.text[run.start:run.end]))
		list = list[fits:]
	}
}
