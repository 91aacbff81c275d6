/* The loop's half: which pulls are under way, who waits for them, when to collect. */
#include "agent/image/image.h"

#include "agent/image/store.h"
#include "agent/proc/jobs.h"

#include "common/log/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PULLS_AT_A_TIME 3

struct fetch { /* One pull, for one or more requests. */
    struct job job;
    struct images *images;
    struct list link;
    struct exec_pull *first; /* Who waits, linked by their `impl`. */
    char *reference;         /* Copies: the request that came first may not be the last to leave. */
    char *username;
    char *password;
    struct store_pull pull;
    struct store_result result;
    int status;
    struct err err;
};

struct collection {
    struct job job;
    struct images *images;
    char **keep;
    uint32_t n_keep;
    uint64_t min_age_ms;
    int status;
    struct err err;
};

struct images {
    struct images_options options;
    struct jobs *jobs;
    struct list fetches;
    struct collection *collection; /* Pulls wait while there is one. */
    uint64_t next_number;
    void (*close_cb)(void *data);
    void *close_data;
};

int images_open(uv_loop_t *loop, const struct images_options *options, struct images **ret,
                struct err *err)
{
    struct images *s = calloc(1, sizeof *s);
    int rv;
    if (s == NULL) {
        return err_set(err, ERR_NOMEM, "images");
    }
    s->options = *options;
    list_init(&s->fetches);
    rv = store_open(options->dir, err);
    if (rv == 0) {
        rv = jobs_open(loop, PULLS_AT_A_TIME, &s->jobs, err);
    }
    if (rv != 0) {
        free(s);
        return err_wrap(err, rv, "images in %s", options->dir);
    }
    *ret = s;
    return 0;
}

static void fetch_free(struct fetch *f)
{
    if (f->password != NULL) {
        explicit_bzero(f->password, strlen(f->password));
    }
    free(f->reference);
    free(f->username);
    free(f->password);
    free(f);
}

static void fetch_work(struct job *j)
{
    struct fetch *f = j->data;
    f->status = store_pull(&f->pull, &f->result, &f->err);
}

static void fetch_done(struct job *j)
{
    struct fetch *f = j->data;
    if (job_canceled(j) && f->status == 0 && f->result.image.id[0] == '\0') {
        f->status = err_set(&f->err, ERR_CANCELED, "pull %s: canceled", f->reference);
    }
    list_remove(&f->link);
    while (f->first != NULL) {
        struct exec_pull *r = f->first;
        f->first = r->impl;
        r->impl = NULL;
        r->status = f->status;
        r->err = f->err;
        r->image = f->result.image;
        r->size = f->result.size;
        r->from_cache = f->result.from_cache;
        r->cb(r);
    }
    fetch_free(f);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A pull under way that would give r the same answer, by the same right. */
static struct fetch *find_fetch(struct images *s, const struct exec_pull *r)
{
    struct list *it;
    list_each (it, &s->fetches) {
        struct fetch *f = container_of(it, struct fetch, link);
        if (f->pull.policy == r->policy && same_text(f->reference, r->reference) &&
            same_text(f->username, r->username) && same_text(f->password, r->password)) {
            return f;
        }
    }
    return NULL;
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL) {
        abort(); /* A few bytes: as in mem.h, running out here ends the process. */
    }
    return copy;
}

static struct fetch *new_fetch(struct images *s, const struct exec_pull *r)
{
    struct fetch *f = calloc(1, sizeof *f);
    if (f == NULL) {
        abort();
    }
    f->images = s;
    f->job.data = f;
    f->reference = copy_text(r->reference);
    f->username = copy_text(r->username);
    f->password = copy_text(r->password);
    f->pull.options = &s->options;
    f->pull.reference = f->reference;
    f->pull.username = f->username;
    f->pull.password = f->password;
    f->pull.policy = r->policy;
    f->pull.canceled = &f->job.canceled;
    f->pull.number = s->next_number++;
    list_push(&s->fetches, &f->link);
    return f;
}

void images_pull(struct images *s, struct exec_pull *r)
{
    struct fetch *f = find_fetch(s, r);
    bool found = f != NULL;
    if (!found) {
        f = new_fetch(s, r);
    }
    r->impl = f->first;
    f->first = r;
    if (!found && s->collection == NULL) {
        jobs_submit(s->jobs, &f->job, fetch_work, fetch_done);
    }
}

static void collection_work(struct job *j)
{
    struct collection *c = j->data;
    c->status = store_gc(c->images->options.dir, (const char *const *)c->keep, c->n_keep,
                         c->min_age_ms, &c->err);
}

/* Pulls that came meanwhile start now. */
static void collection_done(struct job *j)
{
    struct collection *c = j->data;
    struct images *s = c->images;
    struct list *it;
    struct list *after;
    bool canceled = s->close_cb != NULL;
    s->collection = NULL;
    if (c->status != 0) {
        log_warn("image.gc_failed", log_err(&c->err));
    }
    for (uint32_t i = 0; i < c->n_keep; i++) {
        free(c->keep[i]);
    }
    free(c->keep);
    free(c);
    list_each_safe (it, after, &s->fetches) {
        struct fetch *f = container_of(it, struct fetch, link);
        if (canceled) {
            job_cancel(&f->job);
            fetch_done(&f->job);
        } else {
            jobs_submit(s->jobs, &f->job, fetch_work, fetch_done);
        }
    }
}

void images_gc(struct images *s, const char *const *keep, uint32_t n_keep, uint64_t min_age_ms)
{
    struct collection *c;
    if (s->collection != NULL || !list_empty(&s->fetches)) {
        return;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL || (c->keep = calloc(n_keep + 1u, sizeof *c->keep)) == NULL) {
        abort();
    }
    c->images = s;
    c->job.data = c;
    c->n_keep = n_keep;
    c->min_age_ms = min_age_ms;
    for (uint32_t i = 0; i < n_keep; i++) {
        c->keep[i] = copy_text(keep[i]);
    }
    s->collection = c;
    jobs_submit(s->jobs, &c->job, collection_work, collection_done);
}

static void jobs_closed(void *data)
{
    struct images *s = data;
    void (*cb)(void *data) = s->close_cb;
    void *cb_data = s->close_data;
    assert(list_empty(&s->fetches));
    free(s);
    cb(cb_data);
}

void images_close(struct images *s, void (*cb)(void *data), void *data)
{
    s->close_cb = cb;
    s->close_data = data;
    jobs_close(s->jobs, jobs_closed, s);
}
