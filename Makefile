# ecs: an Elastic Container Service for machines people own.
#
# Out-of-tree build under $(BUILD). Folders are layers (docs/architecture.md); each top-level folder
# becomes one archive, each program links the archives it may use. Add a .c file and it is built;
# add tests/unit/AREA/.../test_x.c and it runs.

BUILD   ?= build
ifeq ($(origin CC),default)
CC      := gcc
endif
OPT     ?= -O2
SAN     ?=
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
Q       := $(if $(V),,@)

comma   := ,
ifneq ($(SAN),)
override BUILD := $(BUILD)-$(subst $(comma),-,$(SAN))
endif
# For the simulator: rare turns (common/base/buggify.h) and planted faults (common/base/plant.h).
ifneq ($(SIM),)
override BUILD := $(BUILD)-sim
endif
san_tsan  := $(findstring tsan,$(SAN))
SANFLAGS  := $(if $(findstring asan,$(SAN)),-fsanitize=address) \
             $(if $(findstring ubsan,$(SAN)),-fsanitize=undefined -fno-sanitize-recover=all) \
             $(if $(san_tsan),-fsanitize=thread) \
             $(if $(SAN),-fno-omit-frame-pointer)
FORTIFY   := $(if $(SAN),,-D_FORTIFY_SOURCE=2)

WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum -Wmissing-prototypes -Werror
HARDEN   := -fstack-protector-strong $(FORTIFY) -fPIE -ffunction-sections -fdata-sections
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DECS_VERSION='"$(VERSION)"' $(if $(SIM),-DSIMULATION) $(DEFS)
CFLAGS   += -std=c11 $(OPT) -g $(HARDEN) $(SANFLAGS) $(FUZZFLAGS)
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed $(SANFLAGS)

COMMON_LIBS := -lnghttp2 -lhttp_parser -ljansson -lssl -lcrypto -luv -lpthread -lm
CTRL_LIBS   := -lraft -lprotobuf-c -lsqlite3 $(COMMON_LIBS)
AGENT_LIBS  := -lprotobuf-nanopb -lsqlite3 -lseccomp -lmnl -larchive $(COMMON_LIBS)
ADMIN_LIBS  := -llpsolve55_pic -lcolamd -ldl $(CTRL_LIBS)
CHECK_LIBS  := -lcheck -lsubunit -lrt -lm

# --- sources -------------------------------------------------------------------------------------
common_src     := $(wildcard common/*/*.c)
controller_src := $(wildcard controller/*/*.c controller/*/*/*.c)
agent_src      := $(filter-out agent/shim/% agent/unpack/%,$(wildcard agent/*/*.c))
admin_src      := $(filter-out admin/main.c,$(wildcard admin/*.c admin/*/*.c))
# fail_alloc.c defines malloc(), so it must not be found by everybody who looks for that.
testlib_src    := $(filter-out tests/lib/fail_alloc.c,$(wildcard tests/lib/*.c)) $(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c))
protos         := $(sort $(wildcard proto/ecs/*.proto proto/ecs/*/*.proto proto/ecs/*/*/*.proto proto/grpc/*/*/*.proto))
nano_protos    := proto/ecs/agent/v1/agent.proto

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
pbc_c   := $(patsubst proto/%.proto,$(BUILD)/gen/proto/%.pb-c.c,$(protos)) \
           $(BUILD)/gen/google/protobuf/descriptor.pb-c.c $(BUILD)/gen/google/protobuf/timestamp.pb-c.c
nano_c  := $(patsubst proto/%.proto,$(BUILD)/gen/proto/%.pb.c,$(wildcard $(nano_protos)))
pbc_obj := $(pbc_c:.c=.o) $(BUILD)/gen/descriptor_set.o

lib_common     := $(BUILD)/lib/libcommon.a
lib_controller := $(BUILD)/lib/libcontroller.a
lib_agent      := $(BUILD)/lib/libagent.a
lib_admin      := $(BUILD)/lib/libadmin.a
lib_pbc        := $(BUILD)/lib/libprotoc.a
lib_nano       := $(BUILD)/lib/libprotonano.a
lib_test       := $(BUILD)/lib/libtest.a
lib_agentcore  := $(BUILD)/lib/libagentcore.a
lib_agentmsg   := $(BUILD)/lib/libagentmsg.a

