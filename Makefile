# The first two are all one needs: each sets up what is missing, builds, and runs.
#   make demo    the tour; TREE=folder hashes another folder than the standard library
#   make test    every test on every CPython here; ARGS='--python 3.12 -- -k cancel' restricts
#   make quick   before a commit: format, layers, the C tests, and one CPython on one of each kind of framework
#   make bench   the benchmarks on the optimized CPythons here, also written to build/bench.json
#   make bench-count   what operations cost in instructions, against bench/counts.json (needs valgrind)
#   make check   all other gates: format, layers, warnings, instructions, sanitizers (needs clang, g++, valgrind)
#   make package   the wheel and the source distribution, and the templates built from them (tools/package.py)
#   make suites  the suites of CPython, trio and anyio on native coroutines (a CPython 3.13 that carries its tests)
#   make pythons CPython 3.14, 3.15 and 3.15 with Py_DEBUG, out of Debian's packages, into build/pythons
#   make format  lay out the C files
#   make clean   remove build/
# With each of them: PYTHON=python3.12 sets up with another interpreter; BUILD=/elsewhere builds in another folder.
PYTHON ?= python3
ARGS ?=
CAWAIT_BUILD ?= build
BUILD := $(CAWAIT_BUILD)
RUN = "$(BUILD)/venv/bin/python"
export CAWAIT_BUILD := $(BUILD)
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: demo test quick bench bench-count check package suites pythons format clean setup release

demo: release
	@PYTHONPATH="$(BUILD)/release/examples" $(RUN) examples/tour/tour.py $(if $(TREE),"$(TREE)") $(ARGS)

test: setup
	@$(RUN) tools/test.py $(ARGS)

quick: setup
	@$(RUN) tools/check.py format layers
	@$(RUN) tools/test.py --only c --only python --python venv --results quick -- --kinds=one-each $(ARGS)

bench: pythons
	@$(RUN) tools/bench.py $(ARGS)

bench-count: setup
	@$(RUN) tools/count.py $(ARGS)

check: setup
	@$(RUN) tools/check.py $(ARGS)

package: setup
	@$(RUN) tools/package.py $(ARGS)

suites: setup
	@$(RUN) tools/suites.py $(ARGS)

pythons: setup
	@$(RUN) tools/pythons.py

format: setup
	@$(RUN) tools/check.py --format

clean:
	@if [ "$(BUILD)" = build ] || [ -e "$(BUILD)/cawait-build" ] || [ ! -e "$(BUILD)" ]; then rm -rf "$(BUILD)"; \
		else echo "$(BUILD) was not made by this Makefile: remove it by hand" >&2; exit 1; fi

setup:
	@$(PYTHON) tools/setup_env.py

release: setup
	@$(RUN) tools/build.py release
