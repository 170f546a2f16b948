# Cats & Sums. `make` alone lists the targets. Every variable on the command line becomes a flag:
#   make tune-seq2seq TRIALS=50 UNITS=128   ->   python -m experiments tune seq2seq --trials=50 --units=128
PYTHON ?= python3
VENV = .venv/bin/python
# One thread of BLAS for each worker: they already use all cores.
PYTEST = OMP_NUM_THREADS=1 $(VENV) -m pytest -n auto --dist loadfile --no-loadscope-reorder
SETUP = .venv/.installed
export CATS_AND_SUMS_PROGRAM = make

quoted = '$(subst ','\'',$(value $(1)))'
given = $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
own = PYTHON MAKEFLAGS
flags = $(foreach name,$(filter-out $(own),$(given)),--$(name)=$(call quoted,$(name)))
run = $(VENV) -m $(1) $(flags)

.PHONY: help setup feature-network work compare compare-cats compare-baselines predict cats generate serve repeat report models runs promote archive rollback history delete gc move-store ui dashboard demo notebooks docs bench faults test test-all check format lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F':.*## *' '/^[a-z%-]+:.*##/ { \
	    line = sprintf("  make %-17s", $$1); \
	    count = split($$2, words, " "); \
	    for (i = 1; i <= count; i++) { \
	        if (length(line words[i]) > 78) { print line; line = sprintf("%24s", "") } \
	        line = line " " words[i] } \
	    print line }' $(MAKEFILE_LIST)

tune-%: $(SETUP)  ## search for the best config (tune-seq2seq), train the winner, register it; TRIALS= WORKERS= STUDY= FROM= RETRY=1 TIMEOUT=minutes SAMPLER= PRUNER= SEEDS= NOTIFY=command|url ENGINE=ray ADDRESS= CPUS= GPUS= and any field
	@$(call run,experiments tune $*)

work: $(SETUP)  ## help a study that runs elsewhere, from any machine: STUDY=seq2seq-text-to-text WORKERS=1
	@$(call run,experiments work)

train-%: $(SETUP)  ## train the best known config once (train-seq2seq); any field
	@$(call run,experiments train $*)

compare-%: $(SETUP)  ## train one experiment under several configs (compare-training-fractions); SEEDS= WORKERS= ENGINE=ray ADDRESS= CPUS= GPUS= and any field
	@$(call run,experiments compare $*)

compare: compare-cats  ## the same as compare-cats

compare-cats: $(SETUP)  ## compare the registered CAE, VAE and GAN on a page; STAGE=Production N=2000 OUT=
	@$(call run,experiments compare-cats)

compare-baselines: compare-cae-baseline compare-vae-baseline compare-gan-baseline  ## compare CAE, VAE and GAN with plain ones, trained as long; CATS= SEEDS= and any field of all three

predict: predict-seq2seq  ## ask a registered model: QUERY="45+23" or QUERIES=file; STAGE=Production or VERSION=3; MODALITY= JSON=1

predict-%: $(SETUP)  ## the same of another experiment (predict-glyph-reader): QUERY=digit.png
	@$(call run,experiments predict $*)

cats: $(SETUP)  ## make a set of cats from any images: CATS=folder|zip|tar|npy|address; OUT= SHA256=
	@$(call run,experiments cats)

feature-network: $(SETUP)  ## train the network in whose features cats are scored, as the shipped weights were: OUT=feature-network.npz
	@$(call run,experiments feature-network)

generate: $(SETUP)  ## draw cats into one PNG: MODEL=cats-vae N=64 OUT=cats.png; STAGE= VERSION= STRATEGY= SEED=
	@$(call run,experiments generate)

serve: $(SETUP)  ## answer with a registered model over HTTP on 127.0.0.1: MODEL=seq2seq-text-to-text; STAGE=Production VERSION= PORT=5001
	@$(call run,experiments serve)

repeat: $(SETUP)  ## train a run again from its record, and compare its metrics: RUN=its id, or how it begins
	@$(call run,experiments repeat)

