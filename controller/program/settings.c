#include "controller/program/settings.h"

#include "common/base/str.h"
#include "common/net/addr.h"

#include <string.h>

#define AT(field) offsetof(struct settings, field)

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const struct conf_option options[] = {
    {.name = "id",
     .env = "ECS_ID",
     .type = CONF_U64,
     .offset = AT(id),
     .min = 1,
     .max = UINT32_MAX,
     .required = true,
     .help = "Which member of the control plane this is."},
    {.name = "data-dir",
     .env = "ECS_DATA_DIR",
     .type = CONF_STRING,
     .offset = AT(data_dir),
     .value = "/var/lib/ecs-controller",
     .arg = "DIR",
     .help = "Log and state of this controller."},
    {.name = "members",
     .env = "ECS_MEMBERS",
     .type = CONF_LIST,
     .offset = AT(member_list),
     .required = true,
     .arg = "ID=PEER/API,...",
     .help = "Who begins the cluster, e.g. 1=10.0.0.1:7444/10.0.0.1:7443,...; the same list on "
             "each. Once there is a log, it says who the members are."},
    {.name = "join",
     .env = "ECS_JOIN",
     .type = CONF_BOOL,
     .offset = AT(join),
     .help = "Begin no cluster with an empty data directory: wait until the members in --members "
             "add this one (ecs-admin member add)."},
    {.name = "listen",
     .env = "ECS_LISTEN",
     .type = CONF_STRING,
     .offset = AT(listen),
     .arg = "ADDR:PORT",
     .help = "Front door (default: our API address in --members)."},
    {.name = "peer-listen",
     .env = "ECS_PEER_LISTEN",
     .type = CONF_STRING,
     .offset = AT(peer_listen),
     .arg = "ADDR:PORT",
     .help = "Raft port (default: our peer address in --members)."},
    {.name = "insecure-api",
     .env = "ECS_INSECURE_API",
     .type = CONF_STRING,
     .offset = AT(insecure_api),
     .arg = "ADDR:PORT",
     .help = "Also serve the API here in plain HTTP, without authentication. For labs."},
    {.name = "cert",
     .env = "ECS_CERT",
     .type = CONF_STRING,
     .offset = AT(cert),
     .required = true,
     .arg = "FILE",
     .help = "Certificate of this controller (role controller, its id)."},
    {.name = "key",
     .env = "ECS_KEY",
     .type = CONF_STRING,
     .offset = AT(key),
     .required = true,
     .arg = "FILE",
     .help = "Its private key."},
    {.name = "ca",
     .env = "ECS_CA",
     .type = CONF_STRING,
     .offset = AT(ca),
     .required = true,
     .arg = "FILE",
     .help = "Certificate of the cluster's CA."},
    {.name = "ca-key",
     .env = "ECS_CA_KEY",
     .type = CONF_STRING,
     .offset = AT(ca_key),
     .arg = "FILE",
     .help = "The CA's key; without it nodes cannot join through this controller."},
    {.name = "domain",
     .env = "ECS_DOMAIN",
     .type = CONF_STRING,
     .offset = AT(domain),
     .value = "ecs",
     .arg = "NAME",
     .help = "Trust domain of all certificates."},
    {.name = "account",
     .env = "ECS_ACCOUNT",
     .type = CONF_STRING,
     .offset = AT(account),
     .value = "123456789012",
     .arg = "DIGITS",
     .help = "Account id in ARNs, twelve digits."},
    {.name = "region",
     .env = "ECS_REGION",
     .type = CONF_STRING,
     .offset = AT(region),
     .value = "us-east-1",
     .arg = "NAME",
     .help = "Region in ARNs."},
    {.name = "election-timeout",
     .type = CONF_DURATION,
     .offset = AT(election_ms),
     .value = "300ms",
     .min = 50,
     .max = 60000,
     .help = "Least time without a leader before an election."},
    {.name = "heartbeat",
     .type = CONF_DURATION,
     .offset = AT(heartbeat_ms),
     .value = "50ms",
     .min = 10,
     .max = 10000,
     .help = "Between messages of the leader to idle followers."},
    {.name = "log-trailing",
     .type = CONF_U64,
     .offset = AT(trailing),
     .value = "8192",
     .min = 16,
     .max = 100000000,
     .arg = "ENTRIES",
     .help = "Log kept behind the checkpoint; a member further behind receives the checkpoint."},
    {.name = "node-lost-after",
     .type = CONF_DURATION,
     .offset = AT(node_lost_after_ms),
     .value = "40s",
     .min = 2000,
     .max = 86400000,
     .help = "A silent node is given up and its tasks are replaced after this."},
    {.name = "node-loss-percent",
     .type = CONF_U64,
     .offset = AT(node_loss_percent),
     .value = "55",
     .min = 0,
     .max = 100,
     .arg = "PERCENT",
     .help =
         "When more nodes than this (and at least three) fall silent at once, they are given up "
         "slowly; when all do, not at all. 0: never mind."},
    {.name = "node-heartbeat",
     .type = CONF_DURATION,
     .offset = AT(node_heartbeat_ms),
     .value = "1s",
     .min = 100,
     .max = 60000,
     .help = "How often nodes report that they live."},
    {.name = "max-per-address",
     .env = "ECS_MAX_PER_ADDRESS",
     .type = CONF_U64,
     .offset = AT(max_per_address),
     .value = "100",
     .min = 1,
     .max = 1000000,
     .arg = "N",
     .help = "Connections from one address that have not shown a certificate (yet)."},
    {.name = "max-connections",
     .type = CONF_U64,
     .offset = AT(max_connections),
     .value = "0",
     .max = 1000000,
     .arg = "N",
     .help = "Of nodes and users, at a time; 0: seven eighths of the files the process may open."},
    {.name = "urgency",
     .type = CONF_U64,
     .offset = AT(urgency),
     .value = "10",
     .max = 20,
     .arg = "N",
     .help = "Run at nice -N, so that a busy machine does not look like a dead leader (0: no)."},
    {.name = "log-level",
     .env = "ECS_LOG_LEVEL",
     .type = CONF_STRING,
     .offset = AT(log_level),
     .value = "info",
     .choices = levels,
     .help = "error, warn, info or debug."},
    {.name = "log-json",
     .env = "ECS_LOG_JSON",
     .type = CONF_BOOL,
     .offset = AT(log_json),
     .help = "Log JSON objects instead of key=value lines."},
};

