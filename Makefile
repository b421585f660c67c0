# make run    serves the demo on http://127.0.0.1:8080      make setup  only the set-up that these share
# make test   runs every check and test; T=tests/unit/store or T=web/src/lib/api/read.test.ts those of a path
# make dev    the demo with the pages from their sources on http://127.0.0.1:5173: what changes in either is there at once
# make quick  lint, types, import laws and the unit tests that the change since main touches, in less than a minute
# make fresh  make test of what is committed, in a bare Debian 13; wants root, debootstrap and a network
# make mutants  the tests still catch known faults (tests/mutants); T=rtc those of one package
# make soak   the long searches: fuzzing, endurance; T=tests/soak/test_fuzzing_web.py one of them
# make bench  prints the benchmark tables                   make sbom   writes what is locked, as CycloneDX, to build/sbom
# make wheel  writes the program with its pages as one file, to build/wheel
# make weights  runs every check and test, and records how long each module took
#
# PYTHON chooses the interpreter (3.11 to 3.13; without it Debian's own, else python3), HOST, PORT and DATA the demo's.
PYTHON ?=
HOST ?= 127.0.0.1
PORT ?= 8080
DATA ?= data
SBOM ?= build/sbom

VENV := .venv
BIN := $(VENV)/bin
PYTHON_STAMP := $(VENV)/.installed
NODE_STAMP := web/node_modules/.installed
WEB_STAMP := web/dist/.built
CLIENTS := tests/interop/clients
CLIENTS_STAMP := $(CLIENTS)/node_modules/.installed
WEB_SOURCES := $(shell find web/src web/public web/scripts web/*.html web/*.ts web/*.js web/package-lock.json -type f 2>/dev/null)

.PHONY: run dev wheel sbom test quick fresh weights bench mutants soak setup setup-app setup-system setup-players lock format clean

run: setup-app
	exec $(BIN)/streamer demo --host $(HOST) --port $(PORT) --data $(DATA)

dev: setup-app
	exec $(BIN)/python -m tests.dev --host $(HOST) --port $(PORT) --data $(DATA)

test: setup
ifneq ($(filter web/%,$(T)),)
	cd web && npx vitest run $(patsubst web/%,%,$(T))
else ifdef T
	$(BIN)/python -m pytest $(T)
else
	$(BIN)/python -m tests.checks
endif

quick: setup-app
	$(BIN)/python -m tests.quick

weights: setup
	$(BIN)/python -m tests.checks --record-weights

# FRESH is the folder of the Debian, which is made where it is not there; T as for make test.
FRESH ?= build/fresh

fresh:
	sh .ci/fresh.sh "$(FRESH)" $(if $(T),T=$(T))

bench: setup
	$(BIN)/python -m tests.bench

mutants: setup
	$(BIN)/python -m tests.mutants $(T)

# The program with its pages in one file, for pipx and pip: build/wheel/streamer-….whl.
wheel: setup-app
	rm -rf build/wheel build/wheel-source
	mkdir -p build/wheel-source
	cp -r pyproject.toml README.md LICENSE streamer build/wheel-source
	cp -r web/dist build/wheel-source/streamer/web_dist
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel build/wheel-source
	rm -rf build/wheel-source

# From the lock files: the program's packages, and the pages' with what builds them.
sbom:
	mkdir -p $(SBOM)
	$(BIN)/cyclonedx-py requirements --output-reproducible --of JSON -o $(SBOM)/program.cdx.json requirements.txt
	node web/scripts/sbom.mjs > $(SBOM)/pages.cdx.json

# With other dice each time; SOAK_SEED does a search again.
SOAK_RUN = SOAK=1 $(BIN)/pytest --timeout 7200 --hypothesis-profile=default

soak: setup setup-players
ifdef T
	$(SOAK_RUN) $(T)
else
	$(SOAK_RUN) tests/soak
	$(SOAK_RUN) -m "search or hypothesis" tests/unit tests/faults
endif

setup: setup-app setup-system $(CLIENTS_STAMP)

setup-app: $(PYTHON_STAMP) $(WEB_STAMP)

$(PYTHON_STAMP): requirements-dev.txt pyproject.toml
	PYTHON="$(PYTHON)" sh .ci/setup.sh python $(VENV)
	touch $@

$(NODE_STAMP): web/package.json web/package-lock.json
	sh .ci/setup.sh node
	touch $@

$(WEB_STAMP): $(NODE_STAMP) $(WEB_SOURCES)
	cd web && npm run --silent build
	touch $@

$(CLIENTS_STAMP): $(CLIENTS)/package-lock.json $(NODE_STAMP)
	sh .ci/setup.sh clients
	touch $@

setup-players: $(PYTHON_STAMP)
	sh .ci/setup.sh players $(VENV)

# Programs that only tests use. Without root they are left out, and their tests are skipped with the reason.
setup-system:
	@sh .ci/setup.sh system

lock: $(PYTHON_STAMP)
	sh .ci/setup.sh lock $(VENV)

format:
	$(BIN)/ruff format .
	cd web && npm run --silent format

clean:
	rm -rf $(VENV) $(CLIENTS)/node_modules tests/soak/players/node_modules build/players web/node_modules web/dist web/.svelte-check .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
