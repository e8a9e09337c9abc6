# ./dev TARGET installs the Debian packages first; make TARGET takes them as given.
PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?= --change
BENCH ?=
BUG ?=
PYTEST_ARGS ?=
FUZZ_S ?= 60
VM_LIMIT ?= 90m
# Which Debian the package is tested in, by its release.
VM_RELEASE ?= bookworm
# What packages are built for: a Debian release and an architecture; without a word, this machine's.
RELEASE ?= $(shell . /etc/os-release && echo $$VERSION_CODENAME)
number = $(if $(filter trixie,$(1)),13,12)
ARCH ?= $(shell dpkg --print-architecture)

BIN := $(VENV)/bin
FIRMWARE_BUILD := build/mps2_an386
C_TEST_BUILD := build/ctest
POWER_LOSS_BUILD := build/power_loss
FUZZ_BUILD := build/fuzz
COVERAGE_BUILD := build/coverage
PYTHON_SOURCES := daemon gateway service tests bench packaging mcu_firmware/binding mcu_firmware/tests
TYPED_SOURCES := daemon gateway service tests bench packaging/deb packaging/debian mcu_firmware/tests
C_FILES := $(shell find mcu_firmware -name '*.[ch]')
# Folders stand in the list too: their time changes when a file is added or removed.
BUILT_SOURCES := pyproject.toml CMakeLists.txt packaging/fetch_c_sources.py $(shell find cmake proto \
	mcu_firmware/CMakeLists.txt mcu_firmware/core mcu_firmware/binding mcu_firmware/ports/host $(wildcard mcu_firmware/ports/*.[ch]) \
	-not -path '*/__pycache__*' -not -name '*.swp')

PACKAGED_SOURCES := LICENSE README.md THIRD_PARTY_NOTICES.md requirements.lock $(BUILT_SOURCES) $(shell find daemon docs gateway mcu_firmware \
	packaging service -type f -not -path '*/__pycache__/*' -not -name '*.swp' -not -name '*.so')
VM_PACKAGE := build/deb/attune_$(shell sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)+deb$(call number,$(VM_RELEASE))_amd64.deb

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of programs, and each would compile all of its modules first.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL := $(BIN)/python -m pip install -qq --no-build-isolation

.DEFAULT_GOAL := setup
.PHONY: setup demo test test-c power-loss test-power-loss test-python test-vm check firmware manual fuzz security-checks deb debs deb-alone debs-alone lintian piuparts bench clean

setup: $(VENV)/.project
	@:

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Attune needs Python 3.11 or later; name one, for instance: make PYTHON=/usr/bin/python3 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# What other packages are built with has to be there before them.
$(VENV)/.requirements: requirements.lock $(VENV)/.created
	awk '/^[a-z]/ { keep = /^(setuptools|wheel|packaging)==/ } keep' requirements.lock > $(VENV)/build-tools.lock
	$(PIP_INSTALL) --no-deps --require-hashes -r $(VENV)/build-tools.lock
	$(PIP_INSTALL) --no-deps --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.project: $(VENV)/.requirements $(BUILT_SOURCES)
	$(PIP_INSTALL) --no-deps --editable .
	@touch $@

demo: setup
	@$(BIN)/attune demo $(DEMO_ARGS)

test: test-c test-power-loss test-python

test-c: setup
	@cmake -G Ninja -S . -B $(C_TEST_BUILD) -DATTUNE_TESTS=ON -DCMAKE_BUILD_TYPE=Debug \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) --log-level=WARNING
	@cmake --build $(C_TEST_BUILD) -- --quiet
	ctest --test-dir $(C_TEST_BUILD) --parallel 2 --output-on-failure --no-tests=error

$(POWER_LOSS_BUILD)/build.ninja: setup
	@cmake -G Ninja -S . -B $(POWER_LOSS_BUILD) -DATTUNE_POWER_LOSS=ON -DCMAKE_BUILD_TYPE=Release \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) --log-level=WARNING

# Cuts the power of a node's flash at every operation; with BUG=1 to 5, that of a store with a planted bug.
power-loss: $(POWER_LOSS_BUILD)/build.ninja
	@cmake --build $(POWER_LOSS_BUILD) --target power-loss$(BUG:%=-bug%) -- --quiet
	@$(POWER_LOSS_BUILD)/mcu_firmware/tests/power_loss/power-loss$(BUG:%=-bug%)

# The same, and that each planted bug is caught.
test-power-loss: power-loss
	@cmake --build $(POWER_LOSS_BUILD) -- --quiet
	ctest --test-dir $(POWER_LOSS_BUILD)/mcu_firmware/tests/power_loss --parallel 2 --output-on-failure --no-tests=error

