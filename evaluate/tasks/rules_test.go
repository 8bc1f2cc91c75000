package tasks

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// paperTables are tables 1, 6 and 7 of arXiv 2506.16552 (NDCG@10 in percent), without the systems that the registry leaves out.
var paperTables = []string{`
task BM25-paper Revela-code-0.1B Revela-code-0.5B Revela-code-1B Revela-code-3B
coir/apps 4.8 8.2 20.5 19.4 26.6
coir/cosqa 15.6 26.2 27.5 30.2 29.0
coir/synthetic-text2sql 25.0 45.7 53.7 55.0 55.9
coir/codesearchnet 40.9 49.9 57.9 64.0 62.6
coir/codesearchnet-ccr 54.0 63.4 68.0 70.0 69.1
coir/codetrans-contest 47.8 70.9 77.6 81.1 83.2
coir/codetrans-dl 34.4 34.6 35.4 34.2 34.5
coir/stackoverflow-qa 70.2 69.2 82.5 85.7 88.3
coir/codefeedback-st 68.1 63.8 74.5 76.2 78.8
coir/codefeedback-mt 59.2 51.7 63.6 70.4 73.0
coir 42.0 48.4 56.1 58.6 60.1
`, `
task BM25-paper Revela-0.1B Revela-0.5B Revela-1B Revela-3B Revela-code-3B
beir/arguana 48.7 39.0 41.1 44.6 45.3 44.3
beir/climate-fever 13.6 15.3 13.8 15.8 16.6 18.6
beir/dbpedia 29.9 18.3 21.3 27.6 27.1 30.9
beir/fever 48.1 33.7 51.1 61.7 62.9 66.3
beir/fiqa 25.1 19.2 27.2 30.4 34.3 33.2
beir/hotpotqa 56.9 38.5 50.6 56.0 58.8 57.8
beir/nfcorpus 32.1 23.6 26.8 27.2 33.0 32.9
beir/nq 28.5 21.2 29.8 33.9 40.8 41.0
beir/quora 80.4 81.0 83.2 83.5 83.8 85.6
beir/scidocs 15.8 12.1 14.8 16.3 17.6 18.8
beir/scifact 68.7 57.9 66.0 71.9 73.3 72.0
beir/trec-covid 62.2 60.6 58.4 60.1 66.7 60.7
beir/touche2020 33.1 12.4 19.9 25.7 26.9 30.5
beir-paper 41.8 33.3 38.8 42.7 45.2 45.6
`, `
task BM25-paper Revela-0.5B Revela-1B Revela-3B Revela-8B
bright/biology 18.9 17.0 17.1 25.3 24.4
bright/earth-science 27.2 28.8 29.1 40.0 40.9
bright/economics 14.9 13.9 13.2 17.1 21.7
bright/psychology 12.5 13.2 14.9 21.4 24.9
bright/robotics 13.6 9.1 11.0 15.5 14.6
bright/stackoverflow 18.4 9.0 13.2 14.0 15.0
bright/sustainable-living 15.0 13.9 15.4 19.1 19.7
bright/pony 7.9 3.9 3.0 6.5 2.0
bright/leetcode 24.4 16.9 16.0 16.0 18.4
bright/aops 6.2 4.6 2.7 3.8 3.5
bright/theoremqa-theorems 4.9 5.6 7.3 9.7 11.8
bright/theoremqa-questions 10.4 14.0 14.6 14.6 16.1
bright 14.5 12.5 13.1 16.9 17.8
`}

// The registry has the paper's numbers, all of them and no others of these systems.
func TestPaperTables(t *testing.T) {
	r := registry(t)
	var want int
	for _, table := range paperTables {
		lines := strings.Split(strings.TrimSpace(table), "\n")
		systems := strings.Fields(lines[0])[1:]
		for _, line := range lines[1:] {
			cells := strings.Fields(line)
			for i, system := range systems {
				score, err := strconv.ParseFloat(cells[i+1], 64)
				if err != nil {
					t.Fatal(err)
				}
				want++
				if got, ok := publishedScore(r, system, cells[0]); !ok || math.Abs(100*got-score) > 1e-9 {
					t.Errorf("%s on %s: %v in the registry, %v in the paper", system, cells[0], 100*got, score)
				}
			}
		}
	}
	got := 0
	for _, p := range r.Published {
		if p.System == "BM25-paper" || strings.HasPrefix(p.System, "Revela-") {
			got += len(p.Scores)
		}
	}
	if got != want {
		t.Errorf("the registry has %d numbers of the paper, the tables %d", got, want)
	}
}

