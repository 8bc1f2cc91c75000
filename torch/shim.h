// C interface of what revela needs from libtorch beside gotch's C layer. Both pass at::Tensor*.
//
// Every function returns NULL on success or a malloc'ed one-line message that the caller frees:
// no error state per thread, so a goroutine may move between threads from call to call.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// core
void revela_enter(int threads); // before a call of gotch: sets this OS thread's number of threads and its device
char *revela_grad(void **outs, void **gouts, int n, void **ins, void **res, int nin, int keep);
char *revela_from_blob(void *data, const int64_t *sizes, int nd, int dtype, int copy, void **out);
char *revela_sizes(void *t, int64_t *sizes, int capacity, int *nd, int *dtype);
char *revela_set_requires_grad(void *t, int on);
char *revela_unshared(void *t, void **out); // t where nothing else holds its memory and it is contiguous, else a copy
char *revela_copy_out(void *t, void *data, size_t bytes);
int revela_set_grad_enabled(int on); // returns the former mode of this OS thread

// memory, randomness; devices are in shim_device.h
int revela_cpu_capability(char *name, int capacity);
void revela_malloc_trim(void);
char *revela_manual_seed(uint64_t seed);
char *revela_rng_state(void **out);
char *revela_set_rng_state(void *t);

// optimiser
char *revela_fused_adamw(void **p, void **g, void **m, void **v, void **step, int n, double lr, double b1,
                         double b2, double wd, double eps);
char *revela_grad_norm(void **g, int n, double *norm);
char *revela_foreach_mul(void **t, int n, double factor);
char *revela_foreach_copy(void **to, void **from, int n);
int64_t revela_version(void *t); // counts the changes of its values in place
char *revela_foreach_add(void **t, void **other, int n, double alpha);

// fused operations with backward
char *revela_attention(void *q, void *k, void *v, const int64_t *pairs, int64_t npairs, void **weights,
                       const int64_t *terms, int nterms, double scale, int composite, void **out);
char *revela_rms_norm(void *x, void *weight, double eps, void **out);
char *revela_rope(void *x, void *cos, void *sin, void **out);
// A projection is seven handles: weight, bias, A, B, packed transpose of the weight, A and B in x's type; all but the first may be null.
// numbers are two of each projection: LoRA's scale and the dropout of its input.
char *revela_norm_project(void *x, void *norm, void **projections, const double *numbers, double eps, int64_t from, int64_t dim, void **out);
char *revela_gated_mlp(void *x, void *norm, void **projections, const double *numbers, double eps, int64_t again, void **out);
char *revela_project(void *onto, void *x, void **projection, const double *numbers, int activation, void **out); // onto: null for none
// weights of linear layers as the CPU's products read them
char *revela_pack(void *weight, int transposed, void **out); // null where this machine has no use for it
char *revela_unpack(void *weight, void **out);
char *revela_panels(void *weight, int transposed, void **out);
char *revela_linear_cross_entropy(void *hidden, void *weight, void *labels, int64_t chunk, void **out);

#ifdef __cplusplus
}
#endif
