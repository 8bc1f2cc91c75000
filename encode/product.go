package encode

import "revela/torch"

// Product is the matrix product of query and document vectors on libtorch: out[i·nd+j] = queries[i]·docs[j], in fp32.
// It implements [evaluate.Product].
func Product(queries, docs []float32, nq, nd, dim int, out []float32) error {
	if !torch.OnDevice() {
		return torch.Products(queries, docs, nq, nd, dim, out)
	}
	s := torch.NewScope()
	defer s.Close()
	q := torch.From(s, queries, int64(nq), int64(dim))
	d := torch.From(s, docs, int64(nd), int64(dim))
	product := s.MatMul(q, s.Transpose(d, 0, 1))
	if s.Err() != nil {
		return s.Err()
	}
	return torch.ReadInto(product, out)
}
