package encode

import "revela/torch"

// Product is the matrix product of query and document vectors on libtorch: out[i·nd+j] = queries[i]·docs[j], in fp32.
// It implements [evaluate.Product].
func Product(queries, docs []float32, nq, nd, dim int, out []float32) error {
	return torch.Products(queries, docs, nq, nd, dim, out)
}
