package bm25

import "slices"

// blockDocuments is how many documents' vectors lie in one allocation.
const blockDocuments = 1 << 12

// manyTimes stands for a frequency that does not fit a byte.
const manyTimes = 255

// vectors holds the distinct terms of documents, in ascending order, with their frequencies: 5 bytes a term.
type vectors struct {
	blocks []vectorBlock
	open   vectorBlock // the block that still grows
	many   map[frequencyKey]int32
	length int
}

type vectorBlock struct {
	starts []uint32 // of each document's terms; one more at the end
	terms  []int32
	counts []uint8
}

type frequencyKey struct{ document, term int32 }

// add appends the document whose terms are listed, sorted, repeated ones as often as they occur.
func (v *vectors) add(terms []int32) {
	b := &v.open
	if len(b.starts) == 0 {
		b.starts = append(b.starts, 0)
	}
	for i := 0; i < len(terms); {
		end := i + 1
		for end < len(terms) && terms[end] == terms[i] {
			end++
		}
		b.terms = append(b.terms, terms[i])
		b.counts = append(b.counts, v.count(terms[i], end-i))
		i = end
	}
	b.starts = append(b.starts, uint32(len(b.terms)))
	v.length++
	if v.length%blockDocuments == 0 {
		v.seal()
	}
}

func (v *vectors) count(term int32, frequency int) uint8 {
	if frequency < manyTimes {
		return uint8(frequency)
	}
	if v.many == nil {
		v.many = map[frequencyKey]int32{}
	}
	v.many[frequencyKey{int32(v.length), term}] = int32(frequency)
	return manyTimes
}

// seal moves the open block to the others, without the room it had to grow.
func (v *vectors) seal() {
	b := &v.open
	if len(b.starts) == 0 {
		return
	}
	v.blocks = append(v.blocks, vectorBlock{
		starts: slices.Clone(b.starts), terms: slices.Clone(b.terms), counts: slices.Clone(b.counts),
	})
	b.starts, b.terms, b.counts = b.starts[:0], b.terms[:0], b.counts[:0]
}

// of returns a document's terms with their frequencies, manyTimes where frequency must be asked. Vectors must be sealed.
func (v *vectors) of(document int32) (terms []int32, counts []uint8) {
	b := &v.blocks[document/blockDocuments]
	at := document % blockDocuments
	start, end := b.starts[at], b.starts[at+1]
	return b.terms[start:end], b.counts[start:end]
}

// frequency is the frequency that count stands for.
func (v *vectors) frequency(document, term int32, count uint8) int32 {
	if count < manyTimes {
		return int32(count)
	}
	return v.many[frequencyKey{document, term}]
}

// each visits every term of every document, in order.
func (v *vectors) each(visit func(document, term, frequency int32)) {
	for document := range int32(v.length) {
		terms, counts := v.of(document)
		for i, term := range terms {
			visit(document, term, v.frequency(document, term, counts[i]))
		}
	}
}
