#include "agent/net/nft.h"

#include "agent/proc/spawn.h"
#include "common/loop/sysmem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TABLE     "ecs"
#define MAP       "ports"
#define BATCH_MAX (256 * 1024)
#define ELEM_SIZE 64 /* One element in a message, generously. */
#define HEAD_SIZE 1024
#define ELEMS_MAX ((BATCH_MAX - HEAD_SIZE) / ELEM_SIZE)
/* In postrouting the incoming interface is not known, hence addresses. */
#define RULES_MAX  8192
#define TIMEOUT_MS 10000

struct nft {
    struct mnl_socket *socket;
    uint32_t port;
    uint32_t seq;
};

int nft_open(struct nft **ret, struct err *err)
{
    struct nft *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return err_set(err, ERR_NOMEM, "nftables");
    }
    n->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (n->socket == NULL || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        nft_close(n);
        return err_set(err, ERR_IO, "nftables: %s", strerror(errno));
    }
    n->port = mnl_socket_get_portid(n->socket);
    *ret = n;
    return 0;
}

void nft_close(struct nft *n)
{
    if (n != NULL && n->socket != NULL) {
        mnl_socket_close(n->socket);
    }
    free(n);
}

/* --- rules -------------------------------------------------------------------------------------
 */

/* "add" accepts what is there, chains are flushed and filled, and the map keeps its elements: all
 * one transaction, so a restart of the agent is invisible to traffic.
 *
 * - prerouting, output: published ports, from outside, from other containers and from the node.
 * - postrouting: containers leave under the node's address. Two masquerades make answers come
 *   back this way: connections of the node to 127.0.0.1:PORT, and of a container to itself
 *   through the node's port (hairpin).
 * - forward: no way to link-local addresses, where clouds keep credentials. */
#define RULES                                                                               \
    "add table ip ecs\n"                                                                    \
    "add map ip ecs ports { type inet_proto . inet_service : ipv4_addr . inet_service; }\n" \
    "add chain ip ecs prerouting { type nat hook prerouting priority dstnat; }\n"           \
    "add chain ip ecs output { type nat hook output priority -100; }\n"                     \
    "add chain ip ecs postrouting { type nat hook postrouting priority srcnat; }\n"         \
    "add chain ip ecs forward { type filter hook forward priority filter; }\n"              \
    "flush chain ip ecs prerouting\n"                                                       \
    "flush chain ip ecs output\n"                                                           \
    "flush chain ip ecs postrouting\n"                                                      \
    "flush chain ip ecs forward\n"                                                          \
    "table ip ecs {\n"                                                                      \
    " chain prerouting {\n"                                                                 \
    "  fib daddr type local dnat ip to meta l4proto . th dport map @ports\n"                \
    " }\n"                                                                                  \
    " chain output {\n"                                                                     \
    "  fib daddr type local dnat ip to meta l4proto . th dport map @ports\n"                \
    " }\n"                                                                                  \
    " chain postrouting {\n"                                                                \
    "  oifname \"%s\" ip saddr 127.0.0.0/8 masquerade\n"                                    \
    "  oifname \"%s\" ip saddr %s ct status dnat masquerade\n"                              \
    "  ip saddr %s oifname != \"%s\" masquerade\n"                                          \
    " }\n"                                                                                  \
    " chain forward {\n"                                                                    \
    "  iifname \"%s\" ip daddr 169.254.0.0/16 drop\n"                                       \
    " }\n"                                                                                  \
    "}\n"

static int memory_file(const char *text, size_t n, struct err *err)
{
    int fd = memfd_create("nft", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0) {
        int rv = err_set(err, ERR_IO, "memfd: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return rv;
    }
    return fd;
}

int nft_load_rules(const char *program, const char *bridge, const char *subnet, struct err *err)
{
    const char *argv[] = {program, "-f", "-", NULL};
    struct spawn s = {.argv = argv, .extra = -1, .timeout_ms = TIMEOUT_MS};
    struct buf text;
    int rv;
    buf_init(&text, sysmem(), RULES_MAX);
    buf_printf(&text, RULES, bridge, bridge, subnet, subnet, bridge, bridge);
    s.in = memory_file((const char *)text.data, text.len, err);
    buf_close(&text);
    if (s.in < 0) {
        return s.in;
    }
    rv = spawn_check(&s, err);
    close(s.in);
    return rv;
}

/* --- elements ----------------------------------------------------------------------------------
 */

struct batch {
    struct nft *nft;
    char *data;
    size_t n;
    uint32_t first_seq;
};

static int batch_init(struct batch *b, struct nft *n, struct err *err)
{
    b->nft = n;
    b->n = 0;
    b->first_seq = n->seq + 1;
    b->data = malloc(BATCH_MAX);
    return b->data != NULL ? 0 : err_set(err, ERR_NOMEM, "nftables batch");
}

static struct nlmsghdr *put_message(struct batch *b, uint16_t type, uint16_t flags, uint16_t res)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(b->data + b->n);
    struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = ++b->nft->seq;
    m->nfgen_family = res != 0 ? AF_UNSPEC : NFPROTO_IPV4;
    m->version = NFNETLINK_V0;
    m->res_id = htons(res);
    return h;
}

static void put_done(struct batch *b, const struct nlmsghdr *h)
{
    b->n += h->nlmsg_len;
}

