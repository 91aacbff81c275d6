/* Clusters. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/describe_cluster.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"

#include <string.h>

#define DESCRIBE_MAX 100

static bool tags_equal(const struct tags *a, const struct tags *b)
{
    bool equal = a->n == b->n;
    for (uint32_t i = 0; equal && i < a->n; i++) {
        bool found = false;
        for (uint32_t k = 0; !found && k < b->n; k++) {
            found = str_eq(a->v[i].key, b->v[k].key) && str_eq(a->v[i].value, b->v[k].value);
        }
        equal = found;
    }
    return equal;
}

static int check_settings(struct api_call *c, Ecs__V1__ClusterSetting *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str value = str_of(v[i]->value);
        if (!v[i]->has_name) {
            return api_fail(c, API_INVALID_PARAMETER, "settings[%zu].name is missing.", i);
        }
        if (!str_eqc(value, "enabled") && !str_eqc(value, "disabled") &&
            !str_eqc(value, "enhanced")) {
            return api_fail(c, API_INVALID_PARAMETER,
                            "settings[%zu].value must be enabled, disabled or enhanced.", i);
        }
    }
    return 0;
}

/* The names go into the command, the default strategy into the specification *m. */
static int set_providers(struct api_call *c, char *const *names, size_t n_names,
                         Ecs__V1__CapacityProviderStrategyItem *const *items, size_t n_items,
                         Ecs__V1__Cluster *m, struct cmd_cluster *to)
{
    struct provider_share *shares;
    uint32_t n_shares;
    int rv = provider_names(c, names, n_names, &to->providers, &to->n_providers);
    if (rv == 0) {
        rv = provider_shares(c, "defaultCapacityProviderStrategy", items, n_items, &shares,
                             &n_shares);
    }
    if (rv == 0) {
        rv = provider_level(c);
    }
    if (rv == 0) {
        rv = provider_associated(c, shares, n_shares, to->providers, to->n_providers);
    }
    if (rv != 0) {
        return rv;
    }
    to->has_providers = true;
    m->default_capacity_provider_strategy =
        provider_items(c, shares, n_shares, &m->n_default_capacity_provider_strategy);
    return 0;
}

static bool same_providers(const struct cmd_cluster *cmd, const struct cluster *row)
{
    bool same = cmd->n_providers == row->n_providers;
    for (uint32_t i = 0; same && i < row->n_providers; i++) {
        same = str_eq(cmd->providers[i].name, row->providers[i].name);
    }
    return same;
}

/* The answer of every write: the cluster as it is now. */
static Ecs__V1__Cluster *named(struct api_call *c, const char *text)
{
    struct str name;
    uint32_t slot;
    if (ref_cluster_name(c, text, &name) != 0) {
        return NULL;
    }
    slot = store_find_cluster(api_store(c), name);
    if (slot == SLOT_NONE) {
        (void)api_fail(c, API_CLUSTER_NOT_FOUND, "Cluster not found.");
        return NULL;
    }
    return describe_cluster(c, slot, CLUSTER_ALL & ~(unsigned)CLUSTER_STATISTICS);
}

/* --- CreateCluster -----------------------------------------------------------------------------
 */

static const Ecs__V1__CreateClusterRequest *create_request(const struct api_call *c)
{
    return (const Ecs__V1__CreateClusterRequest *)c->request;
}

static const char *create_name(const struct api_call *c)
{
    const char *name = create_request(c)->cluster_name;
    return name == NULL || name[0] == '\0' ? "default" : name;
}

static int create_check(struct api_call *c)
{
    const Ecs__V1__CreateClusterRequest *r = create_request(c);
    struct tags tags;
    int rv = valid_name(c, "Cluster name", create_name(c));
    if (rv == 0) {
        rv = check_settings(c, r->settings, r->n_settings);
    }
    return rv != 0 ? rv : valid_tags(c, r->tags, r->n_tags, &tags);
}

static int create_spec(struct api_call *c, struct cmd_cluster *to)
{
    const Ecs__V1__CreateClusterRequest *r = create_request(c);
    Ecs__V1__Cluster *m = api_new(c, &ecs__v1__cluster__descriptor);
    m->settings = r->settings;
    m->n_settings = r->n_settings;
    m->configuration = r->configuration;
    if (r->service_connect_defaults != NULL) {
        m->service_connect_defaults =
            api_new(c, &ecs__v1__cluster_service_connect_defaults__descriptor);
        m->service_connect_defaults->namespace_ = r->service_connect_defaults->namespace_;
    }
    if (r->n_capacity_providers > 0 || r->n_default_capacity_provider_strategy > 0) {
        int rv = set_providers(c, r->capacity_providers, r->n_capacity_providers,
                               r->default_capacity_provider_strategy,
                               r->n_default_capacity_provider_strategy, m, to);
        if (rv != 0) {
            return rv;
        }
    }
    return cluster_spec_write(c, m, &to->spec);
}