test-python: setup
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# In virtual machines, which the first run makes: BlueZ, and the package in a Debian with systemd. SIGINT ends the machines as well.
test-vm: export ATTUNE_VM_RELEASE = $(VM_RELEASE)
test-vm: setup $(VM_PACKAGE)
	@rm -f build/vm/figures.txt
	timeout --signal=INT --kill-after=60 $(VM_LIMIT) $(BIN)/python -m pytest tests/vm $(PYTEST_ARGS); \
	  ended=$$?; cat build/vm/figures.txt 2>/dev/null; exit $$ended

check: setup
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/mypy $(TYPED_SOURCES)
	@echo clang-format --dry-run
	@clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem -I mcu_firmware/core -I mcu_firmware/binding mcu_firmware
	shellcheck dev packaging/bootstrap.sh .ci/run packaging/debian/*.preinst packaging/debian/*.postinst \
	  packaging/debian/*.prerm packaging/debian/*.postrm packaging/debian/tests/daemon packaging/debian/tests/gateway \
	  packaging/deb/trials.sh

# Prints a line a module (name, flash bytes, RAM bytes) and a total.
firmware: setup
	@cmake -G Ninja -S . -B $(FIRMWARE_BUILD) -DATTUNE_PORT=mps2_an386 -DCMAKE_BUILD_TYPE=MinSizeRel \
	  -DCMAKE_TOOLCHAIN_FILE=mcu_firmware/ports/mps2_an386/toolchain.cmake \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) --log-level=WARNING
	@cmake --build $(FIRMWARE_BUILD) --target report -- --quiet

# Manual pages, and completion for shells, in build/manual.
manual: setup
	$(BIN)/python packaging/manual.py build/manual

# Each fuzz target for FUZZ_S seconds, then the lines of the core that all inputs together have reached.
fuzz: setup
	@cmake -G Ninja -S . -B $(FUZZ_BUILD) -DATTUNE_TESTS=ON -DATTUNE_FUZZ=ON -DCMAKE_C_COMPILER=clang \
	  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPython_EXECUTABLE=$(abspath $(BIN)/python) --log-level=WARNING
	@cmake --build $(FUZZ_BUILD) --target fuzz_targets -- --quiet
	@cmake -G Ninja -S . -B $(COVERAGE_BUILD) -DATTUNE_TESTS=ON -DCMAKE_C_FLAGS=--coverage -DCMAKE_BUILD_TYPE=Debug \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) --log-level=WARNING
	@cmake --build $(COVERAGE_BUILD) --target fuzz_targets -- --quiet
	$(BIN)/python mcu_firmware/tests/fuzz/run.py $(FUZZ_BUILD) $(COVERAGE_BUILD) $(FUZZ_S)

# Takes the check behind each claim of docs/security.md away, and sees that its test fails.
security-checks: setup
	$(BIN)/python tests/security/remove_checks.py

# What a machine of the tests installs; the time of the file says whether sources have changed since.
$(VM_PACKAGE): $(PACKAGED_SOURCES)
	$(MAKE) --no-print-directory deb RELEASE=$(VM_RELEASE) ARCH=amd64
	@touch $@

# The Debian packages in build/deb, each with its size, for one release and architecture, or for all of them. One build at
# a time: it has its tree, and what goes into it, to itself.
deb debs:
	@mkdir -p build/deb; flock --nonblock build/deb true || echo "Another build of packages is at work here; this one waits for its end."; \
	  flock build/deb $(MAKE) --no-print-directory $@-alone

# Pages have the date of the version, like all else in a package.
deb-alone debs-alone: export SOURCE_DATE_EPOCH = $(shell date --date="$$(sed -n 's/^ -- .*>  //p;T;q' packaging/debian/changelog)" +%s)

deb-alone: setup firmware manual
	$(BIN)/python packaging/deb/build_deb.py $(RELEASE) $(ARCH)

debs-alone: setup firmware manual
	@for release in bookworm trixie; do for arch in amd64 arm64; do \
	  $(BIN)/python packaging/deb/build_deb.py $$release $$arch || exit 1; done; done

# What Debian's own checker says of the packages in build/deb; no error is let through.
lintian:
	lintian --no-cfg --fail-on error $(wildcard build/deb/*.deb)

# As root, in small systems: piuparts, autopkgtest, a full disk, and packages in each other's place.
piuparts: setup
	$(BIN)/python packaging/deb/try_deb.py $(RELEASE) $(wildcard build/deb/*+deb$(call number,$(RELEASE))_$(ARCH).deb build/deb/*+deb$(call number,$(RELEASE))_all.deb)

bench: setup
	$(BIN)/python -m bench.run $(BENCH)

clean:
	rm -rf build $(VENV)
