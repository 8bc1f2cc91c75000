// Package evaluate measures retrieval: it reads collections, searches them with a model, scores the
// ranking by trec_eval's rules and writes results.
//
// A [Collection] is a folder in BEIR layout. A [Retriever] ranks its documents for every judged query: a
// [Dense] one encodes texts and searches exactly, [BM25] is the lexical baseline. [Score] computes the
// measures of a [Run] against [Qrels]; [Evaluate] does all of it and writes JSON, TREC runs and a table.
package evaluate
