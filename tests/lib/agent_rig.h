/* tests/lib/agent_rig.h
 *
 * What tests with real containers share: a network namespace of their own (so every port is free
 * and nothing is seen outside), a registry in it with the demo image, a state directory, a driver
 * on a loop, and calls that run the loop until a request is answered.
 *
 * ECS_TEST_RUNTIME names the OCI runtime (crun); TEST_SLACK (test.h) stretches every wait. */
#ifndef TESTS_LIB_AGENT_RIG_H
#define TESTS_LIB_AGENT_RIG_H

#include "agent/runtime/driver.h"

#include <sys/types.h>

#define RIG_IMAGE  "127.0.0.1:5000/demo:v1"
#define RIG_LAYERS "127.0.0.1:5000/layers:v1"

/* Once per program, before any thread: namespaces, registry, images. False with a message when
 * this machine cannot do it. */
bool rig_world_open(void);
void rig_world_close(void);
const char *rig_world_dir(void);

/* Make the registry unreachable, and reachable again. */
void rig_registry_hide(void);
void rig_registry_show(void);

struct rig {
    uv_loop_t loop;
    struct driver *driver;
    struct executor *x;
    char state_dir[128];
    char run_dir[128];
    char cgroup[64];
    struct driver_options options;
    unsigned n_exits;
    struct exec_exit exit; /* The last. */
    char exit_name[256];
};

/* A driver on fresh directories named after name, or on those of an earlier rig. */
void rig_open(struct rig *g, const char *name);

/* Close the driver; containers stay. */
void rig_close(struct rig *g);

/* Remove everything and fail the test if something is left. The driver is closed. */
void rig_purge(struct rig *g);

/* Run the loop until *flag, at most 30 s times test_slack(); fails the test after it. */
void rig_until(struct rig *g, const bool *flag);
void rig_until_exits(struct rig *g, unsigned n);

/* Requests, waited for. The status is returned. */
int rig_pull(struct rig *g, const char *reference, struct exec_pull *r);
int rig_start(struct rig *g, const struct task_spec *task, const struct exec_image *image,
              struct exec_start *r);
int rig_stop(struct rig *g, const struct task_spec *task, uint32_t timeout_s);
int rig_remove(struct rig *g, const struct task_spec *task);
int rig_run(struct rig *g, const struct task_spec *task, const char *script, char *out, size_t size,
            uint32_t timeout_ms, int *ret_exit);
int rig_log(struct rig *g, const struct task_spec *task, uint32_t tail, char *out, size_t size);

/* A task of one container called "main" that runs script in a shell (NULL: the image's own
 * command). Pointers stay valid until the next call with the same slot (0 to 7). */
struct task_spec *rig_task(unsigned slot, uint64_t id, const char *script);
struct container_spec *rig_container(struct task_spec *task);

/* GET / from ip:port; false when nobody answers. */
bool rig_get(const char *ip, uint16_t port, char *out, size_t size);
bool rig_get_retry(const char *ip, uint16_t port, char *out, size_t size);

#endif
