#include "agent/net/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MAX 8192

struct rtnl {
    struct mnl_socket *socket;
    uint32_t port;
    uint32_t seq;
    char out[MESSAGE_MAX];
    char in[MESSAGE_MAX * 4];
};

int rtnl_open(struct rtnl **ret, struct err *err)
{
    struct rtnl *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_set(err, ERR_NOMEM, "rtnetlink");
    }
    r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (r->socket == NULL || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        rtnl_close(r);
        return err_set(err, ERR_IO, "rtnetlink: %s", strerror(errno));
    }
    r->port = mnl_socket_get_portid(r->socket);
    *ret = r;
    return 0;
}

void rtnl_close(struct rtnl *r)
{
    if (r != NULL && r->socket != NULL) {
        mnl_socket_close(r->socket);
    }
    free(r);
}

static struct nlmsghdr *begin(struct rtnl *r, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(r->out);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    h->nlmsg_seq = ++r->seq;
    return h;
}

static struct nlmsghdr *begin_link(struct rtnl *r, uint16_t type, uint16_t flags, uint32_t index)
{
    struct nlmsghdr *h = begin(r, type, flags);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->ifi_family = AF_UNSPEC;
    m->ifi_index = (int)index;
    return h;
}

/* Send and wait for the answer; 0 or a negative errno. cb may be NULL. */
static int ask(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
    int rv;
    if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0) {
        return -errno;
    }
    do {
        ssize_t n = mnl_socket_recvfrom(r->socket, r->in, sizeof r->in);
        if (n < 0) {
            return -errno;
        }
        rv = mnl_cb_run(r->in, (size_t)n, r->seq, r->port, cb, data);
    } while (rv > 0);
    return rv < 0 ? -errno : 0;
}

static int result(int rv, int fine, struct err *err, const char *what, const char *name)
{
    if (rv == 0 || rv == -fine) {
        return 0;
    }
    return err_set(err,
                   rv == -ENODEV  ? ERR_NOTFOUND
                   : rv == -EPERM ? ERR_DENIED
                                  : ERR_IO,
                   "%s %s: %s", what, name, strerror(-rv));
}

static int index_cb(const struct nlmsghdr *h, void *data)
{
    const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
    uint32_t *index = data;
    *index = (uint32_t)m->ifi_index;
    return MNL_CB_OK;
}

int rtnl_index(struct rtnl *r, const char *name, uint32_t *ret, struct err *err)
{
    uint32_t index = 0;
    struct nlmsghdr *h = begin_link(r, RTM_GETLINK, 0, 0);
    int rv;
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    rv = ask(r, h, index_cb, &index);
    if (rv != 0) {
        return result(rv, 0, err, "interface", name);
    }
    *ret = index;
    return 0;
}

int rtnl_add_bridge(struct rtnl *r, const char *name, const uint8_t mac[RTNL_MAC_LEN],
                    struct err *err)
{
    struct nlmsghdr *h = begin_link(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    struct nlattr *info;
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    mnl_attr_put(h, IFLA_ADDRESS, RTNL_MAC_LEN, mac);
    info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(h, info);
    return result(ask(r, h, NULL, NULL), EEXIST, err, "add bridge", name);
}

static int try_veth(struct rtnl *r, const char *name, uint32_t bridge, const char *peer,
                    const uint8_t mac[RTNL_MAC_LEN], int netns_fd)
{
    struct nlmsghdr *h = begin(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    struct nlattr *info;
    struct nlattr *data;
    struct nlattr *other;
    m->ifi_flags = IFF_UP;
    m->ifi_change = IFF_UP;
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    mnl_attr_put_u32(h, IFLA_MASTER, bridge);
    info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
    other = mnl_attr_nest_start(h, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(h, sizeof *m); /* Zeroed. */
    mnl_attr_put_strz(h, IFLA_IFNAME, peer);
    mnl_attr_put(h, IFLA_ADDRESS, RTNL_MAC_LEN, mac);
    mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    mnl_attr_nest_end(h, other);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    return ask(r, h, NULL, NULL);
}

int rtnl_add_veth(struct rtnl *r, const char *name, uint32_t bridge, const char *peer,
                  const uint8_t mac[RTNL_MAC_LEN], int netns_fd, struct err *err)
{
    int rv = try_veth(r, name, bridge, peer, mac, netns_fd);
    if (rv == -EEXIST) {
        rv = rtnl_delete_link(r, name, err);
        if (rv != 0) {
            return rv;
        }
        rv = try_veth(r, name, bridge, peer, mac, netns_fd);
    }
    return result(rv, 0, err, "add veth", name);
}

int rtnl_set_hairpin(struct rtnl *r, uint32_t index, struct err *err)
{
    struct nlmsghdr *h = begin(r, RTM_SETLINK, 0);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    struct nlattr *port;
    m->ifi_family = AF_BRIDGE;
    m->ifi_index = (int)index;
    port = mnl_attr_nest_start(h, IFLA_PROTINFO);
    mnl_attr_put_u8(h, IFLA_BRPORT_MODE, 1);
    mnl_attr_nest_end(h, port);
    return result(ask(r, h, NULL, NULL), 0, err, "hairpin", "");
}

int rtnl_set_up(struct rtnl *r, uint32_t index, struct err *err)
{
    struct nlmsghdr *h = begin(r, RTM_NEWLINK, 0);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->ifi_index = (int)index;
    m->ifi_flags = IFF_UP;
    m->ifi_change = IFF_UP;
    return result(ask(r, h, NULL, NULL), 0, err, "set up", "interface");
}

int rtnl_add_address(struct rtnl *r, uint32_t index, uint32_t ip, uint8_t prefix, struct err *err)
{
    struct nlmsghdr *h = begin(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    uint32_t broadcast = ip | (prefix == 32 ? 0 : UINT32_MAX >> prefix);
    m->ifa_family = AF_INET;
    m->ifa_prefixlen = prefix;
    m->ifa_index = index;
    mnl_attr_put_u32(h, IFA_LOCAL, htonl(ip));
    mnl_attr_put_u32(h, IFA_ADDRESS, htonl(ip));
    mnl_attr_put_u32(h, IFA_BROADCAST, htonl(broadcast));
    return result(ask(r, h, NULL, NULL), EEXIST, err, "add", "address");
}

int rtnl_add_default_route(struct rtnl *r, uint32_t index, uint32_t gateway, struct err *err)
{
    struct nlmsghdr *h = begin(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
    m->rtm_family = AF_INET;
    m->rtm_table = RT_TABLE_MAIN;
    m->rtm_protocol = RTPROT_STATIC;
    m->rtm_scope = RT_SCOPE_UNIVERSE;
    m->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(h, RTA_GATEWAY, htonl(gateway));
    mnl_attr_put_u32(h, RTA_OIF, index);
    return result(ask(r, h, NULL, NULL), EEXIST, err, "add", "default route");
}

int rtnl_delete_link(struct rtnl *r, const char *name, struct err *err)
{
    struct nlmsghdr *h = begin_link(r, RTM_DELLINK, 0, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    return result(ask(r, h, NULL, NULL), ENODEV, err, "delete", name);
}
