# The commands of this repository. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sensorthings
UV_VERSION := 0.13.9
UV := $(CACHE)/uv/bin/uv
RUN := $(UV) run --frozen
SENSORTHINGS := $(RUN) sensorthings
E2E ?= tests/e2e

export UV_LINK_MODE ?= copy
export UV_PYTHON_DOWNLOADS := never

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-24s %s\n", $$1, $$2}'

# uv comes from PyPI by pip, into a virtual environment of its own: a bare machine has nothing but Python.
$(UV):
	@python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	python3 -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.synced: $(UV) pyproject.toml uv.lock
	$(UV) sync --frozen --quiet
	@touch $@

.PHONY: sync
sync: .venv/.synced ## Install the Python environment into .venv

.PHONY: up
up: sync ## Bring up a cluster on this machine, with the operator and Hamburg's traffic lights in it
	$(SENSORTHINGS) up

.PHONY: down
down: sync ## Take the cluster down and leave nothing behind but the caches
	$(SENSORTHINGS) down

.PHONY: generate
generate: sync ## Write crds/, their chart, install.yaml and the API reference from the types, the dashboards, the JDBC driver, the golden manifests
	$(RUN) python -m sensorthings_operator.api
	$(RUN) python -m dashboards
	$(RUN) python -m jdbc
	$(RUN) python -m release
	$(RUN) pytest -q tests/golden --update-golden

.PHONY: format
format: sync ## Format the code
	$(RUN) ruff check --fix
	$(RUN) ruff format

.PHONY: lint
lint: sync ## ruff, types, layers, generated files, the chart
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) python -m sensorthings_operator.api --check
	$(RUN) python -m dashboards --check
	$(RUN) python -m jdbc --check
	$(RUN) python -m release --check

.PHONY: unit
unit: sync ## Tests of pure functions and golden manifests
	$(RUN) pytest -q tests/unit tests/golden

.PHONY: gate
gate: sync ## The MQTT gate in Go: formatting, vet and tests
	@go=$$($(RUN) python -c 'from localcluster.parts import go; print(go())') && cd gate \
		&& { formatted=$$("$$($$go env GOROOT)/bin/gofmt" -l .); test -z "$$formatted" || { echo "gofmt: $$formatted"; exit 1; }; } \
		&& $$go vet ./... && $$go test ./...

.PHONY: portal
portal: sync ## The live map's server in Go: formatting, vet and tests
	@go=$$($(RUN) python -c 'from localcluster.parts import go; print(go())') && cd portal \
		&& { formatted=$$("$$($$go env GOROOT)/bin/gofmt" -l .); test -z "$$formatted" || { echo "gofmt: $$formatted"; exit 1; }; } \
		&& $$go vet ./... && $$go test ./...

.PHONY: portal-page
portal-page: sync ## The live map page in a real Chromium, against a stand-in for the service (root: installs chromium and mosquitto)
	$(RUN) pytest -q tests/portal

.PHONY: apiserver
apiserver: sync ## Tests against a real etcd, kube-apiserver and kube-controller-manager
	$(RUN) pytest -q tests/apiserver

.PHONY: test
test: lint unit gate portal apiserver ## Everything but the node: lint, types, unit, golden, the gate, the live map's server, API server

.PHONY: e2e
e2e: sync ## A real node with real pods (E2E=path for a part of it)
	$(RUN) pytest -q $(E2E)

.PHONY: keycloak
keycloak: sync ## A real Keycloak: the clients that the operator keeps, and FROST-Server that checks tokens (root)
	$(RUN) pytest -q tests/keycloak

.PHONY: ckan
ckan: sync ## A real CKAN with a real Solr: entries that the operator keeps, and what ckanext-dcat reads of ours (root)
	$(RUN) pytest -q tests/ckan

.PHONY: csw
csw: sync ## A real catalogue service (pycsw) that harvests the endpoint's ISO records, read back by OWSLib
	$(RUN) pytest -q tests/csw

.PHONY: bench-first-observation
bench-first-observation: sync ## From kubectl apply to the first Observation delivered, against bare processes
	$(RUN) python -m benchmarks.first_observation

.PHONY: bench-edge
bench-edge: sync ## What HTTPS, MQTT over TLS and ingress-nginx cost; a step of load (EDGE="--part step" for a part)
	$(RUN) python -m benchmarks.edge $(EDGE)

.PHONY: bench-database
bench-database: sync ## A managed pair: outages, a switchover, what a standby costs; a restore (DATABASE="--part restore" for a part)
	$(RUN) python -m benchmarks.database $(DATABASE)

.PHONY: bench-publish
bench-publish: sync ## Entries in a real CKAN, and the live map (root: installs chromium, mosquitto; PUBLISH="--part sync")
	PYTHONPATH=examples/hamburg $(RUN) python -m benchmarks.publish $(PUBLISH)

.PHONY: bench-up
bench-up: sync ## A warm `up`, step by step
	$(RUN) python -m benchmarks.up

# As the operator's image: compiled, and with nothing else, since kopf imports the Kubernetes project's client where it is.
OPERATOR := benchmarks/.venv
OPERATOR_SYNC := UV_PROJECT_ENVIRONMENT=$(OPERATOR) $(UV) sync --frozen --no-default-groups --no-editable \
	--reinstall-package sensorthings-operator --compile-bytecode --quiet

.PHONY: bench-fleet
bench-fleet: sync ## A thousand services on one operator, against a bare client and Helm (long; FLEET="--services 100" for less)
	$(OPERATOR_SYNC)
	$(RUN) python -m benchmarks.fleet --python $(OPERATOR)/bin/python $(FLEET)

.PHONY: bench-identity
bench-identity: sync ## The gate, renewed tokens, calls to Keycloak, a token on a write (long; IDENTITY="--part gate" for a part)
	$(OPERATOR_SYNC)
	$(RUN) python -m benchmarks.identity --python $(OPERATOR)/bin/python $(IDENTITY)

.PHONY: bench
bench: bench-fleet bench-up bench-identity bench-edge bench-database ## The benchmarks that bring everything they need

# An environment of their own: Pulumi's packages are 525 MB, and `make sync` would take them away again.
STACKS := UV_PROJECT_ENVIRONMENT=stacks/.venv $(UV) run --frozen --group stacks --group stacks-test

.PHONY: stacks
stacks: $(UV) ## The Pulumi stacks: types, programs under mocks and a stand-in engine, Azure's types, policies
	$(STACKS) mypy -p sensorthings_stacks
	$(STACKS) pytest -q tests/stacks --ignore tests/stacks/machines --ignore tests/stacks/node

.PHONY: bench-stacks
bench-stacks: $(UV) ## A preview of all layers of a city, a second up, the check of fifty cities
	$(STACKS) python -m benchmarks.stacks

.PHONY: stacks-node
stacks-node: $(UV) ## A town's platform and city layers on a real node, to a served Observation; all lost and had again (root)
	$(STACKS) pytest -q tests/stacks/node

.PHONY: stacks-machines
stacks-machines: $(UV) ## The database machines on real systemd: their cluster, faults, backups, upgrades (root)
	$(STACKS) pytest -q tests/stacks/machines
