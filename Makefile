# The whole build. Everything made lies in .build/, the programs in bin/.
#
#   make                 libsk.a and the programs
#   make check           all tests, then the C tests again under sanitizers
#   make check-long      the same with large counts
#   make SAN=address,undefined [check]   an instrumented build of its own
#   make check-cuda-host the cuda backend's kernels on the CPU, under sanitizers (part of make check)
#   make analyze         cppcheck and gcc -fanalyzer on the sources
#   make fuzz            tests/fuzz under clang's libFuzzer (check-long runs it)
#   make cuda            the plug-in for NVIDIA GPUs, where nvcc is; check-gpu and bench-gpu test it there
#   make quickstart | bench | install | clean
#   V=1                  show the commands
#
# CC, CFLAGS, LDFLAGS, PREFIX and DESTDIR may be set as usual.

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -g
PREFIX ?= /usr/local
SAN ?=

V ?=
Q := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
DIALECT := -std=c11 -D_GNU_SOURCE -ffp-contract=off -Isrc -I.
LIBS := -lz -ljansson -luuid -lxxhash -lpthread -ldl -lm
ISA_FLAGS.v3 := -O3 -DSK_ISA=v3 -march=x86-64-v3
ISA_FLAGS.v4 := -O3 -DSK_ISA=v4 -march=x86-64-v4 -mprefer-vector-width=512
ISA_FLAGS.bf16 := -O3 -march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512
ISA_FLAGS.amx := -O3 -march=x86-64-v4 -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8 -mprefer-vector-width=512
ISA_FLAGS.vnni := -O3 -march=x86-64-v4 -mavx512vnni -mprefer-vector-width=512

ifeq ($(SAN),)
B := .build
BIN := bin
COMPILE = $(CC) $(DIALECT) -O2 $(WARNINGS) -Werror $(CFLAGS)
else
# Instrumented code draws warnings of its own: they are no errors here.
B := .build/$(SAN)
BIN := $(B)/bin
COMPILE = $(CC) $(DIALECT) -O2 $(WARNINGS) $(CFLAGS) -fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
LINK_SAN := -fsanitize=$(SAN)
endif

SRC := $(sort $(shell find src lockd -name '*.c'))
ISA := $(filter %_isa.c,$(SRC))
OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out %_isa.c,$(SRC))) \
	$(patsubst %.c,$(B)/%.v3.o,$(ISA)) $(patsubst %.c,$(B)/%.v4.o,$(ISA))
