#include "agent/net/net.h"

#include "agent/net/ipam.h"
#include "agent/net/nft.h"
#include "agent/net/rtnl.h"
#include "agent/proc/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PORTS      65536
#define PEER         "eth0"
#define CONTAINER_LO 1 /* lo is always interface 1 of a namespace. */

struct net {
    pthread_mutex_t lock; /* Around everything below. */
    struct rtnl *rtnl;
    struct nft *nft;
    uint32_t bridge; /* Interface index. */
    struct ipam ipam;
    /* Who published a port, so that a late detach does not withdraw its successor's. Address as
     * offset into the range, 0 for nobody: 256 kB of which few pages are ever touched. */
    uint16_t owner[SPEC_PROTOCOL_N][N_PORTS];
};

/* 02 (locally administered), ec, and the address: an address that is used again comes with the
 * same MAC, so no neighbour table goes stale. */
static void mac_of(uint32_t ip, uint8_t ret[RTNL_MAC_LEN])
{
    ret[0] = 0x02;
    ret[1] = 0xec;
    for (int i = 0; i < 4; i++) {
        ret[2 + i] = (uint8_t)(ip >> (24 - 8 * i));
    }
}

/* The node's side of the pair; unique because addresses are. */
static void veth_name(uint32_t ip, char ret[IF_NAMESIZE])
{
    snprintf(ret, IF_NAMESIZE, "ecsv%08x", ip);
}

static int open_bridge(struct net *n, const char *name, struct err *err)
{
    uint8_t mac[RTNL_MAC_LEN];
    char path[128];
    uint32_t gateway = ipam_gateway(&n->ipam);
    int rv;
    mac_of(gateway, mac);
    rv = rtnl_add_bridge(n->rtnl, name, mac, err);
    if (rv == 0) {
        rv = rtnl_index(n->rtnl, name, &n->bridge, err);
    }
    if (rv == 0) {
        rv = rtnl_add_address(n->rtnl, n->bridge, gateway, n->ipam.prefix, err);
    }
    if (rv == 0) {
        rv = rtnl_set_up(n->rtnl, n->bridge, err);
    }
    if (rv == 0) {
        rv = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", err);
    }
    if (rv == 0) { /* For 127.0.0.1:PORT on the node. */
        snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/route_localnet", name);
        rv = file_poke(AT_FDCWD, path, "1", err);
    }
    return rv;
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IF_NAMESIZE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
              name[i] == '-' || name[i] == '_')) {
            return false;
        }
    }
    return true;
}

int net_open(const struct net_options *options, struct net **ret, struct err *err)
{
    struct net *n;
    int rv;
    if (!name_ok(options->bridge)) {
        return err_set(err, ERR_INVALID, "bridge name %s: must be 1 to 15 of a-z, 0-9, - and _",
                       options->bridge);
    }
    n = calloc(1, sizeof *n);
    if (n == NULL) {
        return err_set(err, ERR_NOMEM, "network");
    }
    pthread_mutex_init(&n->lock, NULL);
    if ((rv = ipam_init(&n->ipam, str_of(options->subnet), err)) != 0 ||
        (rv = rtnl_open(&n->rtnl, err)) != 0 || (rv = nft_open(&n->nft, err)) != 0 ||
        (rv = open_bridge(n, options->bridge, err)) != 0 ||
        (rv = nft_load_rules(options->nft, options->bridge, options->subnet, err)) != 0) {
        net_close(n);
        return err_wrap(err, rv, "network");
    }
    *ret = n;
    return 0;
}

