package encode

// Of the evaluation that the paper's numbers come from (the authors' fork of mteb, repllama_models.py): two blanks where
// training had one, white space at the end stripped, long texts, weights in bf16.
const (
	paperQueryPrefix   = "query:  "
	paperPassagePrefix = "passage:  "
	paperLength        = 2048
)

// Paper changes the options to the paper's evaluation.
func (o *OpenOptions) Paper() {
	query, passage := paperQueryPrefix, paperPassagePrefix
	o.QueryPrefix, o.PassagePrefix = &query, &passage
	o.MaxLength, o.FitLength = paperLength, true
	o.Precision, o.StripTexts = "bf16", true
}
