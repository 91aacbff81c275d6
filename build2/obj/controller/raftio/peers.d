build2/obj/controller/raftio/peers.o: controller/raftio/peers.c \
 controller/raftio/peers.h common/base/err.h common/base/mem.h \
 controller/raftio/message.h common/base/buf.h common/base/str.h \
 controller/raft/replica.h common/log/log.h common/base/id.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h controller/raft/conf.h
controller/raftio/peers.h:
common/base/err.h:
common/base/mem.h:
controller/raftio/message.h:
common/base/buf.h:
common/base/str.h:
controller/raft/replica.h:
common/log/log.h:
common/base/id.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
controller/raft/conf.h:
