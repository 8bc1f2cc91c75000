// Force-included into every C++ file (-include): lets gotch v0.9.1's generated
// wrappers, made for libtorch 2.1, compile on libtorch 2.11.
//
// Three of them call functions whose signatures have changed since. Qualified
// lookup of torch::f finds the overloads below first, and they hide at::f; called,
// they throw. torch_api.h is on the include path of gotch's own package only, so
// that every other C++ file sees an empty header and compiles as fast as before.
//
// Go does not see changes of this file: a changed one needs a new name of the
// cache folder (setup-gotch.sh).
#pragma once
#if defined(__cplusplus) && __has_include(<torch_api.h>)
#include <torch/torch.h>
#include <stdexcept>
namespace torch {
[[noreturn]] inline void gotch_gone(const char *f) {
  throw std::runtime_error(std::string(f) + ": signature changed since libtorch 2.1, not bound");
}
inline at::Tensor _cslt_sparse_mm(const at::Tensor &, const at::Tensor &, const at::Tensor &, bool) {
  gotch_gone("_cslt_sparse_mm");
}
inline std::tuple<at::Tensor, at::Tensor>
_scaled_mm(const at::Tensor &, const at::Tensor &, const at::Tensor &, std::optional<at::ScalarType>,
           const at::Tensor &, const at::Tensor &, const at::Tensor &) {
  gotch_gone("_scaled_mm");
}
inline std::tuple<at::Tensor, at::Tensor>
_scaled_mm_out(at::Tensor &, at::Tensor &, const at::Tensor &, const at::Tensor &, const at::Tensor &,
               std::optional<at::ScalarType>, const at::Tensor &, const at::Tensor &, const at::Tensor &) {
  gotch_gone("_scaled_mm_out");
}
} // namespace torch
#endif
