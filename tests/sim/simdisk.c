#include "tests/sim/simdisk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

struct inode {
    uint8_t *now;   /* What programs see. */
    uint8_t *safe;  /* What a crash leaves. */
    uint8_t *dirty; /* One per sector: written since the last sync. */
    size_t cap;     /* Of all three, in bytes; a multiple of SECTOR. */
    size_t size;
    size_t safe_size;
    bool used;
};

struct name {
    char text[DISK_NAME_MAX];
    unsigned inode;
};

struct names {
    struct name *v;
    unsigned n;
    unsigned cap;
};

struct change { /* A rename is two: add, then remove. */
    bool add;
    struct name name;
};

struct handle {
    unsigned inode;
    struct handle *next;
};

struct simdisk {
    const struct mem *mem;
    struct disk disk;
    struct inode *inodes;
    unsigned n_inodes;
    struct names now;
    struct names safe;
    struct change *pending; /* Changes of names since the last sync_dir(). */
    unsigned n_pending;
    unsigned cap_pending;
    struct handle *handles;
    unsigned countdown; /* 0: nothing fails. */
    bool failing;
    uint64_t spent;
    uint64_t left; /* UINT64_MAX: no end. */
    bool lying;
    uint64_t room;
};

/* --- names ----------------------------------------------------------------------------------- */

/* Room for one more; *cap grows. */
static void *room_for(struct simdisk *s, void *v, unsigned n, unsigned *cap, size_t size)
{
    unsigned was = *cap;
    if (n < was) {
        return v;
    }
    *cap = was == 0 ? 16 : was * 2;
    return mem_resize(s->mem, v, was * size, *cap * size);
}

static void copy_names(struct simdisk *s, struct names *to, const struct names *from)
{
    while (to->cap < from->n) {
        to->v = room_for(s, to->v, to->cap, &to->cap, sizeof to->v[0]);
    }
    to->n = from->n;
    if (from->n > 0) {
        memcpy(to->v, from->v, from->n * sizeof from->v[0]);
    }
}

static struct name *find(struct names *names, const char *text)
{
    for (unsigned i = 0; i < names->n; i++) {
        if (strcmp(names->v[i].text, text) == 0) {
            return &names->v[i];
        }
    }
    return NULL;
}

static void apply_change(struct simdisk *s, struct names *names, const struct change *c)
{
    struct name *there = find(names, c->name.text);
    if (there != NULL) {
        *there = names->v[--names->n];
    }
    if (c->add) {
        names->v = room_for(s, names->v, names->n, &names->cap, sizeof names->v[0]);
        names->v[names->n++] = c->name;
    }
}

static void change_name(struct simdisk *s, bool add, const char *text, unsigned inode)
{
    struct change c = {.add = add, .name = {.inode = inode}};
    strncpy(c.name.text, text, sizeof c.name.text - 1);
    apply_change(s, &s->now, &c);
    s->pending = room_for(s, s->pending, s->n_pending, &s->cap_pending, sizeof s->pending[0]);
    s->pending[s->n_pending++] = c;
}

static void drop_inode(struct simdisk *s, struct inode *n)
{
    mem_free(s->mem, n->now, n->cap);
    mem_free(s->mem, n->safe, n->cap);
    mem_free(s->mem, n->dirty, n->cap / SECTOR);
    memset(n, 0, sizeof *n);
}

/* Files nobody can reach any more. */
static void collect(struct simdisk *s)
{
    bool *reachable = s->n_inodes == 0 ? NULL : mem_alloc(s->mem, s->n_inodes);
    for (unsigned i = 0; i < s->now.n; i++) {
        reachable[s->now.v[i].inode] = true;
    }
    for (unsigned i = 0; i < s->safe.n; i++) {
        reachable[s->safe.v[i].inode] = true;
    }
    for (unsigned i = 0; i < s->n_pending; i++) {
        reachable[s->pending[i].name.inode] = true;
    }
    for (struct handle *h = s->handles; h != NULL; h = h->next) {
        reachable[h->inode] = true;
    }
    for (unsigned i = 0; i < s->n_inodes; i++) {
        if (s->inodes[i].used && !reachable[i]) {
            drop_inode(s, &s->inodes[i]);
        }
    }
    mem_free(s->mem, reachable, s->n_inodes);
}