func publishedScore(r *Registry, system, name string) (float64, bool) {
	for _, p := range r.Published {
		if score, ok := p.Scores[name]; ok && p.System == system {
			return score, true
		}
	}
	return 0, false
}

// The rules of BEIR's tasks, as mteb's metadata have them.
func TestBEIRRules(t *testing.T) {
	rules := []struct {
		task, repository, revision, split string
		removeIdentical                   bool
		prompt                            string
	}{
		{"ArguAna", "mteb/arguana", "c22ab2a5", "test", true, "Given a claim, find documents that refute the claim"},
		{"ClimateFEVER", "mteb/climate-fever", "47f2ac6a", "test", false, "Given a claim about climate change, retrieve documents that support or refute the claim"},
		{"DBPedia", "mteb/dbpedia", "c0f706b7", "test", false, "Given a query, retrieve relevant entity descriptions from DBPedia"},
		{"FEVER", "mteb/fever", "bea83ef9", "test", true, "Given a claim, retrieve documents that support or refute the claim"},
		{"FiQA2018", "mteb/fiqa", "27a16881", "test", true, "Given a financial question, retrieve user replies that best answer the question"},
		{"HotpotQA", "mteb/hotpotqa", "ab518f4d", "test", false, "Given a multi-hop question, retrieve documents that can help answer the question"},
		{"MSMARCO", "mteb/msmarco", "c5a29a10", "dev", true, "Given a web search query, retrieve relevant passages that answer the query"},
		{"NFCorpus", "mteb/nfcorpus", "ec0fa4fe", "test", false, "Given a question, retrieve relevant documents that best answer the question"},
		{"NQ", "mteb/nq", "b774495e", "test", false, "Given a question, retrieve Wikipedia passages that answer the question"},
		{"QuoraRetrieval", "mteb/quora", "e4e08e0b", "test", true, "Given a question, retrieve questions that are semantically equivalent to the given question"},
		{"SCIDOCS", "mteb/scidocs", "f8c2fcf0", "test", false, "Given a scientific paper title, retrieve paper abstracts that are cited by the given paper"},
		{"SciFact", "mteb/scifact", "d56462d0", "test", false, "Given a scientific claim, retrieve documents that support or refute the claim"},
		{"Touche2020", "mteb/touche2020", "a34f9a33", "test", false, "Given a question, retrieve detailed and persuasive arguments that answer the question"},
		{"TRECCOVID", "mteb/trec-covid", "bb9466ba", "test", false, "Given a query on COVID-19, retrieve documents that answer the query"},
	}
	r := registry(t)
	for _, want := range rules {
		found, err := r.Find(want.task)
		if err != nil || len(found) != 1 {
			t.Fatal(want.task, err)
		}
		got := found[0]
		if got.Repository != want.repository || !strings.HasPrefix(got.Revision, want.revision) || got.Split != want.split ||
			got.RemoveIdentical != want.removeIdentical || got.Prompt != want.prompt {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// BRIGHT's domains: 12, of which 8 have long documents as well; each has its prompt, and the paper's older data.
func TestBRIGHTRules(t *testing.T) {
	r := registry(t)
	long := 0
	for _, task := range r.Tasks {
		suite, _, _ := strings.Cut(task.Name, "/")
		if suite != "bright" && suite != "bright-long" {
			continue
		}
		want := "Represent this " + task.Domain + " post for searching relevant passages: "
		switch task.Domain {
		case "pony":
			want = "Represent this Pony question for searching relevant passages: "
		case "leetcode":
			want = "Represent this Coding problem for searching relevant examples: "
		case "aops", "theoremqa_questions":
			want = "Represent this Math problem for searching relevant examples: "
		case "theoremqa_theorems":
			want = "Represent this Math problem for searching relevant theorems: "
		}
		if task.Prompt != want || task.Repository != "mteb/BRIGHT" || !strings.HasPrefix(task.Revision, "c26703e6") || task.Paper == nil || task.Paper.Repository != "xlangai/BRIGHT" {
			t.Errorf("got %+v, want the prompt %q", task, want)
		}
		if task.Layout == BRIGHTLong {
			long++
		}
	}
	if long != 8 {
		t.Errorf("%d tasks of long documents", long)
	}
}
