// Devices without being linked against any: CUDA's half of libtorch is loaded at run time and then found through
// libtorch's registries (hooks, guards, allocators); the driver is asked through its own C interface.
#include "shim_device.h"
#include "shim.hpp"
#include "shim_device.hpp"
#include "shim_driver.hpp"
#include "shim_kernels.hpp"
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <atomic>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <string>

using at::Tensor;
using namespace revela;

namespace {

std::atomic<c10::Device> the_device{c10::Device(c10::kCPU)};

// Larger copies than this are of weights, once: not worth memory that the system cannot page out.
constexpr size_t kPinnedBytes = 64 << 20;

} // namespace

namespace revela {

c10::Device device() { return the_device.load(std::memory_order_relaxed); }

void enter_device() {
  thread_local c10::Device current{c10::kCPU};
  c10::Device d = device();
  if (d == current) return;
  if (!d.is_cpu()) c10::impl::getDeviceGuardImpl(d.type())->uncheckedSetDevice(d);
  current = d;
}

bool flash_hardware() {
  c10::Device d = device();
  if (!d.is_cuda()) return true;
  static const int major = Driver::get().capability(d.index(), 0); // a process computes on one device
  return major >= 8;
}

bool has_kernel(const char *operation, const Tensor &x) {
  auto op = c10::Dispatcher::singleton().findSchemaOrThrow(operation, "");
  return op.hasKernelForDispatchKey(c10::computeDispatchKey(x.scalar_type(), x.layout(), x.device()));
}

} // namespace revela

int revela_library_path(char *path, int capacity) {
  Dl_info info;
  path[0] = 0;
  if (!dladdr((void *)&at::globalContext, &info) || !info.dli_fname) return 0;
  std::strncpy(path, info.dli_fname, capacity - 1);
  path[capacity - 1] = 0;
  return (int)std::strlen(path);
}

char *revela_cuda_devices(int *count) {
  return guard([&] { Driver::check(Driver::get().count(count), "cuDeviceGetCount"); });
}

char *revela_cuda_device(int index, char *name, int capacity, int *major, int *minor, int64_t *bytes) {
  return guard([&] {
    auto &driver = Driver::get();
    size_t total = 0;
    Driver::check(driver.name(name, capacity, index), "cuDeviceGetName");
    Driver::check(driver.total(&total, index), "cuDeviceTotalMem");
    *major = driver.capability(index, 0), *minor = driver.capability(index, 1), *bytes = (int64_t)total;
  });
}

char *revela_load_cuda(const char *path) {
  if (!dlopen(path, RTLD_NOW | RTLD_GLOBAL)) return strdup(dlerror());
  return guard([&] {
    TORCH_CHECK(at::Context::hasCUDART(), path, " is loaded, but libtorch has looked for CUDA before");
    std::string folder(path);
    find_compiler(folder.substr(0, folder.find_last_of('/') + 1));
  });
}

int revela_cuda_kernel(const char *operation) {
  auto op = c10::Dispatcher::singleton().findSchema({operation, ""});
  return op && op->hasKernelForDispatchKey(c10::DispatchKey::CUDA);
}

int revela_cuda_version(void) { return at::Context::hasCUDART() ? (int)at::Context::versionCUDART() : 0; }

char *revela_use_device(const char *name) {
  return guard([&] {
    c10::Device d(name);
    forget_plans();
    if (!d.is_cpu()) {
      if (!d.has_index()) d.set_index(0);
      if (d.is_cuda()) {
        at::globalContext().lazyInitDevice(d.type());
        at::globalContext().setUserEnabledCuDNN(false); // setup-gotch.sh leaves most of it out, as nothing here needs it
      }
      auto *guard = c10::impl::getDeviceGuardImpl(d.type());
      int count = guard->deviceCount();
      TORCH_CHECK(d.index() < count, d, " found, this machine has ", count, " of them");
      guard->setDevice(d);
    }
    the_device.store(d);
  });
}

char *revela_on_device(void *t, void **out) {
  return guard([&] { *out = release(T(t).to(device())); });
}

char *revela_upload(const void *data, const int64_t *sizes, int nd, int dtype, void **out) {
  return guard([&] {
    Tensor host = at::from_blob(const_cast<void *>(data), at::IntArrayRef(sizes, nd), at::ScalarType(dtype));
    if (!device().is_cuda() || host.nbytes() > kPinnedBytes || host.nbytes() == 0) {
      *out = release(host.to(device(), /*non_blocking=*/false, /*copy=*/true));
      return;
    }
    // The caching host allocator gives the buffer to nobody else before the copy has been done.
    Tensor pinned = at::empty(host.sizes(), host.options().pinned_memory(true));
    std::memcpy(pinned.mutable_data_ptr(), data, host.nbytes());
    *out = release(pinned.to(device(), /*non_blocking=*/true));
  });
}

char *revela_zeros(const int64_t *sizes, int nd, int dtype, void **out) {
  return guard([&] {
    *out = release(at::zeros(at::IntArrayRef(sizes, nd), at::TensorOptions(at::ScalarType(dtype)).device(device())));
  });
}

char *revela_synchronize(void) {
  return guard([&] {
    if (!device().is_cpu()) c10::impl::getDeviceGuardImpl(device().type())->synchronizeDevice(device().index());
  });
}

char *revela_device_memory(int64_t *current, int64_t *peak, int64_t *free, int64_t *total, int reset_peak) {
  return guard([&] {
    c10::Device d = device();
    if (d.is_cpu()) return;
    auto *allocator = c10::getDeviceAllocator(d.type());
    auto bytes = allocator->getDeviceStats(d.index()).allocated_bytes[0]; // of all pools together
    auto memory = allocator->getMemoryInfo(d.index());
    *current = bytes.current, *peak = bytes.peak, *free = (int64_t)memory.first, *total = (int64_t)memory.second;
    if (reset_peak) allocator->resetPeakStats(d.index());
  });
}

char *revela_device_rng_state(void **out) {
  return guard([&] {
    if (!device().is_cuda()) return;
    auto g = at::globalContext().defaultGenerator(device());
    std::lock_guard<std::mutex> lock(g.mutex());
    *out = release(g.get_state());
  });
}

char *revela_set_device_rng_state(void *t) {
  return guard([&] {
    auto g = at::globalContext().defaultGenerator(device());
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(T(t));
  });
}
