// C interface of traces by libtorch's own profiler, kineto.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// Both return NULL or a malloc'ed message. They are called on one OS thread.
char *revela_trace_start(int cuda);
char *revela_trace_stop(const char *path); // writes the trace there unless it is null

// revela_trace_kernels gives what a GPU ran in the last trace, by the path of the operation that launched it: names from the outermost
// on, each behind a line feed. 0: there is no index'th path.
int revela_trace_kernels(int64_t index, const char **path, int64_t *nanoseconds, int64_t *count);

#ifdef __cplusplus
}
#endif
