/* agent/shim/rootfs.h
 *
 * The container's root file system: image layers below, one directory of its own above, overlaid
 * in this process's mount namespace. With a user namespace, the layers appear shifted to the
 * container's range (an id-mapped mount), so that one unpacked image serves every range. */
#ifndef AGENT_SHIM_ROOTFS_H
#define AGENT_SHIM_ROOTFS_H

#include "agent/shim/setup.h"

#define ROOTFS_USERNS_SIZE 65536

/* Mount s->dir/rootfs, and with a user namespace show s->dir at SHIM_ALIAS. The current directory
 * is s->dir before and after. */
int rootfs_mount(const struct setup *s, struct err *err);

/* After that: can the container's root get there? */
int rootfs_reachable(const struct setup *s, struct err *err);

#endif
