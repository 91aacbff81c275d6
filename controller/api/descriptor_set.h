/* controller/api/descriptor_set.h
 *
 * A serialized google.protobuf.FileDescriptorSet, indexed: files by name, symbols (messages, enums,
 * services, methods) by full name, imports. Pure but for protobuf-c. */
#ifndef CONTROLLER_API_DESCRIPTOR_SET_H
#define CONTROLLER_API_DESCRIPTOR_SET_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdint.h>

#define DESCRIPTOR_NONE UINT32_MAX

struct descriptor_set; /* Opaque. */

/* The one of the public .proto files, made by the build. */
struct str descriptor_set_builtin(void);

/* bytes are borrowed until descriptor_set_close(). ERR_PARSE. */
int descriptor_set_open(const struct mem *mem, struct str bytes, struct descriptor_set **ret,
                        struct err *err);
void descriptor_set_close(struct descriptor_set *s); /* NULL is fine. */

/* The file's number, DESCRIPTOR_NONE when there is none. */
uint32_t descriptor_set_find_file(const struct descriptor_set *s, struct str name);
uint32_t descriptor_set_find_symbol(const struct descriptor_set *s, struct str name);

/* The file's FileDescriptorProto. */
struct str descriptor_set_file(const struct descriptor_set *s, uint32_t file);

/* The file and everything it imports, directly or not, each once, itself first. */
const uint32_t *descriptor_set_closure(const struct descriptor_set *s, uint32_t file,
                                       struct arena *a, uint32_t *ret_n);

uint32_t descriptor_set_n_services(const struct descriptor_set *s);
const char *descriptor_set_service(const struct descriptor_set *s, uint32_t i);

#endif
