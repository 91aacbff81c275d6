/* etcd's registers: Put and linearizable Range over its gRPC API. Four fields are all that is
 * needed, so they are written and read by hand:
 *
 *   PutRequest    key 1, value 2        PutResponse    header 1 { revision 3 }
 *   RangeRequest  key 1                 RangeResponse  kvs 2 { mod_revision 3, value 5 } */
#include "tests/load/load.h"

#include "common/loop/sysmem.h"

#include <stdlib.h>
#include <string.h>

#define WIRE_VARINT 0
#define WIRE_BYTES  2

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        buf_put_u8(b, (uint8_t)(v | 0x80));
    }
    buf_put_u8(b, (uint8_t)v);
}

static void put_field(struct buf *b, unsigned field, const char *text)
{
    put_varint(b, field << 3 | WIRE_BYTES);
    put_varint(b, strlen(text));
    buf_puts(b, text);
}

static uint64_t get_varint(struct str *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; in->n > 0 && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*in->p++;
        in->n--;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    return v;
}

struct field {
    uint64_t number;
    uint64_t varint;
    struct str bytes;
};

static bool next_field(struct str *in, struct field *ret)
{
    uint64_t tag;
    if (in->n == 0) {
        return false;
    }
    tag = get_varint(in);
    *ret = (struct field){.number = tag >> 3};
    if ((tag & 7) == WIRE_VARINT) {
        ret->varint = get_varint(in);
        return true;
    }
    if ((tag & 7) != WIRE_BYTES) {
        return false;
    }
    uint64_t n = get_varint(in);
    if (n > in->n) {
        return false;
    }
    ret->bytes = str_make(in->p, (size_t)n);
    in->p += n;
    in->n -= (size_t)n;
    return true;
}

/* The last value of a field, whichever its type. */
static struct field find(struct str in, uint64_t number)
{
    struct field f;
    struct field found = {.number = 0};
    while (next_field(&in, &f)) {
        if (f.number == number) {
            found = f;
        }
    }
    return found;
}

static void make_request(struct worker *w)
{
    struct buf b;
    char value[24];
    buf_init(&b, sysmem(), 1024);
    put_field(&b, 1, w->op.key);
    w->op.path = "/etcdserverpb.KV/Range";
    if (w->op.kind == HIST_REGISTER_WRITE) {
        (void)snprintf(value, sizeof value, "%lld", (long long)w->op.value);
        put_field(&b, 2, value);
        w->op.path = "/etcdserverpb.KV/Put";
    }
    w->op.request = str_make(arena_dup(&w->arena, (const char *)b.data, b.len), b.len);
    buf_close(&b);
}

static bool setup(struct worker *w)
{
    (void)w;
    return false;
}

static void choose(struct worker *w)
{
    struct load *l = w->load;
    bool reading = prng_below(&l->prng, 100) < l->config.reads;
    w->op.kind = reading ? HIST_REGISTER_READ : HIST_REGISTER_WRITE;
    w->op.value = reading ? 0 : ++l->next_value;
    (void)snprintf(w->op.key, sizeof w->op.key, "%s/%llu", l->config.prefix,
                   (unsigned long long)prng_below(&l->prng, l->config.keys * 8));
    make_request(w);
}

static void read_back(struct worker *w, enum hist_kind kind, const char *key)
{
    w->op.kind = kind;
    w->op.value = 0;
    (void)str_copy(w->op.key, sizeof w->op.key, str_of(key));
    make_request(w);
}

static bool answer(struct worker *w, struct str message, struct outcome *ret)
{
    char text[24];
    struct str kv;
    if (w->op.kind == HIST_REGISTER_WRITE) {
        ret->version = find(find(message, 1).bytes, 3).varint;
        return false;
    }
    kv = find(message, 2).bytes;
    (void)str_copy(text, sizeof text, find(kv, 5).bytes);
    ret->version = find(kv, 3).varint;
    ret->value = strtoll(text, NULL, 10);
    return false;
}

const struct ops etcd_ops = {setup, choose, read_back, answer};