static uint16_t nft_type(uint16_t message)
{
    return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static void put_begin(struct batch *b)
{
    put_done(b, put_message(b, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES));
}

/* Key and data are concatenations; each part is padded to four bytes. */
static void put_element(struct nlmsghdr *h, const struct nft_port *p, bool with_data)
{
    uint8_t key[8] = {0};
    uint8_t data[8] = {0};
    uint16_t node_port = htons(p->node_port);
    uint16_t container_port = htons(p->container_port);
    uint32_t ip = htonl(p->ip);
    struct nlattr *elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
    struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
    key[0] = p->protocol;
    memcpy(key + 4, &node_port, 2);
    memcpy(data, &ip, 4);
    memcpy(data + 4, &container_port, 2);
    mnl_attr_put(h, NFTA_DATA_VALUE, sizeof key, key);
    mnl_attr_nest_end(h, nest);
    if (with_data) {
        nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
        mnl_attr_put(h, NFTA_DATA_VALUE, sizeof data, data);
        mnl_attr_nest_end(h, nest);
    }
    mnl_attr_nest_end(h, elem);
}

/* One message with n elements; none at all means every element, for a deletion. */
static void put_elements(struct batch *b, uint16_t type, uint16_t flags,
                         const struct nft_port *ports, uint32_t n)
{
    struct nlmsghdr *h = put_message(b, nft_type(type), (uint16_t)(flags | NLM_F_ACK), 0);
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, TABLE);
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, MAP);
    if (n > 0) {
        struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
        for (uint32_t i = 0; i < n; i++) {
            put_element(h, &ports[i], type == NFT_MSG_NEWSETELEM);
        }
        mnl_attr_nest_end(h, list);
    }
    put_done(b, h);
}

/* Every message that asked for it is acknowledged; the first error counts. 0 or negative errno. */
static int receive(struct nft *n, uint32_t last_seq)
{
    char in[8192];
    int rv = 0;
    for (;;) {
        ssize_t len = mnl_socket_recvfrom(n->socket, in, sizeof in);
        int left = (int)len;
        const struct nlmsghdr *h = (const void *)in;
        if (len < 0) {
            return -errno;
        }
        for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
            if (h->nlmsg_type != NLMSG_ERROR) {
                continue;
            }
            rv = rv == 0 ? e->error : rv;
            if (h->nlmsg_seq == last_seq || (rv != 0 && e->error != 0)) {
                return rv;
            }
        }
    }
}

/* Throw away what a failed batch may still have to say. */
static void drain(struct nft *n)
{
    char in[8192];
    while (recv(mnl_socket_get_fd(n->socket), in, sizeof in, MSG_DONTWAIT) > 0) {
    }
}

/* End, send, wait for the last acknowledgement. 0 or negative errno. */
static int batch_send(struct batch *b)
{
    uint32_t last = b->nft->seq;
    int rv;
    put_done(b, put_message(b, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES));
    drain(b->nft);
    rv = mnl_socket_sendto(b->nft->socket, b->data, b->n) < 0 ? -errno : receive(b->nft, last);
    return rv;
}

static int failed(int rv, struct err *err, const char *what)
{
    return rv == 0 ? 0
                   : err_set(err, rv == -EPERM ? ERR_DENIED : ERR_IO, "nftables: %s: %s", what,
                             strerror(-rv));
}

int nft_withdraw(struct nft *n, const struct nft_port *ports, uint32_t n_ports, struct err *err)
{
    struct batch b;
    int rv = batch_init(&b, n, err);
    if (rv != 0) {
        return rv;
    }
    /* One batch each: a missing element fails its whole batch. */
    for (uint32_t i = 0; i < n_ports && rv == 0; i++) {
        b.n = 0;
        put_begin(&b);
        put_elements(&b, NFT_MSG_DELSETELEM, 0, &ports[i], 1);
        rv = batch_send(&b);
        rv = rv == -ENOENT ? 0 : rv;
    }
    free(b.data);
    return failed(rv, err, "withdraw ports");
}

static int publish(struct nft *n, bool only, const struct nft_port *ports, uint32_t n_ports,
                   struct err *err)
{
    struct batch b;
    int rv;
    if (n_ports > ELEMS_MAX) {
        return err_set(err, ERR_TOOBIG, "nftables: more than %d ports", ELEMS_MAX);
    }
    rv = batch_init(&b, n, err);
    if (rv != 0) {
        return rv;
    }
    put_begin(&b);
    if (only) {
        put_elements(&b, NFT_MSG_DELSETELEM, 0, NULL, 0);
    }
    /* The length of an attribute is 16 bits: several messages. */
    for (uint32_t i = 0; i < n_ports; i += 500) {
        uint32_t part = n_ports - i < 500 ? n_ports - i : 500;
        put_elements(&b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, ports + i, part);
    }
    rv = batch_send(&b);
    free(b.data);
    return failed(rv, err, "publish ports");
}

int nft_publish(struct nft *n, const struct nft_port *ports, uint32_t n_ports, struct err *err)
{
    int rv;
    if (n_ports == 0) {
        return 0;
    }
    rv = nft_withdraw(n, ports, n_ports, err);
    return rv != 0 ? rv : publish(n, false, ports, n_ports, err);
}

int nft_publish_only(struct nft *n, const struct nft_port *ports, uint32_t n_ports, struct err *err)
{
    return publish(n, true, ports, n_ports, err);
}

int nft_delete_table(struct nft *n, struct err *err)
{
    struct batch b;
    struct nlmsghdr *h;
    int rv = batch_init(&b, n, err);
    if (rv != 0) {
        return rv;
    }
    put_begin(&b);
    h = put_message(&b, nft_type(NFT_MSG_DELTABLE), NLM_F_ACK, 0);
    mnl_attr_put_strz(h, NFTA_TABLE_NAME, TABLE);
    put_done(&b, h);
    rv = batch_send(&b);
    free(b.data);
    return failed(rv == -ENOENT ? 0 : rv, err, "delete table");
}
