#include "agent/runtime/meta.h"

#include "agent/image/oci.h"
#include "agent/net/ipam.h"
#include "agent/runtime/runtime.h"
#include "agent/shim/protocol.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>

/* --- meta.json -----------------------------------------------------------------------------------
 */

char *meta_format(const struct meta *m)
{
    char task[ID_HEX_LEN + 1];
    char ip[IPAM_TEXT_MAX] = "";
    char *text;
    json_t *ports = json_array();
    json_t *root;
    id_hex(m->task, task);
    if (m->ip != 0) {
        ip_text(m->ip, ip);
    }
    for (uint32_t i = 0; i < m->n_ports; i++) {
        json_array_append_new(ports, json_pack("[i, i, i]", m->ports[i].container_port,
                                               m->ports[i].host_port, (int)m->ports[i].protocol));
    }
    root =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:i}", "version", 1, "task", task,
                  "name", m->name, "manifest", m->image.manifest, "image", m->image.id, "net_mode",
                  (int)m->net_mode, "ip", ip, "ports", ports, "stop_signal", m->stop_signal);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool port_number(const json_t *value, uint16_t *ret)
{
    json_int_t v = json_integer_value(value);
    *ret = (uint16_t)v;
    return json_is_integer(value) && v >= 0 && v <= 65535;
}

static int parse_ports(const json_t *list, struct arena *arena, struct meta *m, struct err *err)
{
    size_t n = json_array_size(list);
    struct spec_port *ports;
    if (!json_is_array(list) || n > META_PORTS) {
        return err_set(err, ERR_CORRUPT, "meta.json: ports");
    }
    ports = arena_array(arena, n == 0 ? 1 : n, sizeof *ports);
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(list, i);
        uint16_t protocol;
        if (!port_number(json_array_get(p, 0), &ports[i].container_port) ||
            !port_number(json_array_get(p, 1), &ports[i].host_port) ||
            !port_number(json_array_get(p, 2), &protocol) || protocol >= SPEC_PROTOCOL_N) {
            return err_set(err, ERR_CORRUPT, "meta.json: ports[%zu]", i);
        }
        ports[i].protocol = (enum spec_protocol)protocol;
        ports[i].name = "";
    }
    m->ports = ports;
    m->n_ports = (uint32_t)n;
    return 0;
}

static int parse_meta(const json_t *root, struct arena *arena, struct meta *m, struct err *err)
{
    const char *task = json_string_value(json_object_get(root, "task"));
    const char *name = json_string_value(json_object_get(root, "name"));
    const char *manifest = json_string_value(json_object_get(root, "manifest"));
    const char *image = json_string_value(json_object_get(root, "image"));
    const char *ip = json_string_value(json_object_get(root, "ip"));
    json_int_t mode = json_integer_value(json_object_get(root, "net_mode"));
    json_int_t base = json_integer_value(json_object_get(root, "uid_base"));
    json_int_t signum = json_integer_value(json_object_get(root, "stop_signal"));
    if (task == NULL || !id_parse(str_of(task), &m->task) || name == NULL ||
        !container_name_ok(name)) {
        return err_set(err, ERR_CORRUPT, "meta.json: task or name");
    }
    if (manifest == NULL || image == NULL || !oci_digest_ok(str_of(manifest)) ||
        !oci_digest_ok(str_of(image))) {
        return err_set(err, ERR_CORRUPT, "meta.json: image");
    }
    if (base < 0 || base > UINT32_MAX || mode < 0 || mode >= NET_MODE_N || signum < 1 ||
        signum > SIGRTMAX || ip == NULL || (ip[0] != '\0' && !ip_parse(str_of(ip), &m->ip))) {
        return err_set(err, ERR_CORRUPT, "meta.json: network or signal");
    }
    memcpy(m->image.manifest, manifest, strlen(manifest) + 1);
    memcpy(m->image.id, image, strlen(image) + 1);
    m->name = arena_strdup(arena, name);
    m->net_mode = (enum net_mode)mode;
    m->uid_base = (uint32_t)base;
    m->stop_signal = (int)signum;
    return parse_ports(json_object_get(root, "ports"), arena, m, err);
}