void net_close(struct net *n)
{
    if (n == NULL) {
        return;
    }
    rtnl_close(n->rtnl);
    nft_close(n->nft);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

int net_reserve(struct net *n, uint32_t *ret_ip, struct err *err)
{
    int rv;
    pthread_mutex_lock(&n->lock);
    rv = ipam_take(&n->ipam, ret_ip, err);
    pthread_mutex_unlock(&n->lock);
    return rv;
}

void net_release(struct net *n, uint32_t ip)
{
    pthread_mutex_lock(&n->lock);
    ipam_give_back(&n->ipam, ip);
    pthread_mutex_unlock(&n->lock);
}

/* --- inside a container's namespace --------------------------------------------------------------
 */

/* A netlink socket in the namespace netns. This thread visits it; coming back cannot be allowed to
 * fail, since later work on this thread would go to the wrong network. */
static int open_inside(int netns, struct rtnl **ret, struct err *err)
{
    int rv;
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0) {
        return err_set(err, ERR_IO, "own network namespace: %s", strerror(errno));
    }
    if (setns(netns, CLONE_NEWNET) != 0) {
        rv = err_set(err, ERR_IO, "enter network namespace: %s", strerror(errno));
    } else {
        rv = rtnl_open(ret, err);
        if (setns(home, CLONE_NEWNET) != 0) {
            abort();
        }
    }
    close(home);
    return rv;
}

static int configure_inside(int netns, uint32_t ip, uint8_t prefix, uint32_t gateway,
                            struct err *err)
{
    struct rtnl *r = NULL;
    uint32_t index = 0;
    int rv = open_inside(netns, &r, err);
    if (rv == 0) {
        rv = rtnl_set_up(r, CONTAINER_LO, err);
    }
    if (rv == 0 && ip != 0) {
        rv = rtnl_index(r, PEER, &index, err);
    }
    if (rv == 0 && ip != 0) {
        rv = rtnl_add_address(r, index, ip, prefix, err);
    }
    if (rv == 0 && ip != 0) {
        rv = rtnl_set_up(r, index, err);
    }
    if (rv == 0 && ip != 0) {
        rv = rtnl_add_default_route(r, index, gateway, err);
    }
    rtnl_close(r);
    return rv;
}