static int create_decide(struct api_call *c, struct command *cmd)
{
    const struct store *s = api_store(c);
    const Ecs__V1__CreateClusterRequest *r = create_request(c);
    struct cmd_cluster *to = &cmd->u.cluster;
    uint32_t slot;
    cmd->kind = CMD_CLUSTER_CREATE;
    to->name = str_of(create_name(c));
    to->has_spec = true;
    int rv = create_spec(c, to);
    if (rv == 0) {
        rv = valid_tags(c, r->tags, r->n_tags, &to->tags);
    }
    if (rv != 0) {
        return rv;
    }
    slot = store_find_cluster(s, to->name);
    if (slot == SLOT_NONE || store_cluster(s, slot)->status != CLUSTER_ACTIVE) {
        return 0;
    }
    const struct cluster *row = store_cluster(s, slot);
    bool same = (to->spec.n == 0 || str_eq(to->spec, row->spec)) &&
                (to->tags.n == 0 || tags_equal(&to->tags, &row->tags)) &&
                (!to->has_providers || same_providers(to, row));
    if (!same) {
        return api_fail(c, API_PARAMETER_EXISTS,
                        "Arguments on this idempotent request are inconsistent with arguments used "
                        "in previous request(s).");
    }
    return 1;
}

static int create_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__CreateClusterResponse *m = api_new(c, &ecs__v1__create_cluster_response__descriptor);
    (void)result;
    m->cluster = named(c, create_name(c));
    c->response = &m->base;
    return m->cluster == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_create_cluster = {
    .kind = API_WRITE,
    .check = create_check,
    .decide = create_decide,
    .applied = create_applied,
};

/* --- UpdateCluster, UpdateClusterSettings ------------------------------------------------------
 */

/* Replace the specification by *m's fields. */
static int update_command(struct api_call *c, const struct cluster *row, const Ecs__V1__Cluster *m,
                          struct command *cmd)
{
    cmd->kind = CMD_CLUSTER_UPDATE;
    cmd->u.cluster.name = str_make(api_text(c, row->name), row->name.n);
    cmd->u.cluster.has_spec = true;
    return cluster_spec_write(c, m, &cmd->u.cluster.spec);
}

/* The cluster to be changed and its stored specification. */
static int update_begin(struct api_call *c, const char *text, const struct cluster **ret_row,
                        Ecs__V1__Cluster **ret)
{
    uint32_t slot;
    int rv = ref_cluster(c, text, &slot);
    if (rv != 0) {
        return rv;
    }
    *ret_row = store_cluster(api_store(c), slot);
    *ret = cluster_spec_read(c, (*ret_row)->spec);
    return *ret == NULL ? ERR_INTERNAL : 0;
}

/* Settings are replaced by name; those not mentioned stay. */
static void merge_settings(struct api_call *c, Ecs__V1__Cluster *m,
                           Ecs__V1__ClusterSetting *const *v, size_t n)
{
    Ecs__V1__ClusterSetting **to = api_list(c, m->n_settings + n);
    size_t n_to = m->n_settings;
    if (n_to > 0) {
        memcpy(to, m->settings, n_to * sizeof(void *));
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < n_to && to[at]->name != v[i]->name) {
            at++;
        }
        to[at] = v[i];
        n_to = at == n_to ? n_to + 1 : n_to;
    }
    m->settings = to;
    m->n_settings = n_to;
}

static const Ecs__V1__UpdateClusterRequest *update_request(const struct api_call *c)
{
    return (const Ecs__V1__UpdateClusterRequest *)c->request;
}

static int update_check(struct api_call *c)
{
    const Ecs__V1__UpdateClusterRequest *r = update_request(c);
    int rv = ref_required(c, "cluster", r->cluster);
    return rv != 0 ? rv : check_settings(c, r->settings, r->n_settings);
}

