# The first two are all one needs: each sets up what is missing, builds, and runs.
#   make demo    the tour; TREE=folder hashes another folder than the standard library
#   make test    every test on every CPython here; ARGS='--python 3.12 -- -k cancel' restricts
#   make bench   the benchmarks, also written to build/bench.json
#   make bench-count   what operations cost in instructions, against bench/counts.json (needs valgrind)
#   make check   all other gates: format, layers, warnings, instructions, sanitizers (needs clang, g++, valgrind)
#   make format  lay out the C files
#   make clean   remove build/
PYTHON ?= python3
ARGS ?=
RUN = build/venv/bin/python
MODULES = PYTHONPATH=build/release/examples:build/release/bench
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: demo test bench bench-count check format clean setup release

demo: release
	@$(MODULES) $(RUN) examples/tour/tour.py $(if $(TREE),"$(TREE)") $(ARGS)

test: setup
	@$(RUN) tools/test.py $(ARGS)

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
