# `make test` and `make build` do all set-up by themselves; what else there is, `make help` prints.

# bin/revela --version shows the commit, where git can tell it (it refuses another user's checkout).
STAMP := $(if $(shell git rev-parse HEAD 2>/dev/null),auto,false)
STATICCHECK_VERSION := v0.8.2
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/revela/tools/staticcheck-$(STATICCHECK_VERSION)

# The variables of the Go build. They are part of the key of Go's build cache: with any other strings, gotch's C++
# is compiled again, for minutes.
with_libtorch = eval "$$(./setup-gotch.sh --env)" &&

# One C++ compile takes up to 2.5 GB; a test process has libtorch's own threads.
JOBS ?= 2

.DEFAULT_GOAL := build
.PHONY: help setup setup-cuda env build test test-fixtures test-scripts lint check check-cuda test-cuda bench bench-cuda quickstart quickstart-seeds clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## find or fetch libtorch and check the tools
	@./setup-gotch.sh

setup-cuda: ## also fetch the CUDA half of libtorch, for a machine with an NVIDIA GPU (1.5 GB)
	@./setup-gotch.sh --cuda

env: ## print the variables for a shell or an editor: eval "$(make env)"
	@./setup-gotch.sh >&2
	@./setup-gotch.sh --env

build: setup ## compile bin/revela
	$(with_libtorch) go build -p $(JOBS) -buildvcs=$(STAMP) -o bin/revela .

test: setup test-scripts ## set up and run all tests
	$(with_libtorch) go test -p $(JOBS) -timeout 30m ./...

test-fixtures: setup ## run the tests on the golden fixtures and the real collections alone
	$(with_libtorch) go test -p $(JOBS) -timeout 30m -v -count=1 -run 'TestFixture|TestData' ./...

test-scripts:
	@python3 -B -m unittest discover -q -s scripts -p '*_test.py'

lint: setup $(TOOLS)/staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not as gofmt has it: $$unformatted"; exit 1; }
	$(with_libtorch) go vet -p $(JOBS) ./...
	$(with_libtorch) $(TOOLS)/staticcheck ./...

check: lint test ## gofmt, vet, staticcheck and all tests

test-cuda: ## run the fixtures and the operations' tests on the GPU
	$(with_libtorch) REVELA_TEST_DEVICE=cuda go test -p 1 -count=1 -run 'OnDevice|DeviceEqualsCPU' ./torch ./model ./train ./encode

bench-cuda: build ## time the training step on a GPU at the paper's sizes into benchmarks/
	@python3 scripts/bench_cuda.py $(BENCH_CUDA)

check-cuda: setup-cuda build ## load the CUDA half of libtorch and check what it brings; needs no GPU
	@scripts/check_cuda.sh

$(TOOLS)/staticcheck:
	GOBIN=$(TOOLS) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

bench: build ## measure step, encoding, tokenising, preparing, loading into benchmarks/ (BENCH="step encode": some)
	@python3 scripts/bench.py $(BENCH_FLAGS)

bench-neighbours: setup ## time BM25 neighbours beside bm25s ($PEER_PYTHON); NEIGHBOURS="N …": numbers of chunks
	@$(with_libtorch) python3 -B scripts/bench_neighbours.py $(NEIGHBOURS)

.PHONY: bench-guard bench-neighbours race
bench-guard: build ## measure the step and fail where a ratio is worse than benchmarks/baseline.json allows
	@python3 scripts/bench.py --guard

race: setup ## the tests under the race detector, a package at a time (without those on real collections)
	$(with_libtorch) failed=; for package in $$(go list ./...); do \
	  go test -race -short -skip '^TestData' -timeout 30m $$package || failed="$$failed $$package"; done; \
	[ -z "$$failed" ] || { echo "failed under the race detector:$$failed"; exit 1; }

SEED ?= 1
quickstart: build ## train a real retriever on Go's standard library and measure it (SEED=n; 5 to 15 minutes)
	@python3 scripts/quickstart.py --seed $(SEED) $(QUICKSTART)

quickstart-seeds: build ## the quick start with seeds 1, 2 and 3, a table of all
	@python3 scripts/quickstart.py --output runs/quickstart-seeds --seed 1 --seed 2 --seed 3 $(QUICKSTART)

clean: ## remove what the build made; runs and the cache stay
	rm -rf bin
