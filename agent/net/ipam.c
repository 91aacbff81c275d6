#include "agent/net/ipam.h"

#include <stdio.h>
#include <string.h>

bool ip_parse(struct str text, uint32_t *ret)
{
    uint32_t ip = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t byte;
        size_t n = text.n;
        struct str part = str_cut(text, '.', &text);
        if (part.n > 3 || !str_u64(part, &byte) || byte > 255 || (i < 3) != (part.n < n)) {
            return false;
        }
        ip = ip << 8 | (uint32_t)byte;
    }
    *ret = ip;
    return true;
}

void ip_text(uint32_t ip, char ret[IPAM_TEXT_MAX])
{
    snprintf(ret, IPAM_TEXT_MAX, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static void set(struct ipam *p, uint32_t i, bool used)
{
    uint64_t bit = 1ull << (i % 64);
    p->used[i / 64] = used ? p->used[i / 64] | bit : p->used[i / 64] & ~bit;
}

static bool is_set(const struct ipam *p, uint32_t i)
{
    return (p->used[i / 64] & 1ull << (i % 64)) != 0;
}

int ipam_init(struct ipam *p, struct str range, struct err *err)
{
    struct str prefix_text;
    struct str ip_part = str_cut(range, '/', &prefix_text);
    uint64_t prefix;
    uint32_t base;
    if (!ip_parse(ip_part, &base) || !str_u64(prefix_text, &prefix) || prefix < IPAM_PREFIX_MIN ||
        prefix > IPAM_PREFIX_MAX) {
        return err_set(err, ERR_INVALID, "subnet %.*s: must be a.b.c.d/n with n from %d to %d",
                       STR_ARG(range), IPAM_PREFIX_MIN, IPAM_PREFIX_MAX);
    }
    memset(p, 0, sizeof *p);
    p->prefix = (uint8_t)prefix;
    p->size = 1u << (32 - prefix);
    p->base = base;
    if ((base & (p->size - 1)) != 0) {
        return err_set(err, ERR_INVALID, "subnet %.*s: bits are set behind the prefix",
                       STR_ARG(range));
    }
    p->next = 2;
    set(p, 0, true);
    set(p, 1, true);
    set(p, p->size - 1, true);
    return 0;
}

uint32_t ipam_gateway(const struct ipam *p)
{
    return p->base + 1;
}

int ipam_take(struct ipam *p, uint32_t *ret, struct err *err)
{
    for (uint32_t n = 0; n < p->size; n++) {
        uint32_t i = (p->next + n) & (p->size - 1);
        if (!is_set(p, i)) {
            set(p, i, true);
            p->next = i + 1;
            *ret = p->base + i;
            return 0;
        }
    }
    return err_set(err, ERR_FULL, "no address left in the node's subnet (%u)", p->size - 3);
}

bool ipam_take_this(struct ipam *p, uint32_t ip)
{
    if (ip - p->base >= p->size || is_set(p, ip - p->base)) {
        return false;
    }
    set(p, ip - p->base, true);
    return true;
}

void ipam_give_back(struct ipam *p, uint32_t ip)
{
    uint32_t i = ip - p->base;
    if (i >= 2 && i < p->size - 1) {
        set(p, i, false);
    }
}