report: $(SETUP)  ## write one HTML page of the whole store: OUT=STORE/report.html; its links lead into make ui: UI=http://127.0.0.1:5000
	@$(call run,experiments report)

models: $(SETUP)  ## list all registered models' versions: stage, score, run, age, size; JSON=1 for scripts
	@$(call run,experiments models)

runs: $(SETUP)  ## list the newest runs: N=20 EXPERIMENT=; JSON=1 for scripts
	@$(call run,experiments runs)

promote: $(SETUP)  ## move a version to a stage unless there is a reason against it: MODEL=cats-vae VERSION=3; STAGE=Production FORCE=1
	@$(call run,experiments promote)

archive: $(SETUP)  ## take a version out of its stage: MODEL=cats-vae VERSION=3; FORCE=1
	@$(call run,experiments archive)

rollback: $(SETUP)  ## bring back the version that was in Production before: MODEL=cats-vae
	@$(call run,experiments rollback)

history: $(SETUP)  ## list which version was in Production, when and why: MODEL=cats-vae; JSON=1 for scripts
	@$(call run,experiments history)

delete: $(SETUP)  ## delete for good: RUN=id with its children, or MODEL=cats-vae VERSION=3, or STUDY=name; DRY_RUN=1 only tells
	@$(call run,experiments delete)

gc: $(SETUP)  ## delete what was deleted in MLflow's pages, files of no run, lock files of nobody; DRY_RUN=1 only tells
	@$(call run,experiments gc)

move-store: $(SETUP)  ## copy a folder's store into a database, and compare the two: TO=postgresql://user@host/db ARTIFACTS=folder|s3://...; STUDIES= SERVED=1
	@$(call run,experiments move-store)

ui: $(SETUP)  ## browse runs and models with MLflow on 127.0.0.1: PORT=5000
	@$(call run,experiments ui)

dashboard: $(SETUP)  ## browse studies with optuna-dashboard on 127.0.0.1: PORT=8080
	@$(call run,experiments dashboard)

demo: $(SETUP)  ## try the models in a browser, draw a sum with the mouse, see studies, on 127.0.0.1: PORT=7860
	@$(call run,experiments demo)

notebooks: $(SETUP)  ## execute the notebooks, into STORE/notebooks: STORE=mlruns ONLY=VAE; INPLACE=1: where they are
	@$(call run,experiments.notebooks)

docs: $(SETUP)  ## make the documentation site, in site/; a broken link fails
	@# In a copy: Zensical 0.0.73 waits for ever in a folder of more than 65,000 files, as .venv has.
	@rm -rf .docs site && mkdir .docs && cp -R README.md CONTRIBUTING.md CHANGELOG.md zensical.toml docs library .docs
	@cd .docs && ../.venv/bin/zensical build --strict
	@mv .docs/site . && rm -rf .docs

bench: $(SETUP)  ## measure what README.md states; ONLY=throughput for one row
	@$(VENV) -m experiments.benchmarks $(flags)

faults: $(SETUP)  ## kill, fill the disk, spoil inputs, and print what that cost: ONLY=kills for one row, SCALE=0.1 SEED=0
	@$(VENV) -m tests.faults $(flags)

test: $(SETUP)  ## the quick tests, before a commit
	@$(PYTEST) -m "not slow and not nightly"

test-all: $(SETUP)  ## all tests
	@$(PYTEST)

check: $(SETUP)  ## format, lint, types, all tests but the nightly ones
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PYTEST) -m "not nightly"

format: $(SETUP)  ## format, and mend what lint can
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock: $(SETUP)  ## pin the newest versions that pyproject.toml allows, with hashes (needs uv)
	@uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

setup: $(SETUP)  ## make .venv from the lock file; every other target does that by itself

$(SETUP): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"error: {sys.executable} is Python {v[0]}.{v[1]}; allowed are 3.11 to 3.13: make PYTHON=python3.12")'
	@echo "Setting up .venv from requirements.lock: three minutes and 4 GB, once"
	@$(PYTHON) -m venv .venv
	@$(VENV) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@touch $@

clean:  ## remove .venv, caches and the documentation site, never the store
	rm -rf .venv .docs site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