BIN := $(if $(wildcard controller/main.c),$(BUILD)/bin/ecs-controller) \
       $(if $(wildcard agent/main.c),$(BUILD)/bin/ecs-agent) \
       $(if $(wildcard agent/shim/main.c),$(BUILD)/bin/ecs-shim) \
       $(if $(wildcard agent/unpack/main.c),$(BUILD)/bin/ecs-unpack) \
       $(if $(wildcard admin/main.c),$(BUILD)/bin/ecs-admin)

# --- the targets of `make help` --------------------------------------------------------------------
.PHONY: all demo test test-unit test-properties test-integration test-e2e test-attack test-guest golden test-runbooks bench fuzz sim chaos soak lint format install \
        uninstall clean help build-tests deps man

all: $(BIN) man ## build the programs under build/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what building and running needs (apt; root or sudo)
	@deploy/deps.sh

demo: deps ## bare machine to a running service: deps, build, lab, six tasks on three nodes
	@$(MAKE) --no-print-directory all
	@deploy/lab/demo

test: deps ## install what is needed, build, run unit, integration and end-to-end tests
	@$(MAKE) --no-print-directory all build-tests
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-integration
	@$(MAKE) --no-print-directory test-e2e

# --- generated code ---------------------------------------------------------------------------------
.SECONDARY:
# protoc-c's own options go into a copy, so that the public files need nothing but protobuf's: no
# helpers per message (protobuf_c_message_pack() and its like serve them all), and another name for
# the header of the one message that has a field called base.
$(BUILD)/pbc/proto/%.proto: proto/%.proto
	@mkdir -p $(@D)
	@awk '{ print } \
	    /^package / { print "import \"protobuf-c/protobuf-c.proto\";"; \
	                  print "option (pb_c_file).gen_pack_helpers = false;"; \
	                  print "option (pb_c_file).gen_init_helpers = false;" } \
	    /^message CapacityProviderStrategyItem / { \
	                  print "option (pb_c_msg).base_field_name = \"header\";" }' $< > $@

pbc_copies := $(patsubst %,$(BUILD)/pbc/%,$(protos))
$(BUILD)/gen/proto/%.pb-c.c $(BUILD)/gen/proto/%.pb-c.h &: $(BUILD)/pbc/proto/%.proto | $(pbc_copies)
	@mkdir -p $(BUILD)/gen
	$(Q)protoc-c -I$(BUILD)/pbc -I/usr/include --c_out=$(BUILD)/gen $<

$(BUILD)/gen/google/protobuf/%.pb-c.c $(BUILD)/gen/google/protobuf/%.pb-c.h &:
	@mkdir -p $(BUILD)/gen
	$(Q)protoc-c --c_out=$(BUILD)/gen google/protobuf/$*.proto

$(BUILD)/gen/proto/%.pb.c $(BUILD)/gen/proto/%.pb.h &: proto/%.proto proto/%.options
	@mkdir -p $(BUILD)/gen
	$(Q)protoc -I. --plugin=protoc-gen-nanopb=/usr/bin/protoc-gen-nanopb --nanopb_out=$(BUILD)/gen $<

# The descriptor set of the public services, served by gRPC reflection.
public_protos := $(filter proto/ecs/v1/% proto/ecs/admin/v1/% proto/grpc/%,$(protos))
$(BUILD)/gen/descriptor_set.bin: $(public_protos)
	@mkdir -p $(BUILD)/gen
	$(Q)protoc -I. --include_imports --descriptor_set_out=$@ $(public_protos)

$(BUILD)/gen/descriptor_set.c: $(BUILD)/gen/descriptor_set.bin
	@{ echo '#include <stddef.h>'; \
	   echo 'extern const unsigned char ecs_descriptor_set[]; extern const size_t ecs_descriptor_set_len;'; \
	   echo 'const unsigned char ecs_descriptor_set[] = {'; od -An -v -tu1 $< | sed 's/\([0-9]\+\)/\1,/g'; \
	   echo '};'; echo 'const size_t ecs_descriptor_set_len = sizeof ecs_descriptor_set;'; } > $@

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	@echo "cc $<"
	$(Q)$(CC) $(CPPFLAGS) -std=c11 $(if $(SAN),-O1,-Os) $(HARDEN) $(SANFLAGS) -w -MMD -MP -c -o $@ $<

