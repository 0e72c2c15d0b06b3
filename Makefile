# The only entry: people and CI call the same targets. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON ?= python3
PACKAGES := pecia_core pecia_client pecia_dispatch pecia_fetch pecia_identity pecia_models pecia_wall pecia_jobs pecia_ocr pecia_gateway pecia_worker pecia_operator pecia_ui pecia_standalone
# A build for machines without a GPU is a tenth of the size: TORCH="torch==2.13.0 --index-url ..." names its index.
TORCH ?= torch==2.13.0
# Processes that run tests. Many tests wait for others' processes, so that two keep two cores busy.
SIDE_BY_SIDE ?= 2
# DATA=x ROUNDS=3 -> --data=x --rounds=3, for those of the names that were given
options = $(foreach name,$(1),$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z)=$($(name))))
# What an image holds: one service's own requirements. The ocr service's are exported by themselves below.
IN_IMAGES := $(filter-out ocr,$(notdir $(patsubst %/,%,$(dir $(wildcard services/*/Dockerfile)))))
FOR_IMAGE := uv export -q --no-emit-workspace --no-default-groups --no-header
TESTS := $(wildcard libs/*/tests services/*/tests) tests

.PHONY: help up install torch lint type contracts pytest test test-images test-cluster images fuzz fuzz-files quality bench-install bench-cpu bench-http bench-soak bench-jobs bench-gpu bench-handover bench-textlayer bench-scale bench-walls sbom audit licences train-reader protos check-protos docs baseline lock clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run

up: ## Install what is missing, start ocr, gateway, worker and UI, read a sample picture; Ctrl-C stops
	@scripts/install runtime
	@exec $(BIN)/python -m pecia_standalone $(ARGS)

##@ Check

test: ## Everything: system packages, lint, types, contracts, all tests
	@scripts/system-packages
	@$(MAKE) --no-print-directory install torch
	@scripts/kube-tools
	@$(MAKE) --no-print-directory lint type contracts pytest

install: ## The development environment in .venv, and a second openai client in build/openai2
	@scripts/install dev

torch: ## What DeepSeek-OCR computes with, into .venv; TORCH says which build, in pip's words
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip --disable-pip-version-check install --quiet $(TORCH)

lint: ## ruff, its formatting, and the contract's own rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against baseline.binpb

type: ## mypy, strict, over the packages and then over each folder of tests
	$(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	@for folder in $(TESTS); do echo "$(BIN)/mypy $$folder"; $(BIN)/mypy $$folder || exit 1; done

contracts: check-protos ## Imports only go down; the stubs are as generated
	$(BIN)/lint-imports --no-logo

pytest: ## All tests, side by side; ARGS go to pytest: make pytest ARGS="tests -k streaming" SIDE_BY_SIDE=0
	$(BIN)/python -m pytest -n $(SIDE_BY_SIDE) --dist loadfile $(ARGS)

test-images: ## The images, where podman runs: built, restricted, under load, stopped; ARGS go to pytest
	@podman info >/dev/null 2>&1 || { echo "podman does not run here: the images are not tested. As root on Debian or Ubuntu: apt-get install podman"; exit 0; }; \
	$(MAKE) --no-print-directory install && $(BIN)/python -m pytest tests/images --timeout=2400 -v $(ARGS)

test-cluster: ## The chart on a real cluster, where PECIA_TEST_KUBECONFIG names one; ARGS go to pytest
	@[ -n "$$PECIA_TEST_KUBECONFIG" ] || { echo "PECIA_TEST_KUBECONFIG names no cluster: nothing was tested. CONTRIBUTING.md says how to have one on this machine."; exit 0; }; \
	$(MAKE) --no-print-directory install && $(BIN)/python -m pytest tests/cluster --timeout=3600 -v $(ARGS)

##@ Ship

images: ## Build the container images: ONLY=ocr,ui TAG=1 REGISTRY=host/team BASE=... DIGEST=sha256:... FLAGS="..." PUSH=1
	@$(PYTHON) scripts/images.py $(call options,ONLY TAG REGISTRY BASE DIGEST ENGINE SOURCE) $(if $(FLAGS),--flags="$(FLAGS)") $(if $(PUSH),--push) $(ARGS)

fuzz: install ## Properties tried for long, the seed said: ONLY=multipart,data-url,grammar,markup,jobs CASES=20000 SEED=7
	$(BIN)/python scripts/fuzz.py $(call options,ONLY CASES SEED)
	@[ -n "$(ONLY)" ] || $(MAKE) --no-print-directory fuzz-files

fuzz-files: install ## Hostile and spoiled files, FILES of SEED, to what opens them; stopped, it goes on where it was
	$(BIN)/python -m benchmarks.hostile --cases=$(or $(FILES),100000) $(call options,SEED) $(ARGS)

##@ Measure

quality: ## Accuracy of every engine on DATA=<folder with manifest.json>, written to docs/quality.md
	@[ -n "$(DATA)" ] || { echo "Say which data: make quality DATA=<folder>"; exit 2; }
	$(BIN)/python -m benchmarks.quality $(DATA)

bench-cpu: bench-install ## Our engine beside RapidOCR and Tesseract: benchmarks/results/cpu.md; ARGS=--help teaches
	$(BIN)/python -m benchmarks.cpu $(call options,DATA ROUNDS ONLY KINDS TIMED MINUTES PRICE) $(ARGS)

bench-http: bench-install ## Our services beside rapidocr_api under load: benchmarks/results/http.md
	$(BIN)/python -m benchmarks.http $(call options,DATA SECONDS) $(ARGS)

bench-soak: bench-install ## Memory of the service over PAGES or MINUTES: benchmarks/results/soak.md
	$(BIN)/python -m benchmarks.soak $(call options,DATA PAGES MINUTES) $(ARGS)

bench-jobs: install ## Jobs under kills, faults and outages, and their pace: benchmarks/results/jobs.md; ARGS=--help teaches
	$(BIN)/python -m benchmarks.jobs $(call options,ONLY ROUNDS FAULTS SEED SECONDS) $(ARGS)

bench-gpu: install torch ## DeepSeek-OCR on this machine's GPU, or small on its CPU: benchmarks/results/gpu.md; ARGS=--help teaches
	$(BIN)/python -m benchmarks.gpu $(call options,ONLY ROUNDS SECONDS SMALL) $(ARGS)

bench-handover: install ## What a drawn page costs to pack and carry, and what it loses: benchmarks/results/handover.md
	$(BIN)/python -m benchmarks.handover $(DATA) $(call options,ROUNDS) $(ARGS)

bench-textlayer: install ## Which pages of the PDFs under DATA have a text layer to trust: benchmarks/results/textlayer.md
	$(BIN)/python -m benchmarks.textlayer $(DATA) $(ARGS)

bench-scale: bench-install ## 10 million pages a day and 1,000 GPUs on paper, dispatch simulated: benchmarks/results/scale.md
	$(BIN)/python -m benchmarks.scale $(call options,ROUNDS SEED) $(ARGS)

bench-walls: install ## What walls cost a page: benchmarks/results/walls.md; ARGS=--help teaches
	$(BIN)/python -m benchmarks.walls $(DATA) $(call options,ROUNDS) $(ARGS)

bench-install: install
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/bench.txt

##@ Release

sbom: install ## A bill of materials (CycloneDX) of each image and of the chart: build/sbom
	$(BIN)/python scripts/sbom.py build/sbom

audit: install ## Known weaknesses of what the images install, but for those requirements/audit.toml explains; OSV=url, REPORT=file
	$(BIN)/python scripts/audit.py $(call options,OSV REPORT)

licences: install ## Fail on a licence that binds callers; requirements/licences.toml explains what says nothing
	$(BIN)/python scripts/licences.py

##@ Train

train-reader: torch ## A small checkpoint that reads short printed strings: build/reader; ARGS=--help teaches
	$(BIN)/python -m training.reader $(call options,MINUTES STEPS OUT) $(ARGS)

##@ Maintain

protos: ## Generate the stubs in protos/gen again
	scripts/protos protos/gen

check-protos: ## Fail where protos/gen is not what the .proto files say
	@rm -rf build/protos && scripts/protos build/protos
	@diff -r -x __pycache__ build/protos protos/gen || { echo "The stubs are stale: make protos"; exit 1; }

docs: ## Write docs/API.md, docs/CONFIG.md and the chart's reference again, from the code
	$(BIN)/python scripts/api_reference.py docs/API.md
	$(BIN)/python scripts/settings_reference.py docs/CONFIG.md
	$(BIN)/python scripts/chart_reference.py helm/pecia
	cp services/operator/pecia_operator/rbac.yaml helm/pecia/files/operator-rbac.yaml

baseline: ## After a release: what later contracts may not break
	cd protos && ../$(BIN)/buf build -o baseline.binpb

lock: ## Resolve again and export the hash-pinned requirements
	uv lock
	uv export -q --all-packages --no-emit-workspace --no-default-groups --group build --no-header -o requirements/runtime.txt >/dev/null
	uv export -q --all-packages --no-emit-workspace --no-default-groups --group build --group dev --group deepseek --no-header -o requirements/dev.txt >/dev/null
	uv export -q --no-emit-workspace --only-group deepseek --no-header -o requirements/deepseek.txt >/dev/null
	uv export -q --no-emit-workspace --only-group bench --no-header -o requirements/bench.txt >/dev/null
	for name in $(IN_IMAGES); do $(FOR_IMAGE) --package pecia-$$name -o requirements/images/$$name.txt >/dev/null || exit 1; done
	$(FOR_IMAGE) --package pecia-ocr --extra remote -o requirements/images/ocr.txt >/dev/null
	$(FOR_IMAGE) --package pecia-ocr --extra remote --extra deepseek -o requirements/images/ocr-cuda.txt >/dev/null
	$(FOR_IMAGE) --only-group build -o requirements/images/build.txt >/dev/null
	echo uv | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header - -o requirements/bootstrap.txt >/dev/null
	echo openai==2.54.0 | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header - -o requirements/openai2.txt >/dev/null

clean: ## Remove what was built; .venv stays
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