static int update_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__UpdateClusterRequest *r = update_request(c);
    const struct cluster *row;
    Ecs__V1__Cluster *m;
    int rv = update_begin(c, r->cluster, &row, &m);
    if (rv != 0) {
        return rv;
    }
    merge_settings(c, m, r->settings, r->n_settings);
    if (r->configuration != NULL) {
        m->configuration = r->configuration;
    }
    if (r->service_connect_defaults != NULL) {
        const char *name = r->service_connect_defaults->namespace_;
        m->service_connect_defaults = NULL; /* An empty name takes the default away. */
        if (name != NULL && name[0] != '\0') {
            m->service_connect_defaults =
                api_new(c, &ecs__v1__cluster_service_connect_defaults__descriptor);
            m->service_connect_defaults->namespace_ = r->service_connect_defaults->namespace_;
        }
    }
    return update_command(c, row, m, cmd);
}

static int update_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__UpdateClusterResponse *m = api_new(c, &ecs__v1__update_cluster_response__descriptor);
    (void)result;
    m->cluster = named(c, update_request(c)->cluster);
    c->response = &m->base;
    return m->cluster == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_update_cluster = {
    .kind = API_WRITE,
    .check = update_check,
    .decide = update_decide,
    .applied = update_applied,
};

static const Ecs__V1__UpdateClusterSettingsRequest *settings_request(const struct api_call *c)
{
    return (const Ecs__V1__UpdateClusterSettingsRequest *)c->request;
}

static int settings_check(struct api_call *c)
{
    const Ecs__V1__UpdateClusterSettingsRequest *r = settings_request(c);
    int rv = ref_required(c, "cluster", r->cluster);
    if (rv == 0) {
        rv = valid_count(c, "settings", r->n_settings, 10);
    }
    return rv != 0 ? rv : check_settings(c, r->settings, r->n_settings);
}

static int settings_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__UpdateClusterSettingsRequest *r = settings_request(c);
    const struct cluster *row;
    Ecs__V1__Cluster *m;
    int rv = update_begin(c, r->cluster, &row, &m);
    if (rv != 0) {
        return rv;
    }
    merge_settings(c, m, r->settings, r->n_settings);
    return update_command(c, row, m, cmd);
}

static int settings_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__UpdateClusterSettingsResponse *m =
        api_new(c, &ecs__v1__update_cluster_settings_response__descriptor);
    (void)result;
    m->cluster = named(c, settings_request(c)->cluster);
    c->response = &m->base;
    return m->cluster == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_update_cluster_settings = {
    .kind = API_WRITE,
    .check = settings_check,
    .decide = settings_decide,
    .applied = settings_applied,
};

/* --- PutClusterCapacityProviders ----------------------------------------------------------------
 */

static const Ecs__V1__PutClusterCapacityProvidersRequest *put_request(const struct api_call *c)
{
    return (const Ecs__V1__PutClusterCapacityProvidersRequest *)c->request;
}

static int put_check(struct api_call *c)
{
    return ref_required(c, "cluster", put_request(c)->cluster);
}

static int put_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__PutClusterCapacityProvidersRequest *r = put_request(c);
    const struct cluster *row;
    Ecs__V1__Cluster *m;
    int rv = update_begin(c, r->cluster, &row, &m);
    if (rv == 0 && r->n_capacity_providers == 0 && row->n_providers == 0 &&
        r->n_default_capacity_provider_strategy == 0) {
        return 1; /* None before and none now. */
    }
    if (rv == 0) {
        rv = set_providers(c, r->capacity_providers, r->n_capacity_providers,
                           r->default_capacity_provider_strategy,
                           r->n_default_capacity_provider_strategy, m, &cmd->u.cluster);
    }
    return rv != 0 ? rv : update_command(c, row, m, cmd);
}

static int put_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__PutClusterCapacityProvidersResponse *m =
        api_new(c, &ecs__v1__put_cluster_capacity_providers_response__descriptor);
    (void)result;
    m->cluster = named(c, put_request(c)->cluster);
    c->response = &m->base;
    return m->cluster == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_put_cluster_capacity_providers = {
    .kind = API_WRITE,
    .check = put_check,
    .decide = put_decide,
    .applied = put_applied,
};

/* --- DeleteCluster -----------------------------------------------------------------------------
 */

static const char *delete_name(const struct api_call *c)
{
    return ((const Ecs__V1__DeleteClusterRequest *)c->request)->cluster;
}

static int delete_check(struct api_call *c)
{
    return ref_required(c, "cluster", delete_name(c));
}

static int delete_decide(struct api_call *c, struct command *cmd)
{
    struct str name;
    uint32_t slot;
    int rv = ref_cluster_name(c, delete_name(c), &name);
    if (rv != 0) {
        return rv;
    }
    slot = store_find_cluster(api_store(c), name);
    if (slot == SLOT_NONE) {
        return api_fail(c, API_CLUSTER_NOT_FOUND, "Cluster not found.");
    }
    if (store_cluster(api_store(c), slot)->status == CLUSTER_INACTIVE) {
        return 1; /* Deleting it again changes nothing. */
    }
    cmd->kind = CMD_CLUSTER_DELETE;
    cmd->u.name.name = name;
    return 0;
}

