# The first two are all one needs: each sets up what is missing, builds, and runs.
#   make demo    the tour; TREE=folder hashes another folder than the standard library
#   make test    every test on every CPython here; ARGS='--python 3.12 -- -k cancel' restricts
#   make quick   before a commit: format, layers, the C tests, and one CPython on one of each kind of framework
#   make bench   the benchmarks, also written to build/bench.json
#   make bench-count   what operations cost in instructions, against bench/counts.json (needs valgrind)
#   make check   all other gates: format, layers, warnings, instructions, sanitizers (needs clang, g++, valgrind)
#   make format  lay out the C files
#   make clean   remove build/
PYTHON ?= python3
ARGS ?=
RUN = build/venv/bin/python
VERSION = 'import platform; print(platform.python_version())'
MODULES = PYTHONPATH=build/release/examples:build/release/bench
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: demo test quick bench bench-count check format clean setup release

demo: release
	@$(MODULES) $(RUN) examples/tour/tour.py $(if $(TREE),"$(TREE)") $(ARGS)

test: setup
	@$(RUN) tools/test.py $(ARGS)

quick: setup
	@$(RUN) tools/check.py format layers
	@$(RUN) tools/test.py --only c --only python --python $$($(RUN) -c $(VERSION)) --results quick -- \
		--kinds=one-each $(ARGS)

bench: release
	@$(MODULES) $(RUN) bench/bench.py $(ARGS)

bench-count: setup
	@$(RUN) tools/count.py $(ARGS)

check: setup
	@$(RUN) tools/check.py $(ARGS)

format: setup
	@$(RUN) tools/check.py --format

clean:
	rm -rf build

setup:
	@$(PYTHON) tools/setup_env.py

release: setup
	@$(RUN) tools/build.py release