static int open_netns(pid_t pid, int *ret, struct err *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret >= 0 ? 0 : err_set(err, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
}

int net_loopback(pid_t pid, struct err *err)
{
    int netns;
    int rv = open_netns(pid, &netns, err);
    if (rv == 0) {
        rv = configure_inside(netns, 0, 0, 0, err);
        close(netns);
    }
    return rv;
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

static struct nft_port nft_port_of(const struct spec_port *p, uint32_t ip)
{
    return (struct nft_port){.protocol = p->protocol == SPEC_UDP ? IPPROTO_UDP : IPPROTO_TCP,
                             .node_port = p->host_port,
                             .ip = ip,
                             .container_port = p->container_port};
}

static uint16_t *owner_of(struct net *n, const struct spec_port *p)
{
    assert(p->protocol < SPEC_PROTOCOL_N);
    return &n->owner[p->protocol][p->host_port];
}

static int publish(struct net *n, const struct net_endpoint *e, struct err *err)
{
    for (uint32_t i = 0; i < e->n_ports; i++) {
        struct nft_port port = nft_port_of(&e->ports[i], e->ip);
        int rv;
        if (port.node_port == 0 || port.container_port == 0) {
            return err_set(err, ERR_INVALID, "port 0 cannot be published");
        }
        rv = nft_publish(n->nft, &port, 1, err);
        if (rv != 0) {
            return rv;
        }
        *owner_of(n, &e->ports[i]) = (uint16_t)(e->ip - n->ipam.base);
    }
    return 0;
}

static int withdraw(struct net *n, const struct net_endpoint *e, struct err *err)
{
    int rv = 0;
    for (uint32_t i = 0; i < e->n_ports && rv == 0; i++) {
        struct nft_port port = nft_port_of(&e->ports[i], e->ip);
        uint16_t *owner = owner_of(n, &e->ports[i]);
        if (*owner == (uint16_t)(e->ip - n->ipam.base)) {
            *owner = 0;
            rv = nft_withdraw(n->nft, &port, 1, err);
        }
    }
    return rv;
}

static int plug_in(struct net *n, int netns, uint32_t ip, struct err *err)
{
    uint8_t mac[RTNL_MAC_LEN];
    char name[IF_NAMESIZE];
    uint32_t index = 0;
    int rv;
    mac_of(ip, mac);
    veth_name(ip, name);
    rv = rtnl_add_veth(n->rtnl, name, n->bridge, PEER, mac, netns, err);
    if (rv == 0) {
        rv = rtnl_index(n->rtnl, name, &index, err);
    }
    if (rv == 0) {
        rv = rtnl_set_hairpin(n->rtnl, index, err);
    }
    return rv;
}

int net_attach(struct net *n, pid_t pid, const struct net_endpoint *e, struct err *err)
{
    int netns;
    int rv = open_netns(pid, &netns, err);
    if (rv != 0) {
        return rv;
    }
    pthread_mutex_lock(&n->lock);
    rv = plug_in(n, netns, e->ip, err);
    pthread_mutex_unlock(&n->lock);
    if (rv == 0) {
        rv = configure_inside(netns, e->ip, n->ipam.prefix, ipam_gateway(&n->ipam), err);
    }
    close(netns);
    if (rv == 0) {
        pthread_mutex_lock(&n->lock);
        rv = publish(n, e, err);
        pthread_mutex_unlock(&n->lock);
    }
    return rv;
}

int net_withdraw(struct net *n, const struct net_endpoint *e, struct err *err)
{
    int rv;
    pthread_mutex_lock(&n->lock);
    rv = withdraw(n, e, err);
    pthread_mutex_unlock(&n->lock);
    return rv;
}

int net_detach(struct net *n, const struct net_endpoint *e, struct err *err)
{
    char name[IF_NAMESIZE];
    int rv;
    if (e->ip == 0) {
        return 0;
    }
    veth_name(e->ip, name);
    pthread_mutex_lock(&n->lock);
    rv = withdraw(n, e, err);
    if (rv == 0) { /* It may be gone with its namespace. */
        rv = rtnl_delete_link(n->rtnl, name, err);
    }
    if (rv == 0) {
        ipam_give_back(&n->ipam, e->ip);
    }
    pthread_mutex_unlock(&n->lock);
    return rv;
}

int net_adopt(struct net *n, const struct net_endpoint *list, uint32_t n_list, struct err *err)
{
    uint32_t total = 0;
    uint32_t n_ports = 0;
    struct nft_port *ports;
    int rv;
    for (uint32_t i = 0; i < n_list; i++) {
        total += list[i].n_ports;
    }
    ports = calloc(total + 1u, sizeof *ports);
    if (ports == NULL) {
        return err_set(err, ERR_NOMEM, "network");
    }
    pthread_mutex_lock(&n->lock);
    for (uint32_t i = 0; i < n_list; i++) {
        ipam_take_this(&n->ipam, list[i].ip);
        for (uint32_t k = 0; k < list[i].n_ports; k++) {
            ports[n_ports++] = nft_port_of(&list[i].ports[k], list[i].ip);
            *owner_of(n, &list[i].ports[k]) = (uint16_t)(list[i].ip - n->ipam.base);
        }
    }
    rv = nft_publish_only(n->nft, ports, n_ports, err);
    pthread_mutex_unlock(&n->lock);
    free(ports);
    return rv;
}

int net_purge(const struct net_options *options, struct err *err)
{
    struct rtnl *r = NULL;
    struct nft *f = NULL;
    int rv = rtnl_open(&r, err);
    if (rv == 0) {
        rv = rtnl_delete_link(r, options->bridge, err);
    }
    if (rv == 0) {
        rv = nft_open(&f, err);
    }
    if (rv == 0) {
        rv = nft_delete_table(f, err);
    }
    nft_close(f);
    rtnl_close(r);
    return rv;
}
