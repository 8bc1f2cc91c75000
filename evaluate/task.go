package evaluate

// Task says which task of a benchmark a collection is.
type Task struct {
	Name      string   // mteb's, such as SciFact
	Revision  string   // of the data set
	Subset    string   // mteb's hf_subset; "": default
	Languages []string // such as eng-Latn
	Published []Published
}

// Published is what somebody reports for a task.
type Published struct {
	System string             // such as BM25 or all-MiniLM-L6-v2
	Source string             // where the numbers stand
	Scores map[string]float64 // metric → value from 0 to 1
}