static unsigned new_inode(struct simdisk *s)
{
    unsigned i = 0;
    if (s->n_inodes >= 64) {
        collect(s);
    }
    while (i < s->n_inodes && s->inodes[i].used) {
        i++;
    }
    if (i == s->n_inodes) {
        s->inodes = room_for(s, s->inodes, i, &s->n_inodes, sizeof s->inodes[0]);
    }
    s->inodes[i].used = true;
    return i;
}

/* --- the table ------------------------------------------------------------------------------- */

/* How many of n units there are before everything stops. */
static size_t spend(struct simdisk *s, size_t n)
{
    size_t can = s->left < n ? (size_t)s->left : n;
    s->left -= s->left == UINT64_MAX ? 0 : can;
    s->spent += can;
    return can;
}

static bool counted_down(struct simdisk *s)
{
    if (s->countdown > 0 && --s->countdown == 0) {
        s->failing = true;
    }
    return s->failing;
}

/* Counts an operation that writes; true when it must fail. */
static bool fails(struct simdisk *s)
{
    return counted_down(s) || spend(s, 1) == 0;
}

static int broken(struct err *err, const char *what)
{
    return err_set(err, ERR_IO, "simulated disk: %s failed", what);
}

static int sim_open(void *ctx, const char *name, bool create, void **ret_file, struct err *err)
{
    struct simdisk *s = ctx;
    struct name *there = find(&s->now, name);
    struct handle *h;
    if (there == NULL && !create) {
        return err_set(err, ERR_NOTFOUND, "%s: not found", name);
    }
    if (there == NULL && spend(s, 1) == 0) {
        return broken(err, "open");
    }
    if (there == NULL) {
        change_name(s, true, name, new_inode(s));
        there = find(&s->now, name);
    }
    h = mem_alloc(s->mem, sizeof *h);
    h->inode = there->inode;
    h->next = s->handles;
    s->handles = h;
    *ret_file = h;
    return 0;
}

static void sim_close(void *ctx, void *file)
{
    struct simdisk *s = ctx;
    struct handle **at = &s->handles;
    while (*at != NULL && *at != file) {
        at = &(*at)->next;
    }
    assert(*at != NULL);
    *at = (*at)->next;
    mem_free(s->mem, file, sizeof(struct handle));
}

static struct inode *inode_of(struct simdisk *s, void *file)
{
    return &s->inodes[((struct handle *)file)->inode];
}

static int sim_size(void *ctx, void *file, uint64_t *ret, struct err *err)
{
    (void)err;
    *ret = inode_of(ctx, file)->size;
    return 0;
}

static int sim_pread(void *ctx, void *file, uint64_t offset, void *to, size_t n, struct err *err)
{
    const struct inode *i = inode_of(ctx, file);
    if (offset > i->size || n > i->size - offset) {
        return err_set(err, ERR_CORRUPT, "simulated file ends before %llu",
                       (unsigned long long)(offset + n));
    }
    if (n > 0) {
        memcpy(to, i->now + offset, n);
    }
    return 0;
}

static void grow(struct simdisk *s, struct inode *i, size_t size)
{
    size_t cap = (size + SECTOR - 1) / SECTOR * SECTOR;
    if (cap > i->cap) {
        i->now = mem_resize(s->mem, i->now, i->cap, cap);
        i->safe = mem_resize(s->mem, i->safe, i->cap, cap);
        i->dirty = mem_resize(s->mem, i->dirty, i->cap / SECTOR, cap / SECTOR);
        i->cap = cap;
    }
    if (size > i->size) {
        i->size = size;
    }
}

static void put(struct simdisk *s, struct inode *i, uint64_t offset, const void *from, size_t n)
{
    grow(s, i, (size_t)offset + n);
    memcpy(i->now + offset, from, n);
    for (size_t k = (size_t)offset / SECTOR; k <= ((size_t)offset + n - 1) / SECTOR; k++) {
        i->dirty[k] = 1;
    }
}

