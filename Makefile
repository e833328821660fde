# Each target does all of its own set-up: packages, configure, build. 'make help' lists them.
# PRESET chooses another build (debug, asan, ubsan, tsan, no-torch): make test PRESET=asan
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PRESET ?= release
FUZZ_SECONDS ?= 60
BUILD := build/$(PRESET)

.DEFAULT_GOAL := help
.PHONY: help setup configure build demo test bench fuzz format lint tidy docs clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## Install the packages that this machine lacks
	@tools/setup.sh

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)

build: configure ## Build the program, build/release/bin/filigree
	@cmake --build --preset $(PRESET)

demo: build ## Run the main job; pictures and a report page go to out/
	@tools/demo.sh $(BUILD)/bin/filigree out

test: build ## Run all tests
	@ctest --preset $(PRESET)

bench: ## Run the benchmarks
	@tools/setup.sh bench
	@grep -qs FILIGREE_BENCH:BOOL=ON $(BUILD)/CMakeCache.txt || cmake --preset $(PRESET) -DFILIGREE_BENCH=ON
	@cmake --build --preset $(PRESET) --target run_benchmarks

fuzz: ## Give each reader of user files arbitrary bytes for a minute
	@tools/setup.sh fuzz
	@test -f build/fuzz/build.ninja || cmake --preset fuzz
	@cmake --build --preset fuzz
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

format: ## Format the sources
	@tools/setup.sh lint
	@clang-format -i $$(python3 -B tools/sources.py)

lint: configure ## Check formatting, includes, sizes, compile flags and text
	@tools/setup.sh lint
	@cmake $(BUILD) >/dev/null
	@tools/lint.sh $(BUILD)

tidy: build ## Let clang-tidy look for mistakes (minutes)
	@tools/setup.sh tidy
	@tools/tidy.sh $(BUILD)

docs: build ## Check that the links and commands of the documentation exist
	@python3 -B tools/check_docs.py --program $(BUILD)/bin/filigree

clean: ## Remove what was built
	rm -rf build
