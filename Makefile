# Each target does all of its own set-up: packages, configure, build. 'make help' lists them.
SHELL := /bin/bash
PRESET ?= release
BUILD := build/$(PRESET)

.DEFAULT_GOAL := help
.PHONY: help setup configure build test demo bench clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup:
	@tools/setup.sh

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)

build: configure ## Build the program, $(BUILD)/bin/filigree
	@cmake --build --preset $(PRESET)

test: build ## Run all tests
	@ctest --preset $(PRESET)

clean: ## Remove what was built
	rm -rf build