static int sim_pwrite(void *ctx, void *file, uint64_t offset, const void *from, size_t n,
                      struct err *err)
{
    struct simdisk *s = ctx;
    struct inode *i = inode_of(s, file);
    size_t done = counted_down(s) ? n / 2 : spend(s, n);
    if (done > 0) {
        put(s, i, offset, from, done);
    }
    return done == n ? 0 : broken(err, "write");
}

static int sim_sync(void *ctx, void *file, struct err *err)
{
    struct simdisk *s = ctx;
    struct inode *i = inode_of(s, file);
    if (fails(s)) {
        return broken(err, "sync");
    }
    if (s->lying) {
        return 0;
    }
    for (size_t k = 0; k < i->cap / SECTOR; k++) {
        if (i->dirty[k]) {
            memcpy(i->safe + k * SECTOR, i->now + k * SECTOR, SECTOR);
            i->dirty[k] = 0;
        }
    }
    i->safe_size = i->size;
    return 0;
}

static int sim_allocate(void *ctx, void *file, uint64_t size, struct err *err)
{
    struct simdisk *s = ctx;
    struct inode *i = inode_of(s, file);
    if (fails(s)) {
        return broken(err, "allocate");
    }
    if (size > i->size && size - i->size > s->room) {
        return err_set(err, ERR_FULL, "simulated disk is full");
    }
    s->room -= size > i->size ? size - i->size : 0;
    grow(s, i, (size_t)size);
    return 0;
}

int simdisk_truncate(struct simdisk *s, void *file, uint64_t size)
{
    struct inode *i = inode_of(s, file);
    if (fails(s)) {
        return ERR_IO;
    }
    grow(s, i, (size_t)size);
    if (size < i->size) { /* Should it grow again, there are zeros. */
        memset(i->now + size, 0, i->size - (size_t)size);
        memset(i->dirty + size / SECTOR, 1, (i->size - 1) / SECTOR - (size_t)size / SECTOR + 1);
        i->size = (size_t)size;
    }
    return 0;
}

static int sim_rename(void *ctx, const char *from, const char *to, struct err *err)
{
    struct simdisk *s = ctx;
    struct name *there = find(&s->now, from);
    unsigned inode;
    if (fails(s)) {
        return broken(err, "rename");
    }
    if (there == NULL) {
        return err_set(err, ERR_NOTFOUND, "%s: not found", from);
    }
    inode = there->inode;
    change_name(s, true, to, inode);
    change_name(s, false, from, inode);
    return 0;
}

static int sim_unlink(void *ctx, const char *name, struct err *err)
{
    struct simdisk *s = ctx;
    struct name *there = find(&s->now, name);
    if (there == NULL) {
        return err_set(err, ERR_NOTFOUND, "%s: not found", name);
    }
    if (fails(s)) {
        return broken(err, "unlink");
    }
    s->room += s->inodes[there->inode].size;
    change_name(s, false, name, there->inode);
    return 0;
}

static int sim_sync_dir(void *ctx, struct err *err)
{
    struct simdisk *s = ctx;
    if (fails(s)) {
        return broken(err, "sync of the directory");
    }
    if (!s->lying) {
        copy_names(s, &s->safe, &s->now);
        s->n_pending = 0;
    }
    return 0;
}

static int sim_list(void *ctx, disk_name_cb cb, void *arg, struct err *err)
{
    struct simdisk *s = ctx;
    (void)err;
    for (unsigned i = 0; i < s->now.n; i++) {
        cb(arg, s->now.v[i].text);
    }
    return 0;
}

