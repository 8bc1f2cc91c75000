// C interface of the profiler: a tree of calls for every OS thread, filled while it is on.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

char *revela_profile_start(void);           // forgets earlier calls; NULL or a malloc'ed message
void revela_profile_stop(void);
void revela_profile_begin(const char *name); // a call of this OS thread, beside those of libtorch
void revela_profile_end(void);

// revela_profile_next gives the calls one after another, parents first: the depth in the tree (0: outermost), the
// nanoseconds spent in them and not in calls inside, and how many there were. cursor starts at 0. 0: no more.
int revela_profile_next(int64_t *cursor, const char **name, int *depth, int64_t *self, int64_t *count);

#ifdef __cplusplus
}
#endif