static int delete_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeleteClusterResponse *m = api_new(c, &ecs__v1__delete_cluster_response__descriptor);
    (void)result;
    m->cluster = named(c, delete_name(c));
    c->response = &m->base;
    return m->cluster == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_delete_cluster = {
    .kind = API_WRITE,
    .check = delete_check,
    .decide = delete_decide,
    .applied = delete_applied,
};

/* --- DescribeClusters --------------------------------------------------------------------------
 */

static unsigned parts_of(const Ecs__V1__DescribeClustersRequest *r)
{
    unsigned parts = 0;
    for (size_t i = 0; i < r->n_include; i++) {
        switch ((int)r->include[i]) {
        case ECS__V1__CLUSTER_FIELD__VALUE__TAGS:
            parts |= CLUSTER_TAGS;
            break;
        case ECS__V1__CLUSTER_FIELD__VALUE__SETTINGS:
            parts |= CLUSTER_SETTINGS;
            break;
        case ECS__V1__CLUSTER_FIELD__VALUE__CONFIGURATIONS:
            parts |= CLUSTER_CONFIGURATION;
            break;
        case ECS__V1__CLUSTER_FIELD__VALUE__STATISTICS:
            parts |= CLUSTER_STATISTICS;
            break;
        default: /* ATTACHMENTS: there are none. */
            break;
        }
    }
    return parts;
}

static int describe_check(struct api_call *c)
{
    const Ecs__V1__DescribeClustersRequest *r =
        (const Ecs__V1__DescribeClustersRequest *)c->request;
    return r->n_clusters == 0 ? 0 : valid_count(c, "clusters", r->n_clusters, DESCRIBE_MAX);
}

static int describe_read(struct api_call *c)
{
    const Ecs__V1__DescribeClustersRequest *r =
        (const Ecs__V1__DescribeClustersRequest *)c->request;
    Ecs__V1__DescribeClustersResponse *m =
        api_new(c, &ecs__v1__describe_clusters_response__descriptor);
    char *standard[] = {(char *)"default"};
    char **names = r->n_clusters == 0 ? standard : r->clusters;
    size_t n = r->n_clusters == 0 ? 1 : r->n_clusters;
    struct failures failures;
    failures_init(&failures, c, n);
    m->clusters = api_list(c, n);
    for (size_t i = 0; i < n; i++) {
        struct str name;
        uint32_t slot;
        int rv = ref_cluster_name(c, names[i], &name);
        if (rv != 0) {
            return rv;
        }
        slot = store_find_cluster(api_store(c), name);
        if (slot == SLOT_NONE) {
            failures_add(&failures, c, ref_guess_arn(c, REF_CLUSTER, SLOT_NONE, names[i]),
                         "MISSING", NULL);
            continue;
        }
        Ecs__V1__Cluster *cluster = describe_cluster(c, slot, parts_of(r));
        if (cluster == NULL) {
            return ERR_INTERNAL;
        }
        m->clusters[m->n_clusters++] = cluster;
    }
    m->failures = failures.v;
    m->n_failures = failures.n;
    c->response = &m->base;
    return 0;
}

const struct api_handler op_describe_clusters = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};

/* --- ListClusters ------------------------------------------------------------------------------
 */

static int list_read(struct api_call *c)
{
    const Ecs__V1__ListClustersRequest *r = (const Ecs__V1__ListClustersRequest *)c->request;
    const struct store *s = api_store(c);
    Ecs__V1__ListClustersResponse *m = api_new(c, &ecs__v1__list_clusters_response__descriptor);
    uint32_t end = store_slots(s, KIND_CLUSTER);
    struct page page;
    int rv =
        page_open(&page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token, 0, NULL);
    if (rv != 0) {
        return rv;
    }
    for (uint64_t i = page.resumed ? page.after + 1 : 0; i < end && !page_full(&page); i++) {
        const struct cluster *row = store_cluster(s, (uint32_t)i);
        if (row != NULL && row->status == CLUSTER_ACTIVE) {
            page_offer(&page, (uint32_t)i);
        }
    }
    m->next_token = page_close(&page);
    m->cluster_arns = api_list(c, page.n);
    for (uint32_t i = 0; i < page.n; i++) {
        m->cluster_arns[m->n_cluster_arns++] = ref_cluster_arn(c, page.slot[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_clusters = {.kind = API_READ, .read = list_read};