static int sim_room(void *ctx, uint64_t *ret, struct err *err)
{
    (void)err;
    *ret = ((struct simdisk *)ctx)->room;
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

struct simdisk *simdisk_open(const struct mem *mem)
{
    struct simdisk *s = mem_alloc(mem, sizeof *s);
    s->mem = mem;
    s->room = UINT64_C(1) << 40;
    s->left = UINT64_MAX;
    s->disk = (struct disk){
        .open = sim_open,
        .close = sim_close,
        .size = sim_size,
        .pread = sim_pread,
        .pwrite = sim_pwrite,
        .sync = sim_sync,
        .allocate = sim_allocate,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .room = sim_room,
        .ctx = s,
    };
    return s;
}

static void drop_handles(struct simdisk *s)
{
    while (s->handles != NULL) {
        struct handle *h = s->handles;
        s->handles = h->next;
        mem_free(s->mem, h, sizeof *h);
    }
}

void simdisk_close(struct simdisk *s)
{
    if (s == NULL) {
        return;
    }
    drop_handles(s);
    for (unsigned i = 0; i < s->n_inodes; i++) {
        if (s->inodes[i].used) {
            drop_inode(s, &s->inodes[i]);
        }
    }
    mem_free(s->mem, s->inodes, s->n_inodes * sizeof s->inodes[0]);
    mem_free(s->mem, s->now.v, s->now.cap * sizeof s->now.v[0]);
    mem_free(s->mem, s->safe.v, s->safe.cap * sizeof s->safe.v[0]);
    mem_free(s->mem, s->pending, s->cap_pending * sizeof s->pending[0]);
    mem_free(s->mem, s, sizeof *s);
}

const struct disk *simdisk_disk(struct simdisk *s)
{
    return &s->disk;
}

static void keep_sector(struct inode *i, size_t k)
{
    memcpy(i->safe + k * SECTOR, i->now + k * SECTOR, SECTOR);
}

/* What is safe is all there is. */
static void forget_unsynced(struct inode *i)
{
    if (i->cap > 0) {
        memset(i->safe + i->safe_size, 0, i->cap - i->safe_size);
        memset(i->dirty, 0, i->cap / SECTOR);
        memcpy(i->now, i->safe, i->cap);
    }
    i->size = i->safe_size;
}

static void crash_inode(struct inode *i, struct prng *prng)
{
    unsigned survive = (unsigned)prng_below(prng, 5); /* Of 4: none, some, half, most, all. */
    for (size_t k = 0; k < i->cap / SECTOR; k++) {
        if (i->dirty[k] && prng_below(prng, 4) < survive) {
            keep_sector(i, k);
        }
    }
    if (i->size != i->safe_size && survive > 0) {
        i->safe_size = i->size;
    }
    forget_unsynced(i);
}

/* Journals keep changes of names in order: the first `keep` of them survive. */
static void crash_names(struct simdisk *s, unsigned keep)
{
    drop_handles(s);
    for (unsigned i = 0; i < keep; i++) {
        apply_change(s, &s->safe, &s->pending[i]);
    }
    s->n_pending = 0;
    copy_names(s, &s->now, &s->safe);
    s->countdown = 0;
    s->failing = false;
    s->left = UINT64_MAX;
}

void simdisk_crash(struct simdisk *s, struct prng *prng)
{
    crash_names(s, (unsigned)prng_below(prng, s->n_pending + 1u));
    for (unsigned i = 0; i < s->n_inodes; i++) {
        if (s->inodes[i].used) {
            crash_inode(&s->inodes[i], prng);
        }
    }
    collect(s);
}

uint64_t simdisk_outcomes(const struct simdisk *s)
{
    uint64_t n = s->n_pending + UINT64_C(1);
    for (unsigned i = 0; i < s->n_inodes; i++) {
        const struct inode *inode = &s->inodes[i];
        unsigned bits = inode->size != inode->safe_size ? 1 : 0;
        for (size_t k = 0; k < inode->cap / SECTOR; k++) {
            bits += inode->dirty[k];
        }
        assert(bits < 60 && n < UINT64_C(1) << (60 - bits));
        n <<= bits;
    }
    return n;
}

/* Takes the lowest bit of *choices. */
static bool choose(uint64_t *choices)
{
    bool yes = (*choices & 1) != 0;
    *choices >>= 1;
    return yes;
}

void simdisk_crash_to(struct simdisk *s, uint64_t outcome)
{
    uint64_t choices = outcome / (s->n_pending + UINT64_C(1));
    assert(outcome < simdisk_outcomes(s));
    crash_names(s, (unsigned)(outcome % (s->n_pending + UINT64_C(1))));
    for (unsigned i = 0; i < s->n_inodes; i++) {
        struct inode *inode = &s->inodes[i];
        for (size_t k = 0; k < inode->cap / SECTOR; k++) {
            if (inode->dirty[k] && choose(&choices)) {
                keep_sector(inode, k);
            }
        }
        if (inode->size != inode->safe_size && choose(&choices)) {
            inode->safe_size = inode->size;
        }
        forget_unsynced(inode);
    }
    collect(s);
}

void simdisk_kill(struct simdisk *s)
{
    drop_handles(s);
    s->countdown = 0;
    s->failing = false;
    s->left = UINT64_MAX;
}

static void *copy_bytes(struct simdisk *s, const void *from, size_t n)
{
    void *to = n == 0 ? NULL : mem_alloc(s->mem, n);
    if (n > 0) {
        memcpy(to, from, n);
    }
    return to;
}

struct simdisk *simdisk_copy(const struct simdisk *from)
{
    struct simdisk *s = simdisk_open(from->mem);
    s->inodes = copy_bytes(s, from->inodes, from->n_inodes * sizeof from->inodes[0]);
    s->n_inodes = from->n_inodes;
    for (unsigned i = 0; i < s->n_inodes; i++) {
        struct inode *inode = &s->inodes[i];
        inode->now = copy_bytes(s, inode->now, inode->cap);
        inode->safe = copy_bytes(s, inode->safe, inode->cap);
        inode->dirty = copy_bytes(s, inode->dirty, inode->cap / SECTOR);
    }
    copy_names(s, &s->now, &from->now);
    copy_names(s, &s->safe, &from->safe);
    s->pending = copy_bytes(s, from->pending, from->cap_pending * sizeof from->pending[0]);
    s->n_pending = from->n_pending;
    s->cap_pending = from->cap_pending;
    s->room = from->room;
    s->lying = from->lying;
    return s;
}

uint64_t simdisk_spent(const struct simdisk *s)
{
    return s->spent;
}

void simdisk_stop_after(struct simdisk *s, uint64_t units)
{
    s->left = units;
}

void simdisk_fail_after(struct simdisk *s, unsigned n)
{
    s->countdown = n;
    s->failing = false;
}

void simdisk_lie(struct simdisk *s)
{
    s->lying = true;
}

void simdisk_set_room(struct simdisk *s, uint64_t bytes)
{
    s->room = bytes;
}

bool simdisk_poke(struct simdisk *s, const char *name, uint64_t offset, const void *bytes, size_t n)
{
    struct name *there = find(&s->now, name);
    struct inode *i = there == NULL ? NULL : &s->inodes[there->inode];
    if (i == NULL || offset + n > i->size) {
        return false;
    }
    memcpy(i->now + offset, bytes, n);
    memcpy(i->safe + offset, bytes, n);
    return true;
}

bool simdisk_peek(struct simdisk *s, const char *name, uint64_t offset, void *to, size_t n)
{
    struct name *there = find(&s->now, name);
    struct inode *i = there == NULL ? NULL : &s->inodes[there->inode];
    if (i == NULL || offset + n > i->size) {
        return false;
    }
    memcpy(to, i->now + offset, n);
    return true;
}

bool simdisk_pick(struct simdisk *s, struct prng *prng, char name[DISK_NAME_MAX],
                  uint64_t *ret_offset)
{
    const struct name *there;
    size_t size;
    if (s->now.n == 0) {
        return false;
    }
    there = &s->now.v[prng_below(prng, s->now.n)];
    size = s->inodes[there->inode].size;
    if (size == 0) {
        return false;
    }
    memcpy(name, there->text, DISK_NAME_MAX);
    for (unsigned tries = 0; tries < 32; tries++) { /* Most of a log file is still empty. */
        *ret_offset = prng_below(prng, size);
        if (s->inodes[there->inode].now[*ret_offset] != 0) {
            break;
        }
    }
    return true;
}

bool simdisk_remove(struct simdisk *s, const char *name)
{
    struct err err;
    if (sim_unlink(s, name, &err) != 0) {
        return false;
    }
    copy_names(s, &s->safe, &s->now);
    s->n_pending = 0;
    return true;
}

unsigned simdisk_files(const struct simdisk *s)
{
    return s->now.n;
}
