# Two commands do everything: `make generate` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROFILES := $(sort $(wildcard profiles/*.yaml profiles/servers/*.yaml))

# Tests on servers and containers mostly wait, so three processes share them, by modules and parts of modules
# (tests/containers/support/sharing.py): one started server, Compose project or image name is never in two. (xdist's
# loadgroup has no effect since pytest 9.2: ids carry no group.) What measures runs afterwards, alone.
SHARED := -n 3 --dist loadscope -m "not serial" --durations=25
SERIAL := -m serial --durations=25
FAST := tests --ignore=tests/containers --ignore=tests/servers --ignore=tests/cluster --ignore=tests/cgroup2

.DEFAULT_GOAL := help
.PHONY: faults fuzz test-apps bench cluster cluster-down test-cluster test-cgroup2 help generate all-profiles check test test-fast test-containers lint policy locks clean

help:  ## Explain every target
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

generate: $(VENV)/run  ## Set up, then generate from profiles/large.yaml
	$(BIN)/python -m generator profiles/large.yaml

all-profiles: $(VENV)/run  ## Generate everything that is committed: all shipped profiles, the schema, parts of the docs
	$(BIN)/python -m generator generate $(PROFILES)
	$(BIN)/python -m generator docs

check: $(VENV)/run  ## Fail if anything generated is not up to date
	$(BIN)/python -m generator check $(PROFILES)
	$(BIN)/python -m generator docs --check

# Seconds for all parsers together, and of each a least number of cases (tests/fuzz.py).
test fuzz: export KIT_FUZZ_SECONDS ?= 60
fuzz: export KIT_FUZZ_SEED ?= new

test: $(VENV)/dev policy  ## Run all tests: policies, fast, on started servers, on booted containers (finds or installs a Docker engine)
	$(BIN)/python -m pytest -n auto $(FAST)
	$(BIN)/python -m pytest $(SHARED) tests/servers tests/containers
	$(BIN)/python -m pytest $(SERIAL) tests/servers tests/containers

test-fast: $(VENV)/dev  ## Run the tests that need no container engine and start no server
	$(BIN)/python -m pytest -n auto $(FAST)

test-containers: $(VENV)/dev  ## Run the tests on booted containers
	$(BIN)/python -m pytest $(SHARED) tests/containers
	$(BIN)/python -m pytest $(SERIAL) tests/containers

fuzz: $(VENV)/dev  ## Fuzz the profile's loader and every parser of HTTP heads for KIT_FUZZ_SECONDS (60); a failure prints its seed
	$(BIN)/python -m pytest -n auto -s tests/profile/test_fuzz.py tests/runtime/test_pywsgi_request.py tests/runtime/test_lean.py
	$(BIN)/python -m pytest -s tests/containers/test_hostile.py -k "than_gunicorn and (meinheld or eventlet)"

test-apps: $(VENV)/dev  ## Build, boot and probe every app of tests/apps, all that `import` reads and every server on every Python, send 300 MB, fetch 1 GB; `make test` takes the most telling
	KIT_ALL_APPS=1 $(BIN)/python -m pytest tests/containers/test_apps.py tests/containers/test_real_apps.py tests/containers/test_real_projects.py tests/containers/test_pythons.py \
	  tests/containers/test_websockets.py tests/containers/test_long_requests.py

.PHONY: test-prove
test-prove: $(VENV)/dev  ## Run the whole of `prove` on every server, in half an hour; `make test` takes its shorter form
	KIT_WHOLE_PROOF=1 $(BIN)/python -m pytest -s tests/containers/test_prove.py -k what_holds_is_proved

.PHONY: test-tune
test-tune: $(VENV)/dev  ## Run `tune` KIT_TUNE_RUNS times (5) on each of three apps whose best answer is known, in an hour and a half
	$(BIN)/python -m pytest -s tests/containers/tune_known_answers.py

.PHONY: test-pages
test-pages: $(VENV)/browser  ## Look at the pages in a browser: needs chromium (apt-get install chromium)
	$(BIN)/python -m pytest tests/browser/pages.py

cluster: $(VENV)/dev  ## Start a Kubernetes: $KUBECONFIG's if set, else a node of our own (built once, 20 minutes)
	$(BIN)/python -m tests.cluster up

cluster-down: $(VENV)/dev  ## Remove that Kubernetes, but for what was built
	$(BIN)/python -m tests.cluster down

test-cluster: $(VENV)/dev  ## Run the tests on that Kubernetes, in about an hour; the table of requests goes to docs/kubernetes.md
	$(BIN)/python -m pytest tests/cluster
	$(BIN)/python -m tests.cluster.table

test-cgroup2: $(VENV)/dev  ## Boot a kernel with cgroups of version 2 in a virtual machine (qemu), and test limits, freezing and OOM there
	$(BIN)/python -m pytest tests/cgroup2

bench: $(VENV)/dev  ## Measure the shipped profiles beside other servers and what others do: Markdown in build/bench.md, in an hour and a half
	@mkdir -p build
	$(BIN)/python -m tests.load.bench > build/bench.md
	@cat build/bench.md

faults: $(VENV)/dev  ## Do every fault to every production server, in about 20 minutes: docs/faults.md, printed too
	$(BIN)/python -m tests.containers.faults_table

lint: $(VENV)/dev  ## Run ruff, mypy and hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint $(sort $(wildcard docker/*/Dockerfile docker/servers/*/Dockerfile))

policy: $(VENV)/policy  ## Ask checkov for its policies of every generated manifest, without network
	$(BIN)/python -m tests.policy

locks: $(VENV)/dev  ## Renew all locks: servers (generator/servers/locks/), tools (pyproject.toml), gunicorn's settings
	$(BIN)/python -m generator locks
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra pages --group dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade --group browser -c requirements-dev.txt -o requirements-browser.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade --group policy -o requirements-policy.txt

clean:  ## Remove the virtual environment and build leftovers
	rm -rf $(VENV) build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/browser: requirements-browser.txt $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.txt
	@touch $@

$(VENV)/policy: requirements-policy.txt $(VENV)/run
	$(PYTHON) -m venv build/policy
	build/policy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-policy.txt
	@touch $@
