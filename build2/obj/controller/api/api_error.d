build2/obj/controller/api/api_error.o: controller/api/api_error.c \
 controller/api/api_error.h common/base/err.h common/net/grpc.h \
 common/base/str.h common/net/http.h common/base/buf.h common/base/mem.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h controller/core/command.h \
 controller/core/model.h common/base/id.h
controller/api/api_error.h:
common/base/err.h:
common/net/grpc.h:
common/base/str.h:
common/net/http.h:
common/base/buf.h:
common/base/mem.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
