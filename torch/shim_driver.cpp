#include "shim_driver.hpp"
#include <dlfcn.h>

namespace revela {

Driver::Driver() {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (!library) {
    error = "no NVIDIA driver is installed (libcuda.so.1 is not found)";
    return;
  }
  bool complete = true;
  auto seek = [&](const char *symbol, auto &function) {
    *(void **)&function = dlsym(library, symbol);
    complete = complete && function;
  };
  seek("cuInit", init), seek("cuDeviceGetCount", count), seek("cuDeviceGetName", name);
  seek("cuDeviceGetAttribute", attribute), seek("cuDeviceTotalMem_v2", total);
  seek("cuDevicePrimaryCtxRetain", retain), seek("cuCtxSetCurrent", enter);
  seek("cuModuleLoadData", load), seek("cuModuleGetFunction", find), seek("cuLaunchKernel", launch);
  if (!complete)
    error = "libcuda.so.1 is not NVIDIA's driver";
  else if (int code = init(0))
    error = code == 100 ? "NVIDIA's driver shows no device" // CUDA_ERROR_NO_DEVICE
                        : "NVIDIA's driver does not start (cuInit gives " + std::to_string(code) + "); see nvidia-smi";
}

const Driver &Driver::get() {
  static Driver driver;
  if (!driver.error.empty()) throw std::runtime_error(driver.error);
  return driver;
}

int Driver::capability(int index, int minor) const {
  int value = 0;
  check(attribute(&value, 75 + minor, index), "cuDeviceGetAttribute"); // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
  return value;
}

} // namespace revela
