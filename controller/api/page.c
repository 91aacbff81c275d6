/* A token is base64url of: version u8, question u64, after u64, text. 17 bytes and the text. */
#include "controller/api/page.h"

#include "common/base/hash.h"

#include <assert.h>
#include <string.h>

#define TOKEN_VERSION  1
#define TOKEN_HEAD     17
#define TOKEN_TEXT_MAX 300

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode(struct arena *a, const uint8_t *bytes, size_t n)
{
    char *to = arena_alloc(a, (n + 2) / 3 * 4 + 1);
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;
        v |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= i + 2 < n ? bytes[i + 2] : 0;
        for (unsigned k = 0; k < 4 && k <= n - i; k++) {
            to[at++] = digits[v >> (18 - 6 * k) & 63];
        }
    }
    to[at] = '\0';
    return to;
}

/* The bytes, or 0 when text is not base64url or too long. */
static size_t decode(struct str text, uint8_t *to, size_t size)
{
    uint32_t v = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = memchr(digits, text.p[i], sizeof digits - 1);
        if (digit == NULL) {
            return 0;
        }
        v = v << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (at == size) {
                return 0;
            }
            to[at++] = (uint8_t)(v >> bits);
        }
    }
    return at;
}

static int read_token(struct page *p, const char *token)
{
    struct api_call *c = p->call;
    uint8_t bytes[TOKEN_HEAD + TOKEN_TEXT_MAX];
    size_t n = decode(str_of(token), bytes, sizeof bytes);
    if (n < TOKEN_HEAD || bytes[0] != TOKEN_VERSION || get_u64(bytes + 1) != p->question) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Invalid token: nextToken was not returned by "
                        "this operation with these parameters.");
    }
    p->resumed = true;
    p->after = get_u64(bytes + 9);
    p->after_text.n = n - TOKEN_HEAD;
    p->after_text.p = arena_dup(&c->arena, (const char *)bytes + TOKEN_HEAD, n - TOKEN_HEAD);
    return 0;
}

uint64_t page_question(const struct api_call *c, struct str filter, uint64_t before)
{
    uint64_t h = before != 0 ? before : hash_bytes(c->op->name, strlen(c->op->name), 0);
    return hash_bytes(filter.p, filter.n, h) | 1;
}

int page_open(struct page *p, struct api_call *c, bool has_max, int32_t max, uint32_t max_default,
              const char *token, uint64_t question, page_order order)
{
    memset(p, 0, sizeof *p);
    p->call = c;
    p->order = order;
    p->question = page_question(c, STR(""), question);
    p->max = max_default;
    if (has_max) {
        if (max < 1 || max > PAGE_MAX) {
            return api_fail(c, API_INVALID_PARAMETER,
                            "maxResults must be between 1 and %d, not %d.", PAGE_MAX, max);
        }
        p->max = (uint32_t)max;
    }
    return token == NULL || token[0] == '\0' ? 0 : read_token(p, token);
}

static int compare(const struct page *p, uint32_t a, uint32_t b)
{
    if (p->order != NULL) {
        return p->order(p->call, a, b);
    }
    return a < b ? -1 : a > b;
}

/* Insertion into at most max + 1 sorted rows: those of the page and one to see that there are
 * more. */
void page_offer(struct page *p, uint32_t slot)
{
    uint32_t at = p->n;
    if (p->n == p->max + 1) {
        if (compare(p, slot, p->slot[p->n - 1]) >= 0) {
            return;
        }
        at = p->n - 1;
    } else {
        p->n++;
    }
    while (at > 0 && compare(p, slot, p->slot[at - 1]) < 0) {
        p->slot[at] = p->slot[at - 1];
        at--;
    }
    p->slot[at] = slot;
}

bool page_full(const struct page *p)
{
    return p->n == p->max + 1;
}

bool page_more(struct page *p, uint32_t *ret_last)
{
    if (p->n <= p->max) {
        return false;
    }
    p->n = p->max;
    *ret_last = p->slot[p->n - 1];
    return true;
}

char *page_token(struct page *p, uint64_t after, struct str after_text)
{
    uint8_t bytes[TOKEN_HEAD + TOKEN_TEXT_MAX];
    assert(after_text.n <= TOKEN_TEXT_MAX);
    bytes[0] = TOKEN_VERSION;
    put_u64(bytes + 1, p->question);
    put_u64(bytes + 9, after);
    if (after_text.n > 0) {
        memcpy(bytes + TOKEN_HEAD, after_text.p, after_text.n);
    }
    return encode(&p->call->arena, bytes, TOKEN_HEAD + after_text.n);
}

char *page_close(struct page *p)
{
    uint32_t last;
    return page_more(p, &last) ? page_token(p, last, STR("")) : NULL;
}
