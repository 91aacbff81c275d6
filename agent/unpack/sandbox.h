/* agent/unpack/sandbox.h
 *
 * Take away from this process what unpacking a layer does not need. Order: sandbox_enter() while
 * still root, then work. One thread. */
#ifndef AGENT_UNPACK_SANDBOX_H
#define AGENT_UNPACK_SANDBOX_H

#include "common/base/err.h"

#include <sys/types.h>

/* Afterwards this process
 *   - sees directory dir as / and nothing else of the node's files (pivot_root),
 *   - has no network, and shares no System V objects,
 *   - is user uid, with CHOWN, DAC_OVERRIDE, FOWNER, FSETID and SETFCAP as its only capabilities,
 *     for ever (bounding set, no_new_privs),
 *   - may not make processes, sockets, or any system call outside a short list (seccomp).
 * Why not a user namespace: owners in it would be written shifted, while layers are shared by
 * containers with different maps. Why not plain "nobody": owners would be lost. Device nodes need
 * CAP_MKNOD, which is gone; the kernel makes an exception for the one overlayfs needs. */
int sandbox_enter(const char *dir, uid_t uid, struct err *err);

#endif