# --- objects and archives ---------------------------------------------------------------------------
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "cc $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

# Generated headers exist before anything that may include them is compiled.
gen_hdr := $(pbc_c:.c=.h)
nano_hdr := $(nano_c:.c=.h)
$(call objs,$(controller_src) $(admin_src) controller/main.c admin/main.c): | $(gen_hdr)
$(call objs,$(agent_src) agent/main.c): | $(nano_hdr)
$(pbc_obj): | $(gen_hdr)
$(nano_c:.c=.o): | $(nano_hdr)

define archive
	@mkdir -p $(@D)
	@rm -f $@
	@ar qcs $@ $(filter %.o,$^)
endef
$(lib_common): $(call objs,$(common_src)) ; $(archive)
$(lib_controller): $(call objs,$(controller_src)) ; $(archive)
$(lib_agent): $(call objs,$(agent_src)) ; $(archive)
$(lib_admin): $(call objs,$(admin_src)) ; $(archive)
# The simulator links both cores; the other parts of controller and agent share names.
$(lib_agentcore): $(call objs,$(wildcard agent/core/*.c)) ; $(archive)
# Its codec too, whose wire_encode() and wire_decode() stay its own.
$(BUILD)/obj/agentmsg.o: $(call objs,agent/link/message.c agent/link/wire.c)
	$(Q)ld -r -o $@.tmp $^ && objcopy --localize-symbol=wire_encode --localize-symbol=wire_decode $@.tmp $@ && rm $@.tmp
$(lib_agentmsg): $(BUILD)/obj/agentmsg.o ; $(archive)
$(lib_pbc): $(pbc_obj) ; $(archive)
$(lib_nano): $(nano_c:.c=.o) ; $(archive)
$(lib_test): $(call objs,$(testlib_src)) Makefile ; $(archive)

# --- programs ---------------------------------------------------------------------------------------
link = @mkdir -p $(@D); echo "link $@"; $(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

$(BUILD)/bin/ecs-controller: $(call objs,controller/main.c) $(lib_controller) $(lib_pbc) $(lib_common)
	$(link) $(CTRL_LIBS)
$(BUILD)/bin/ecs-agent: $(call objs,agent/main.c) $(lib_agent) $(lib_nano) $(lib_common)
	$(link) $(AGENT_LIBS)
# The CLI shares the codec (JSON to protobuf) with the controller, and for the offline tools the log
# and checkpoint files; only those objects are linked.
$(BUILD)/bin/ecs-admin: $(call objs,admin/main.c) $(lib_admin) $(lib_controller) $(lib_pbc) $(lib_common)
	$(link) $(ADMIN_LIBS)
# The supervisor is static and small: one lives beside every container.
shim_src := $(wildcard agent/shim/*.c common/base/*.c)
$(BUILD)/bin/ecs-shim: $(shim_src) $(wildcard agent/shim/*.h common/base/*.h)
	@mkdir -p $(@D)
	@echo "link $@"
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -Os -g $(WARN) -ffunction-sections -fdata-sections -static \
	    -Wl,--gc-sections -o $@ $(shim_src)
$(BUILD)/bin/ecs-unpack: $(call objs,$(wildcard agent/unpack/*.c)) $(lib_common)
	$(link) -larchive -lseccomp -lcrypto

# --- tests --------------------------------------------------------------------------------------------
# tests/KIND/AREA/... links what AREA links: common, controller, agent, admin.
unit_src  := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | LC_ALL=C sort)
integ_src := $(shell find tests/integration -name 'test_*.c' 2>/dev/null | LC_ALL=C sort)
bench_src := $(shell find tests/bench -name '*.c' -not -path '*/fleet/*' 2>/dev/null | LC_ALL=C sort)
fuzz_src  := $(shell find tests/fuzz -name 'fuzz_*.c' 2>/dev/null | LC_ALL=C sort)
sim_src   := $(wildcard tests/sim/*.c)
attack_src := $(wildcard tests/attack/attack_*.c)
unit_bin  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(unit_src))
integ_bin := $(patsubst tests/%.c,$(BUILD)/tests/%,$(integ_src))
bench_bin := $(foreach f,$(bench_src),$(BUILD)/bench/$(basename $(notdir $(f))))
attack_bin := $(patsubst tests/%.c,$(BUILD)/%,$(attack_src))
fuzz_bin  := $(foreach f,$(fuzz_src),$(BUILD)/fuzz/$(basename $(notdir $(f))))

archives_common     := $(lib_common)
archives_controller := $(lib_controller) $(lib_pbc) $(lib_common)
archives_agent      := $(lib_agent) $(lib_nano) $(lib_common)
archives_sim        := $(lib_controller) $(lib_agentcore) $(lib_agentmsg) $(lib_pbc) $(lib_common)
archives_admin      := $(lib_admin) $(lib_controller) $(lib_pbc) $(lib_common)
libs_common     := $(COMMON_LIBS)
libs_controller := $(CTRL_LIBS)
libs_agent      := $(AGENT_LIBS)
libs_sim        := -lprotobuf-nanopb $(CTRL_LIBS)
libs_admin      := $(ADMIN_LIBS)

# $(1) output, $(2) source, $(3) area, $(4) extra libraries and flags
define test_program
$(1): $(call objs,$(2)) $(lib_test) $(archives_$(3))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -o $$@ -Wl,--start-group $$(filter %.o %.a,$$^) -Wl,--end-group $(4) $(libs_$(3))
$(call objs,$(2)): | $(gen_hdr) $(nano_hdr)
endef
# Not part of the agent's archive: ecs-unpack is a program of its own.
$(BUILD)/fuzz/fuzz_layer: $(call objs,agent/unpack/layer.c)
$(filter %/test_oom %/test_history_faults,$(unit_bin)): $(call objs,tests/lib/fail_alloc.c)
area = $(word 3,$(subst /, ,$(1)))
$(foreach f,$(unit_src) $(integ_src),$(eval $(call test_program,$(patsubst tests/%.c,$(BUILD)/tests/%,$(f)),$(f),$(call area,$(f)),$(CHECK_LIBS))))
$(foreach f,$(bench_src),$(eval $(call test_program,$(BUILD)/bench/$(basename $(notdir $(f))),$(f),$(call area,$(f)),-lz -lm)))
$(foreach f,$(fuzz_src),$(eval $(call test_program,$(BUILD)/fuzz/$(basename $(notdir $(f))),$(f),$(call area,$(f)),$(FUZZLINK) $(CHECK_LIBS))))
$(call objs,$(testlib_src)): | $(gen_hdr)

$(BUILD)/bin/ecs-sim: $(call objs,$(sim_src) tests/lib/history.c tests/lib/lincheck.c $(wildcard tests/lib/wgl*.c tests/lib/lincheck_*.c)) $(archives_sim)
	$(link) $(libs_sim)
$(call objs,$(sim_src)): | $(gen_hdr)

# Clients whose history is checked: the load of the chaos runs and of the failover benchmark.
load_src := $(wildcard tests/load/*.c)
$(BUILD)/bin/ecs-load: $(call objs,$(load_src)) $(lib_test) $(archives_admin)
	$(link) $(ADMIN_LIBS)
$(call objs,$(load_src)): | $(gen_hdr)

# Thousands of agents without containers, for benchmarks of the control plane.
fleet_src := $(wildcard tests/bench/fleet/*.c)
$(BUILD)/bin/ecs-fleet: $(call objs,$(fleet_src)) $(archives_agent)
	$(link) $(libs_agent)
$(call objs,$(fleet_src)): | $(nano_hdr)

# Preloaded into controllers in chaos runs: disks and clocks that fail on demand.
$(BUILD)/lib/libfaultfs.so: tests/e2e/chaos/faultfs.c
	@mkdir -p $(@D)
	@echo "link $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 -O2 -g -fPIC -shared $(WARN) -o $@ $< -lpthread

attack_lib := $(call objs,tests/attack/attack.c tests/attack/wire.c)
$(attack_bin): $(BUILD)/attack/%: $(BUILD)/obj/tests/attack/%.o $(attack_lib) $(archives_controller)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(CTRL_LIBS)
$(call objs,$(attack_src)): | $(gen_hdr)

build-tests: $(unit_bin) $(integ_bin)

test-unit: $(unit_bin) ## unit and property tests (Check)
	@tests/run-tests.sh $(BUILD) $(unit_bin)

property_bin := $(addprefix $(BUILD)/tests/unit/controller/core/placement/,test_place test_defrag test_preempt test_split)
test-properties: $(property_bin) ## the placement engine against naive rules, a million random cases each: [SEEDS=n]
	@for t in $(property_bin); do CK_DEFAULT_TIMEOUT=3600 PLACE_SEEDS=$(or $(SEEDS),17000) $$t || exit 1; done

test-integration: $(BIN) $(integ_bin) ## real controllers, sockets, TLS and log files; scripted runtime
	@tests/run-tests.sh $(BUILD) $(integ_bin) $(wildcard tests/integration/*.sh tests/integration/*/*.sh)

test-e2e: all $(BUILD)/bin/ecs-load ## the lab: namespaces, real containers, aws CLI and stock gRPC clients [E2E="agent lab"]
	@tests/run-tests.sh $(BUILD) $(if $(E2E),$(E2E:%=tests/e2e/test_%.sh),$(wildcard tests/e2e/test_*.sh))

test-runbooks: all ## every runbook of docs/operations.md carried out in a lab
	@tests/run-tests.sh $(BUILD) $(wildcard tests/e2e/runbooks/*.sh)

golden: $(BUILD)/tests/unit/controller/codec/test_replay ## write tests/replay/NAME.* with the code of today: NAME=v1.2.3
	@test -n "$(NAME)" || { echo "make golden NAME=v$(VERSION)" >&2; exit 2; }
	@ECS_REPLAY_WRITE=$(NAME) $<

test-attack: all $(attack_bin) ## attack a real cluster: peer port and front door (ATTACK_SECONDS, ATTACK_SEED)
	@BUILD=$(BUILD) tests/attack/run.sh

guest_tests := test_cgroup test_runtime test_unpack
test-guest: all $(addprefix $(BUILD)/tests/integration/agent/,$(guest_tests)) ## container tests in an emulated machine with cgroup2 only: [RUNTIME=runc]
	@BUILD=$(BUILD) tests/e2e/guest/run.sh $(if $(RUNTIME),--runtime $(RUNTIME)) $(guest_tests)

bench: all $(bench_bin) $(BUILD)/bin/ecs-load $(BUILD)/bin/ecs-fleet ## programs that measure; each prints a table and writes build/bench/NAME.json
	@for b in $(bench_bin); do $$b --json $$b.json $(BENCHFLAGS) || exit 1; done
	@for b in $(wildcard tests/bench/*.sh); do \
	    BUILD=$(BUILD) $$b --json $(BUILD)/bench/$$(basename $$b .sh).json || exit 1; done

# DEFS=-DPLANT=n builds the fault in; PLANT=n chooses it when the program starts.
sim_build := $(BUILD)$(patsubst -DPLANT=%,-plant%,$(filter -DPLANT=%,$(DEFS)))
sim: ## simulate the whole system with faults: SEED=n [RUNS=k | HOURS=h] [PLANT=n]
	@$(MAKE) --no-print-directory -s SIM=1 BUILD=$(sim_build) $(sim_build)-sim/bin/ecs-sim
	@$(sim_build)-sim/bin/ecs-sim --seed $(or $(SEED),1) --runs $(or $(RUNS),$(if $(HOURS),1,20)) \
	    $(if $(HOURS),--hours $(HOURS)) $(if $(PLANT),--plant $(PLANT))

chaos_build := $(BUILD)/bin/ecs-load $(BUILD)/lib/libfaultfs.so
chaos: all $(chaos_build) ## break a lab in every way under load: [SECONDS=n] [SEED=n] [ONLY=name,...] [EXCEPT=name,...] [MIXED=1]
	@BUILD=$(BUILD) tests/e2e/chaos/run.sh --seconds $(or $(SECONDS),25) --seed $(or $(SEED),1) \
	    $(if $(ONLY),--only $(ONLY)) $(if $(EXCEPT),--except $(EXCEPT)) $(if $(MIXED),--mixed) \
	    $(if $(MINUTES),--minutes $(MINUTES))

# Each part can be left out: MINUTES=0, MIXED_MINUTES=0, SIM_RUNS=0, HOURS=0.
soak: ## the long form: [MINUTES=30] of chaos, [MIXED_MINUTES=10] with two releases, [HOURS=24] and [SIM_RUNS=5000] simulated
	@[ "$(or $(MINUTES),30)" -eq 0 ] || \
	    $(MAKE) --no-print-directory chaos SECONDS=$(or $(SECONDS),25) MINUTES=$(or $(MINUTES),30)
	@[ "$(or $(MIXED_MINUTES),10)" -eq 0 ] || $(MAKE) --no-print-directory chaos \
	    MIXED=1 SECONDS=$(or $(SECONDS),25) MINUTES=$(or $(MIXED_MINUTES),10) ONLY= EXCEPT=
	@[ "$(or $(HOURS),24)" -eq 0 ] || \
	    $(MAKE) --no-print-directory sim SEED=$(or $(SEED),1) HOURS=$(or $(HOURS),24) RUNS=
	@[ "$(or $(SIM_RUNS),5000)" -eq 0 ] || \
	    $(MAKE) --no-print-directory sim SEED=$(or $(SEED),1) RUNS=$(or $(SIM_RUNS),5000) HOURS=

# libFuzzer needs clang; everything is built again with coverage under its own folder.
FUZZ_SECONDS ?= 60
fuzz: ## every parser of outside bytes, FUZZ_SECONDS each (ONLY=name for one)
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)-fuzz OPT=-O1 \
	    SANFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined' FORTIFY= \
	    FUZZFLAGS='-fsanitize=fuzzer-no-link' FUZZLINK='-fsanitize=fuzzer' fuzz-bins
	@tests/run-fuzz.sh $(BUILD)-fuzz/fuzz $(FUZZ_SECONDS) $(ONLY)
.PHONY: fuzz-bins
fuzz-bins: $(fuzz_bin)

# --- lint ---------------------------------------------------------------------------------------------
our_c := $(shell find common controller agent admin tests -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
lint: $(gen_hdr) $(nano_hdr) $(lib_common) $(lib_controller) $(lib_agent) ## folder rules, purity, sizes, format, cppcheck, clang-tidy
	@BUILD=$(BUILD) tests/lint/lint.sh $(TIDY)

format: ## rewrite the sources with clang-format
	@clang-format -i $(our_c)

# --- manual pages ---------------------------------------------------------------------------------------
man_src := $(wildcard docs/man/*.txt)
man: $(patsubst docs/man/%.txt,$(BUILD)/man/%,$(man_src))
$(BUILD)/man/%: docs/man/%.txt docs/man/mkman.awk
	@mkdir -p $(@D)
	@awk -f docs/man/mkman.awk -v version=$(VERSION) $< > $@

# --- install --------------------------------------------------------------------------------------------
completions := $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions/ecs-admin \
    zsh/site-functions/_ecs-admin fish/vendor_completions.d/ecs-admin.fish)
install: all ## programs, manual pages and completions under $(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	$(foreach m,$(patsubst docs/man/%.txt,%,$(man_src)),install -m 0644 $(BUILD)/man/$(m) $(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(m)))/$(m);)
	install -d $(dir $(completions))
	$(BUILD)/bin/ecs-admin completion bash > $(word 1,$(completions))
	$(BUILD)/bin/ecs-admin completion zsh > $(word 2,$(completions))
	$(BUILD)/bin/ecs-admin completion fish > $(word 3,$(completions))

uninstall: ## remove what install put there
	rm -f $(foreach b,$(notdir $(BIN)),$(DESTDIR)$(PREFIX)/bin/$(b)) $(completions)
	rm -f $(foreach m,$(patsubst docs/man/%.txt,%,$(man_src)),$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(m)))/$(m))

clean: ## remove everything that was built
	rm -rf build build-asan-ubsan build-tsan build-fuzz build-clang build-sim

-include $(shell find $(BUILD)/obj $(BUILD)/gen -name '*.d' 2>/dev/null)
