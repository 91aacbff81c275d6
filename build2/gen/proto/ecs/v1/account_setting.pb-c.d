build2/gen/proto/ecs/v1/account_setting.pb-c.o: \
 build2/gen/proto/ecs/v1/account_setting.pb-c.c \
 build2/gen/proto/ecs/v1/account_setting.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h
build2/gen/proto/ecs/v1/account_setting.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