MAINS := $(patsubst %.c,$(B)/main/%.o,$(wildcard bin/sk-*.c))
PROGRAMS := $(patsubst bin/%.c,$(BIN)/%,$(wildcard bin/sk-*.c))
C_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/*_test.c))
PRELOADS := $(patsubst tests/%.c,.build/tests/%.so,$(wildcard tests/preload_*.c))
SCRIPTS := $(sort $(wildcard tests/*.t))

# The cuda backend on its stand-in for hosts: tests of operations and models, built
# a second time, and a plug-in for the programs. All of it needs g++.
CXX_HERE := $(shell command -v $(CXX) 2>/dev/null)
CUDA_TESTS := $(patsubst %,$(B)/tests/cuda_%_test,math_reference math_layer math_rows math_decode math_recurrent optimizer \
	transformer rnn)
CUDA_HOST := $(patsubst %.cu,$(B)/cuda-host/%.o,$(filter-out %_lt.cu,$(wildcard src/math/cuda/*.cu))) \
	$(patsubst %.cc,$(B)/cuda-host/%.o,$(wildcard tests/cuda-host/*.cc))
ifneq ($(CXX_HERE),)
ifeq ($(SAN),)
PRELOADS += .build/tests/sk-cuda-host.so
else
C_TESTS += $(CUDA_TESTS)
endif
endif

# The plug-in for sentencepiece, where g++ and the library's headers are; any build of the programs loads it.
ifneq ($(CXX_HERE),)
ifeq ($(shell echo '\#include <sentencepiece_processor.h>' | $(CXX) -E -x c++ - >/dev/null 2>&1 && echo yes),yes)
PIECES := bin/libsk-sentencepiece.so
endif
endif

# Sub-makes build in parallel unless the caller decided.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all tests check check-here check-long check-cuda-host check-cuda-tests fuzz analyze cuda gpu-tests check-gpu bench-gpu quickstart bench install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(B)/libsk.a $(PIECES)
tests: $(C_TESTS) $(PRELOADS) $(B)/tests/fuzz/fuzz

# What is written into these changes only if the list or the flags do.
define kept
	@mkdir -p $(@D)
	@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@
endef
$(B)/objects: FORCE
	$(call kept,$(OBJ))
$(B)/flags: FORCE
	$(call kept,'$(subst ','\'',$(COMPILE) $(ISA_FLAGS.v3) $(ISA_FLAGS.v4) $(ISA_FLAGS.bf16) $(ISA_FLAGS.vnni))')

# Says which package lacks before the compiler drowns it in errors.
HEADERS := zlib.h=zlib1g-dev jansson.h=libjansson-dev uuid/uuid.h=uuid-dev xxhash.h=libxxhash-dev \
	ucp/api/ucp.h=libucx-dev
.build/headers:
	@mkdir -p .build
	@command -v $(firstword $(CC)) >/dev/null || { \
		echo "make: there is no compiler '$(CC)': Debian package gcc; contrib/setup installs it" >&2; exit 1; }
	@bad=; for pair in $(HEADERS); do \
		echo "#include <$${pair%=*}>" | $(CC) $(CFLAGS) -E -x c - >/dev/null 2>&1 || { bad=1; \
		echo "make: the header $${pair%=*} is missing: Debian package $${pair#*=}; contrib/setup installs it" >&2; }; \
	done; [ -z "$$bad" ]
	@touch $@

$(B)/%.v3.o: %.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) $(ISA_FLAGS.v3) -MMD -MP -c -o $@ $<
$(B)/%.v4.o: %.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) $(ISA_FLAGS.v4) -MMD -MP -c -o $@ $<
$(B)/%_bf16.o: %_bf16.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) $(ISA_FLAGS.bf16) -MMD -MP -c -o $@ $<
$(B)/%_amx.o: %_amx.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) $(ISA_FLAGS.amx) -MMD -MP -c -o $@ $<
$(B)/%_vnni.o: %_vnni.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) $(ISA_FLAGS.vnni) -MMD -MP -c -o $@ $<
$(B)/%.o: %.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<
$(B)/main/%.o: %.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(B)/libsk.a: $(OBJ) $(B)/objects
	@rm -f $@
	$(if $(V),,@echo '  AR  $@')
	$(Q)$(AR) rcs $@ $(OBJ)

$(BIN)/sk-%: $(B)/main/bin/sk-%.o $(B)/libsk.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $(CFLAGS) $(LINK_SAN) $(LDFLAGS) -o $@ $< $(B)/libsk.a $(LIBS)
$(B)/tests/%_test: $(B)/tests/%_test.o $(B)/libsk.a
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $(CFLAGS) $(LINK_SAN) $(LDFLAGS) -o $@ $< $(B)/libsk.a $(LIBS)

bin/libsk-sentencepiece.so: src/text/sentencepiece/plugin.cc src/text/sentencepiece/plugin.h | .build/headers
	$(if $(V),,@echo '  CXX $@')
	$(Q)$(CXX) -std=c++17 -O2 -Wall -Wextra -Werror -Isrc $(CFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $< -lsentencepiece

# --- readers against any bytes (tests/fuzz): with clang's libFuzzer, or by mutate.c ---
FUZZ := $(patsubst %.c,$(B)/%.o,$(filter-out $(if $(findstring fuzzer,$(SAN)),%/mutate.c),$(wildcard tests/fuzz/*.c)))
$(B)/tests/fuzz/fuzz: $(FUZZ) $(B)/libsk.a
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $(CFLAGS) $(LINK_SAN) $(if $(findstring fuzzer,$(SAN)),-fsanitize=fuzzer) $(LDFLAGS) -Wl,--wrap=exit -o $@ $^ $(LIBS)
# Built by clang, whose libFuzzer learns which inputs reach new code.
fuzz:
	@$(MAKE) --no-print-directory $(JOBS) CC=clang SAN=fuzzer-no-link,address,undefined \
		.build/fuzzer-no-link,address,undefined/tests/fuzz/fuzz

# --- the cuda backend on the CPU (tests/cuda-host) ---
CUDA_CXX = $(CXX) -std=c++20 -x c++ -D_GNU_SOURCE -ffp-contract=off -Isrc -I. -Itests/cuda-host -DSK_BLOCK_WARPS=2 -O2 -fPIC \
	-fvisibility=hidden -Wall -Wextra -Wno-unknown-pragmas $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) \
	-fno-sanitize-recover=all,-Werror)
$(B)/cuda-host/%.o: %.cu $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CXX $@')
	$(Q)$(CUDA_CXX) -MMD -MP -c -o $@ $<
# What stands in for CUDA is not what is to be checked, and has most to do.
$(B)/cuda-host/%.o: %.cc $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CXX $@')
	$(Q)$(CUDA_CXX) $(if $(findstring address,$(SAN)),-DCUDA_HOST_ASAN) -fno-sanitize=all -O3 -march=x86-64-v3 \
		-MMD -MP -c -o $@ $<
# A new file is no reason to make an archive that is younger; that the list changed is.
$(B)/cuda-objects: FORCE
	$(call kept,$(CUDA_HOST))
$(B)/cuda-host.a: $(CUDA_HOST) $(B)/cuda-objects
	@rm -f $@
	$(if $(V),,@echo '  AR  $@')
	$(Q)$(AR) rcs $@ $(CUDA_HOST)
$(B)/tests/cuda_%_test.o: tests/%_test.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) -DSK_TEST_CUDA -MMD -MP -c -o $@ $<
$(B)/tests/cuda_%_test: $(B)/tests/cuda_%_test.o $(B)/libsk.a $(B)/cuda-host.a
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CXX) $(CFLAGS) $(LINK_SAN) $(LDFLAGS) -o $@ $< $(B)/libsk.a $(B)/cuda-host.a $(LIBS)
.build/tests/sk-cuda-host.so: $(CUDA_HOST) $(B)/cuda-objects
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CXX) $(CFLAGS) -shared -o $@ $(CUDA_HOST)

# --- the cuda backend for GPUs: a plug-in, so that all else is built without nvcc ---
NVCC ?= $(or $(shell command -v nvcc 2>/dev/null),/usr/local/cuda/bin/nvcc)
CUDA_ARCH ?= 80 90 100
CUDA_LIBS = $(patsubst %/bin/nvcc,%/lib64,$(NVCC))
NVCC_FLAGS = -std=c++20 -O3 --fmad=false -Isrc -I. $(foreach a,$(CUDA_ARCH),-gencode arch=compute_$(a)$(,)code=sm_$(a)) \
	-gencode arch=compute_$(lastword $(CUDA_ARCH)),code=compute_$(lastword $(CUDA_ARCH)) \
	-Xcompiler -fPIC,-fvisibility=hidden
, := ,
CUDA_OBJ := $(patsubst %.cu,.build/cuda/%.o,$(wildcard src/math/cuda/*.cu))
cuda: bin/libsk-cuda.so
.build/cuda/%.o: %.cu
	@command -v $(NVCC) >/dev/null || { echo "make: there is no '$(NVCC)': install the CUDA toolkit (12.8 or later), \
	or say NVCC=..." >&2; exit 1; }
	@mkdir -p $(@D)
	$(if $(V),,@echo '  NVCC $@')
	$(Q)$(NVCC) $(NVCC_FLAGS) -Xptxas -v -MMD -MP -c -o $@ $< 2>$(@:.o=.ptxas) || { cat $(@:.o=.ptxas) >&2; exit 1; }
bin/libsk-cuda.so: $(CUDA_OBJ)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(NVCC) -shared -o $@ $(CUDA_OBJ) -L$(CUDA_LIBS) -lcublasLt -Xlinker -rpath,$(CUDA_LIBS)

# The same tests on a GPU, whose memory tests/gpu/memory.cu makes theirs.
GPU_TESTS := $(patsubst $(B)/tests/%,.build/gpu/tests/%,$(CUDA_TESTS))
GPU_OBJ := $(patsubst %.cu,.build/gpu/%.o,$(wildcard src/math/cuda/*.cu) tests/gpu/memory.cu)
WRAPPED := malloc calloc realloc free aligned_alloc posix_memalign
gpu-tests: all tests cuda $(GPU_TESTS)
.build/gpu/%.o: %.cu
	@mkdir -p $(@D)
	$(if $(V),,@echo '  NVCC $@')
	$(Q)$(NVCC) $(NVCC_FLAGS) -DSK_CUDA_TEST -MMD -MP -c -o $@ $<
.build/gpu/tests/%_test: .build/gpu/tests/%_test.o .build/libsk.a $(GPU_OBJ)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(NVCC) -cudart shared -o $@ $< $(addprefix -Xlinker --wrap=,$(WRAPPED)) .build/libsk.a $(GPU_OBJ) -L$(CUDA_LIBS) -lcublasLt \
		-Xlinker -rpath,$(CUDA_LIBS) $(LIBS)
.build/gpu/tests/cuda_%_test.o: tests/%_test.c $(B)/flags | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(COMPILE) -DSK_TEST_CUDA -MMD -MP -c -o $@ $<
check-gpu bench-gpu:
	@tests/gpu/$(@:-gpu=)

# Never instrumented: they are loaded into any build of the programs.
.build/tests/preload_%.so: tests/preload_%.c | .build/headers
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(CC) $(DIALECT) -O2 $(WARNINGS) -Werror $(CFLAGS) -fPIC -shared -o $@ $< -ldl

# A preloaded library comes before the sanitizers' own, and programs that end
# need not free what the system takes back; C tests do.
check-here: export SK_BIN := $(CURDIR)/$(BIN)
check-here: export SK_BUILD := $(CURDIR)/$(B)
check-here: export SK_PLUGIN_CUDA :=
ifneq ($(PIECES),)
check-here: export SK_PLUGIN_SENTENCEPIECE := $(CURDIR)/$(PIECES)
endif
check-here: export ASAN_OPTIONS := verify_asan_link_order=0:detect_leaks=0
check-here: export UBSAN_OPTIONS := print_stacktrace=1
check-here: all tests
	@tests/run $(B)/log $(C_TESTS) $(or $(ONLY_SCRIPTS),$(SCRIPTS))

# Scripts that ask for it by a line "# sanitized" also run under sanitizers
# as part of `make check`.
ifeq ($(SAN),)
LOGS := .build/log .build/address,undefined/log
else
LOGS := $(B)/log
endif
# Under sanitizers, as make check has it.
check-cuda-host:
ifeq ($(CXX_HERE),)
	@echo "SKIP: the C++ compiler '$(CXX)' is missing (Debian package g++)"
else
	@$(MAKE) --no-print-directory $(JOBS) SAN=address,undefined check-cuda-tests
check-cuda-tests: export ASAN_OPTIONS := verify_asan_link_order=0:detect_leaks=0
check-cuda-tests: $(CUDA_TESTS)
	@tests/run $(B)/log-cuda $(CUDA_TESTS)
endif

check:
	@contrib/setup --check tests || contrib/setup tests
	@status=0; rm -rf $(LOGS); \
	$(MAKE) --no-print-directory $(JOBS) check-here || status=1; \
	[ -n "$(SAN)" ] || $(MAKE) --no-print-directory $(JOBS) SAN=address,undefined check-here \
		ONLY_SCRIPTS="$$(grep -l '^# sanitized' tests/*.t | tr '\n' ' ')" || status=1; \
	tests/run --report $(LOGS) || status=1; exit $$status

# Static analysis: cppcheck and gcc -fanalyzer, some minutes.
analyze:
	@tests/analyze

check-long:
	SK_LONG=1 SK_TEST_TIMEOUT=$${SK_TEST_TIMEOUT:-3600} $(MAKE) check

quickstart:
	@contrib/setup --check quickstart || contrib/setup quickstart
	@$(MAKE) --no-print-directory $(JOBS) all
	@contrib/quickstart

# make bench PARTS="train translate": tests/bench/run --help lists the parts
PARTS ?=
bench: all $(B)/products
	@tests/bench/run $(PARTS)
$(B)/products: $(B)/tests/bench/products.o $(B)/libsk.a
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $(CFLAGS) $(LINK_SAN) $(LDFLAGS) -o $@ $< $(B)/libsk.a $(LIBS)

# Completion asks the programs themselves; bash-completion looks for a file
# under each program's name.
SHARE = $(DESTDIR)$(PREFIX)/share
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/man/man5 $(SHARE)/bash-completion/completions \
		$(SHARE)/sk/jobs $(SHARE)/sk/autopilot
	install $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	for p in cuda sentencepiece; do [ ! -f bin/libsk-$$p.so ] || \
		install -D bin/libsk-$$p.so $(DESTDIR)$(PREFIX)/lib/sk/libsk-$$p.so; done
	install -m 644 $(wildcard bin/*.1) $(SHARE)/man/man1
	install -m 644 $(wildcard bin/*.5) $(SHARE)/man/man5
	install $(wildcard jobs/*.sh) $(SHARE)/sk/jobs
	install -m 644 $(filter-out %.sh,$(wildcard jobs/*)) $(SHARE)/sk/jobs
	install contrib/autopilot/sk-autopilot $(SHARE)/sk/autopilot
	install -m 644 $(filter-out %/sk-autopilot %.1,$(wildcard contrib/autopilot/*)) $(SHARE)/sk/autopilot
	install -m 644 contrib/autopilot/sk-autopilot.1 $(SHARE)/man/man1
	ln -sf ../share/sk/autopilot/sk-autopilot $(DESTDIR)$(PREFIX)/bin/sk-autopilot
	install -m 644 contrib/completion.bash $(SHARE)/bash-completion/completions/sk-completion
	for p in $(notdir $(PROGRAMS)) sk-autopilot; do ln -sf sk-completion $(SHARE)/bash-completion/completions/$$p; done

clean:
	rm -rf .build
	rm -f $(patsubst %.c,%,$(wildcard bin/sk-*.c)) bin/libsk-cuda.so bin/libsk-sentencepiece.so

-include $(patsubst %.o,%.d,$(OBJ) $(MAINS) $(CUDA_HOST) $(CUDA_OBJ) $(C_TESTS:=.o) $(B)/tests/bench/products.o $(FUZZ))
