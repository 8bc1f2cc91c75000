package evaluate

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Qrels are relevance judgements: query id → document id → level. Levels from 1 on are relevant, 0 is
// judged not relevant, a negative level means in the pool but not judged.
type Qrels map[string]map[string]int

// Judgements returns the number of judged pairs.
func (q Qrels) Judgements() int {
	n := 0
	for _, documents := range q {
		n += len(documents)
	}
	return n
}

// ReadQrels reads judgements in BEIR's layout (three columns separated by tabs, with or without a header)
// or TREC's (query, iteration, document, level, separated by white space; lines that begin with # are comments).
// The first line decides which. A repeated pair is an error, as it is in trec_eval.
func ReadQrels(path string) (Qrels, error) {
	qrels := Qrels{}
	err := scanQrels(path, func(_ int, j judgement) error { return qrels.add(j) })
	if err != nil {
		return nil, err
	}
	if len(qrels) == 0 {
		return nil, fmt.Errorf("%s: no judgements", path)
	}
	return qrels, nil
}

// add adds a judgement; a repeated pair is an error.
func (q Qrels) add(j judgement) error {
	documents := q[j.query]
	if documents == nil {
		documents = map[string]int{}
		q[j.query] = documents
	}
	if _, repeated := documents[j.document]; repeated {
		return fmt.Errorf("query %q judges document %q twice", j.query, j.document)
	}
	documents[j.document] = j.level
	return nil
}

type judgement struct {
	query, document string
	level           int
}

// scanQrels calls visit for every judgement; errors, visit's as well, are prefixed with file and line.
func scanQrels(path string, visit func(line int, j judgement) error) error {
	const unknown, beir, trec = 0, 1, 2
	layout := unknown
	return scanLines(path, func(line int, text string) error {
		if layout != beir && strings.HasPrefix(text, "#") {
			return nil
		}
		if layout == unknown {
			layout = trec
			if strings.Count(text, "\t") == 2 {
				layout = beir
			}
			if isBEIRHeader(text) {
				return nil
			}
		}
		parse := parseTRECJudgement
		if layout == beir {
			parse = parseBEIRJudgement
		}
		j, err := parse(text)
		if err != nil {
			return err
		}
		return visit(line, j)
	})
}

// isBEIRHeader reports whether a first line names its columns: the third of three is no number.
func isBEIRHeader(text string) bool {
	fields := strings.Split(text, "\t")
	if len(fields) != 3 {
		return false
	}
	_, err := strconv.Atoi(strings.TrimSpace(fields[2]))
	return err != nil
}

func parseBEIRJudgement(text string) (judgement, error) {
	fields := strings.Split(text, "\t")
	if len(fields) != 3 {
		return judgement{}, fmt.Errorf("%d columns, expected 3: query, document and level, separated by tabs", len(fields))
	}
	return newJudgement(fields[0], fields[1], strings.TrimSpace(fields[2]))
}

func parseTRECJudgement(text string) (judgement, error) {
	fields := strings.Fields(text)
	if len(fields) != 4 {
		return judgement{}, fmt.Errorf("%d columns, expected 4: query, iteration, document and level", len(fields))
	}
	return newJudgement(fields[0], fields[2], fields[3])
}

func newJudgement(query, document, level string) (judgement, error) {
	if query == "" || document == "" {
		return judgement{}, fmt.Errorf("empty query or document id")
	}
	n, err := strconv.ParseInt(level, 10, 16)
	if err != nil {
		return judgement{}, fmt.Errorf("relevance level %q, expected a whole number from -32768 to 32767", level)
	}
	return judgement{query: query, document: document, level: int(n)}, nil
}

// scanLines calls visit for every line that is not blank, with its number from 1.
func scanLines(path string, visit func(line int, text string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(make([]byte, 1<<16), 1<<20)
	line := 0
	for scanner.Scan() {
		line++
		text := scanner.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := visit(line, text); err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, line+1, err)
	}
	return nil
}
