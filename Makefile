# The two commands that matter:
#   make demo   install what is missing, build, and dissect a capture before your eyes
#   make test   set everything up and run the whole test suite
# `make help` lists the others. PYTHON=... picks the interpreter, T="tests/test_x.py -k y" a part of the suite.

PYTHON ?= python3
VENV ?= .venv
T ?=
BENCH_DIR ?= build/bench
SHARED ?= ../shared

PY = $(VENV)/bin/python
SWITCHES = WISHPY_DEBUG WISHPY_SANITIZE WISHPY_COVERAGE WISHPY_WERROR
# What the extension modules in the tree were compiled with; another set of switches compiles them anew.
BUILT_WITH = $(strip $(foreach switch,$(SWITCHES),$($(switch):%=$(switch)=%)))

# What the tests need comes from the tree and the virtual environment, never from packages around them.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHON $(SWITCHES)

.PHONY: help demo build test check dev sanitize coverage lint format bench check-versions clean
.PHONY: system-for-build system-for-test venv test-requirements
.PHONY: covered check-format
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo            install what is missing, build, dissect a bundled capture"
	@echo "make test            set up and run the whole suite [T=\"tests/test_x.py -k y\"]"
	@echo "make lint            ruff and mypy"
	@echo "make dev             the suite under python -X dev"
	@echo "make sanitize        the suite under AddressSanitizer and UndefinedBehaviorSanitizer [T=...]"
	@echo "make coverage        the suite with gcov's and coverage.py's counters"
	@echo "make bench           time and memory against libwireshark's own cost, and tshark's"
	@echo "make check-versions  compile against other Wireshark versions' headers"
	@echo "make format          lay the C sources out with clang-format; make check-format only looks"
	@echo "make build clean"

# ---- what everything stands on -------------------------------------------------------------------------------

system-for-build:
	@sh tools/system_packages.sh build

system-for-test:
	@sh tools/system_packages.sh test

# A virtual environment of another Python, or a half-made one, is made anew.
venv: system-for-build
	@python=$$($(PYTHON) -c 'import sys; print(sys.version, sys.base_prefix)'); \
	if [ "$$(cat $(VENV)/.made-by 2>/dev/null)" != "$$python" ]; then \
	    echo "Making $(VENV)"; \
	    $(PYTHON) -m venv --clear $(VENV) && $(VENV)/bin/pip install -q 'pip>=22.1' 'setuptools>=77' && \
	    echo "$$python" > $(VENV)/.made-by; \
	fi

test-requirements: venv
	@if [ ! tests/requirements.txt -ot $(VENV)/.test-requirements ]; then \
	    echo "Installing the tests' requirements"; \
	    $(VENV)/bin/pip install -q -r tests/requirements.txt && \
	    $(VENV)/bin/pip install -q --no-deps --upgrade --target $(VENV)/pandas2 'pandas<3' pytz && \
	    touch $(VENV)/.test-requirements; \
	fi

# The extensions in the open: pip would wrap the compiler's and setup.py's messages in its own, and compile anew.
# Installed in "compat" mode, by the path alone: else each start of this Python would import a finder of setuptools'.
build: venv
	@mkdir -p build
	@force=--force; if [ "$$(cat build/.built-with 2>/dev/null)" = "$$($(PY) -V) $(BUILT_WITH)" ]; then force=; fi; \
	rm -f build/.built-with; \
	echo Building $(BUILT_WITH); \
	$(PY) setup.py -q build_ext --inplace $$force && echo "$$($(PY) -V) $(BUILT_WITH)" > build/.built-with
	@if [ ! pyproject.toml -ot $(VENV)/.wishpy ]; then \
	    WISHPY_EXTENSIONS=0 $(VENV)/bin/pip install -q --no-build-isolation --no-deps --config-settings editable_mode=compat -e . && touch $(VENV)/.wishpy; \
	fi

# ---- for people ----------------------------------------------------------------------------------------------

demo: build
	@$(PY) tools/demo.py tests/data/nano_little.pcap 2 'dns.a && ip.ttl == 64' dns.qry.name dns.a

# ---- for checks ----------------------------------------------------------------------------------------------

test: WISHPY_WERROR = 1
test: system-for-test check

# check: the suite as the caller built and wrapped it
check: build test-requirements
	$(WRAP) $(PY) -m pytest $(T)

dev: WISHPY_WERROR = 1
dev: system-for-test build test-requirements
	PYTHONDEVMODE=1 $(PY) -m pytest -W error::ResourceWarning -W error::pytest.PytestUnraisableExceptionWarning $(T)

# Builds of other kinds live in copies of the tree under build/, with a virtual environment each: no test there can
# pick up the ordinary build by mistake.
COPIED = Makefile LICENSE README.md MANIFEST.in pyproject.toml setup.py csrc docs tests tools wishpy
define copy-tree
	@mkdir -p build/$(1)
	@tar -c --exclude='*.so' --exclude=__pycache__ $(wildcard $(COPIED)) | tar -x -C build/$(1)
	@if [ -d $(SHARED) ]; then ln -sfn "$$(cd $(SHARED) && pwd)" build/shared; fi
endef

# The interpreter was not built with the sanitizer: its library comes first by LD_PRELOAD, and pymalloc, which would
# hide errors from it, stays out. Python itself leaks at exit, so leaks are for the tests that count them.
SANITIZE = address,undefined
# The sanitizer looks at its start for C++'s throw, which libraries bring in later (matplotlib's), and ends them otherwise.
CXX_LIBRARY = libstdc++.so.6

sanitize: system-for-test
	$(call copy-tree,sanitize)
	@$(MAKE) --no-print-directory -C build/sanitize check WISHPY_WERROR=1 WISHPY_SANITIZE=$(SANITIZE) VENV=.venv \
	    WRAP='env LD_PRELOAD="'"$$($(or $(CC),cc) -print-file-name=libasan.so) $(CXX_LIBRARY)"'" PYTHONMALLOC=malloc \
	        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1'

coverage: system-for-test
	$(call copy-tree,coverage)
	@$(MAKE) --no-print-directory -C build/coverage covered WISHPY_COVERAGE=1 VENV=.venv

covered: build test-requirements
	@$(VENV)/bin/pip install -q coverage gcovr
	@find . -name '*.gcda' -delete
	@status=0; $(VENV)/bin/coverage run --source=wishpy -m pytest $(T) || status=$$?; \
	$(VENV)/bin/coverage report; $(VENV)/bin/gcovr --root . --filter csrc/ --gcov-ignore-errors all; exit $$status

lint: test-requirements
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy wishpy

check-format: test-requirements
	$(VENV)/bin/clang-format --dry-run --Werror csrc/*/*.[ch]

format: test-requirements
	$(VENV)/bin/clang-format -i csrc/*/*.[ch]

# Those whom wishpy is measured beside are nobody's requirement: they have a folder of their own.
bench: system-for-test build test-requirements
	@SHARED=$(SHARED) $(PY) tests/bench/bench.py --dir $(BENCH_DIR) $(BENCH)
	@$(VENV)/bin/pip install -q --upgrade --target $(BENCH_DIR)/contestants pyshark scapy || \
	    echo "pyshark and scapy cannot be had here: without them, then."
	@SHARED=$(SHARED) $(PY) tests/bench/bench_tables.py --dir $(BENCH_DIR) --frames 3 --write docs/benchmarks.md $(BENCH)

check-versions:
	@sh tests/check_versions.sh $(HEADERS)

clean:
	rm -rf build dist $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find wishpy tests tools -name __pycache__ -prune -exec rm -rf {} +
	rm -f wishpy/*.so
