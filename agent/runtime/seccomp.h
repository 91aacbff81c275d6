/* agent/runtime/seccomp.h
 *
 * The system calls a container may make: an allow-list, everything else is EPERM (clone3 is
 * ENOSYS, so that libc falls back to clone). Close to Docker's default, without what was found
 * harmful since: io_uring, userfaultfd, bpf; sockets of families ALG and VSOCK are refused.
 * Pure apart from libseccomp; any thread. */
#ifndef AGENT_RUNTIME_SECCOMP_H
#define AGENT_RUNTIME_SECCOMP_H

#include "common/base/err.h"

#include <jansson.h>

/* The list compiled for this machine, as base64 of the BPF program: what crun takes by annotation
 * and so need not compile for each container (22 ms saved). *ret is the caller's, free() it. */
int seccomp_compile(char **ret, struct err *err);

/* The same list as OCI configuration, for runtimes that do not know the annotation. NULL when
 * memory ran out. */
json_t *seccomp_config(void);

#endif
