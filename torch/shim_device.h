// C interface of devices; the conventions are those of shim.h.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// what is there
int revela_library_path(char *path, int capacity);       // file of the loaded libtorch_cpu.so
char *revela_cuda_devices(int *count);                   // as NVIDIA's driver counts them; an error where there is no driver
char *revela_cuda_device(int index, char *name, int capacity, int *major, int *minor, int64_t *bytes);
char *revela_load_cuda(const char *path);                // before the first tensor: libtorch asks for CUDA once
int revela_cuda_kernel(const char *operation);           // whether libtorch has one for CUDA
int revela_cuda_version(void);                           // of the loaded CUDA libtorch, 13000 for 13.0; 0 for none

// our own kernels
void revela_set_kernels(const char *text);               // their source, which stays
char *revela_kernels(char *message, int capacity);       // why the device that is used has none; "" where it has them
char *revela_compile_kernels(const char *gpu, int type, int64_t *bytes); // for a GPU such as sm_90, which need not be there

// where tensors lie
char *revela_use_device(const char *name);               // new tensors are made there from now on, by every thread
char *revela_on_device(void *t, void **out);             // t itself where it lies there
char *revela_upload(const void *data, const int64_t *sizes, int nd, int dtype, void **out);
char *revela_zeros(const int64_t *sizes, int nd, int dtype, void **out);
char *revela_synchronize(void);                          // waits for the device
char *revela_device_memory(int64_t *current, int64_t *peak, int64_t *free, int64_t *total, int reset_peak);

// random state of the device's generator; null where it has none of its own
char *revela_device_rng_state(void **out);
char *revela_set_device_rng_state(void *t);

#ifdef __cplusplus
}
#endif