static const struct conf_program program = {
    .name = "ecs-controller",
    .summary = "One member of an ecs control plane.",
    .version = ECS_VERSION,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .default_file = "/etc/ecs/controller.conf",
    .file_env = "ECS_CONTROLLER_CONFIG",
};

static int check_account(const struct settings *s, struct err *err)
{
    uint64_t number;
    if (strlen(s->account) != 12 || !str_u64(str_of(s->account), &number)) {
        return err_set(err, ERR_INVALID, "--account must be twelve digits, not '%s'", s->account);
    }
    return 0;
}

static int check_address(const char *option, struct str text, struct err *err)
{
    struct addr addr;
    int rv = addr_parse(text, 0, &addr, err);
    return rv == 0 ? 0 : err_wrap(err, ERR_INVALID, "--%s '%.*s'", option, STR_ARG(text));
}

/* "1=10.0.0.1:7444/10.0.0.1:7443" */
static int read_member(struct settings *s, const char *text, struct err *err)
{
    struct str api;
    struct str peer;
    struct str id = str_cut(str_of(text), '=', &peer);
    struct engine_member *m = &s->members[s->n_members];
    peer = str_cut(peer, '/', &api);
    if (!str_u64(id, &m->id) || m->id == 0 || peer.n == 0 || api.n == 0) {
        return err_set(err, ERR_INVALID,
                       "--members: '%s' is not ID=PEER_ADDRESS:PORT/API_ADDRESS:PORT", text);
    }
    if (!str_copy(s->texts[s->n_members][0], sizeof s->texts[0][0], peer) ||
        !str_copy(s->texts[s->n_members][1], sizeof s->texts[0][1], api)) {
        return err_set(err, ERR_INVALID, "--members: '%s' is too long", text);
    }
    for (unsigned i = 0; i < s->n_members; i++) {
        if (s->members[i].id == m->id) {
            return err_set(err, ERR_INVALID, "--members: id %llu is given twice",
                           (unsigned long long)m->id);
        }
    }
    m->peer_address = s->texts[s->n_members][0];
    m->api_address = s->texts[s->n_members][1];
    s->n_members++;
    return 0;
}

static int read_members(struct settings *s, struct err *err)
{
    const size_t n = s->member_list.n;
    if (!s->join && n != 1 && n != 3 && n != 5) {
        return err_set(err, ERR_INVALID, "--members: there must be 1, 3 or 5 members, not %zu", n);
    }
    if (n < 2 && s->join) {
        return err_set(err, ERR_INVALID, "--join: --members must name this one and those to join");
    }
    if (n > SETTINGS_MEMBERS_MAX) {
        return err_set(err, ERR_INVALID, "--members: %zu, at most %d", n, SETTINGS_MEMBERS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        int rv = read_member(s, s->member_list.items[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (s->members[i].id == s->id) {
            s->listen = s->listen == NULL ? s->members[i].api_address : s->listen;
            s->peer_listen = s->peer_listen == NULL ? s->members[i].peer_address : s->peer_listen;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "--id %llu is not among --members", (unsigned long long)s->id);
}

int settings_load(int argc, char **argv, char **env, struct settings *ret, struct conf **ret_conf,
                  enum conf_outcome *ret_outcome, struct err *err)
{
    int rv = conf_load(&program, argc, argv, env, ret, ret_conf, ret_outcome, NULL, err);
    if (rv != 0 || *ret_outcome != CONF_RUN) {
        return rv;
    }
    rv = check_account(ret, err);
    if (rv == 0) {
        rv = read_members(ret, err);
    }
    if (rv == 0) {
        rv = check_address("listen", str_of(ret->listen), err);
    }
    if (rv == 0) {
        rv = check_address("peer-listen", str_of(ret->peer_listen), err);
    }
    if (rv == 0 && ret->insecure_api != NULL) {
        rv = check_address("insecure-api", str_of(ret->insecure_api), err);
    }
    if (rv == 0 && ret->node_lost_after_ms < 3 * ret->node_heartbeat_ms) {
        rv = err_set(err, ERR_INVALID,
                     "--node-lost-after must be at least three times --node-heartbeat");
    }
    return rv;
}