int meta_parse(struct str text, struct arena *arena, struct meta *ret, struct err *err)
{
    struct meta m = {0};
    json_t *root = json_loadb(text.n == 0 ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    int rv = json_integer_value(json_object_get(root, "version")) == 1
                 ? parse_meta(root, arena, &m, err)
                 : err_set(err, ERR_CORRUPT, "meta.json: damaged, or of another version");
    json_decref(root);
    if (rv == 0) {
        *ret = m;
    }
    return rv;
}

/* --- state file ----------------------------------------------------------------------------------
 */

static bool parse_phase(struct str text, enum shim_phase *ret)
{
    if (str_eqc(text, SHIM_RUNNING)) {
        *ret = SHIM_PHASE_RUNNING;
    } else if (str_eqc(text, SHIM_EXITED)) {
        *ret = SHIM_PHASE_EXITED;
    } else if (str_eqc(text, SHIM_FAILED)) {
        *ret = SHIM_PHASE_FAILED;
    } else {
        return false;
    }
    return true;
}

/* Unknown keys are a newer supervisor's; known ones must be well-formed. */
static bool parse_number(struct str key, uint64_t v, struct shim_state *s)
{
    bool small = v <= INT32_MAX;
    if (str_eqc(key, "pid")) {
        s->pid = (int32_t)v;
    } else if (str_eqc(key, "shim_pid")) {
        s->shim_pid = (int32_t)v;
    } else if (str_eqc(key, "exit_code")) {
        s->exit_code = (int)v;
    } else if (str_eqc(key, "signal")) {
        s->signal = (int)v;
    } else {
        small = true;
    }
    if (str_eqc(key, "pid_start")) {
        s->pid_start = v;
    } else if (str_eqc(key, "shim_pid_start")) {
        s->shim_pid_start = v;
    } else if (str_eqc(key, "started_at_ms")) {
        s->started_at_ms = v;
    } else if (str_eqc(key, "finished_at_ms")) {
        s->finished_at_ms = v;
    } else if (str_eqc(key, "oom_kills")) {
        s->oom_kills = v;
    } else if (str_eqc(key, "lost_lines")) {
        s->lost_lines = v;
    }
    return small;
}

int shim_state_parse(struct str text, struct shim_state *ret, struct err *err)
{
    struct shim_state s = {0};
    bool phase = false;
    struct str line = str_cut(text, '\n', &text);
    if (!str_eqc(line, "ecs-shim 1")) {
        return err_set(err, ERR_CORRUPT, "state: damaged, or of another version");
    }
    while (text.n > 0) {
        uint64_t v;
        struct str value;
        struct str key;
        line = str_cut(text, '\n', &text);
        key = str_cut(line, ' ', &value);
        if (str_eqc(key, "phase")) {
            phase = parse_phase(value, &s.phase);
        } else if (str_eqc(key, "boot")) {
            str_copy(s.boot, sizeof s.boot, value);
        } else if (str_u64(value, &v) && !parse_number(key, v, &s)) {
            return err_set(err, ERR_CORRUPT, "state: %.*s", STR_ARG(line));
        }
    }
    if (!phase) {
        return err_set(err, ERR_CORRUPT, "state: no phase");
    }
    *ret = s;
    return 0;
}

int signal_parse(const char *text)
{
    uint64_t n;
    struct str s = str_of(text);
    if (str_u64(s, &n)) {
        return n >= 1 && n <= (uint64_t)SIGRTMAX ? (int)n : SIGTERM;
    }
    if (str_starts(s, "SIG")) {
        s = str_slice(s, 3, s.n);
    }
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *name = sigabbrev_np(i);
        if (name != NULL && str_eqc(s, name)) {
            return i;
        }
    }
    return SIGTERM;
}
