# The single door to the project: `make` prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
EXTRAS := fast,kitchen
NEWEST := .venv-newest
TORCH := $(shell grep '^torch==' constraints.txt)
TRITON := $(shell grep '^triton==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help install build demo tempclr tempclr-report captions captions-report report test test-slow test-gpu check check-newest format lint types cov bench bench-data bench-few-shot bench-heads bench-large-batch bench-noise bench-resuming bench-scaling bench-step bench-steps notebooks docs docs-serve clean

help:  ## Print this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "creating $(VENV) and installing vtlearn (a few minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) "$(TORCH)"
	@$(PIP) -e ".[$(EXTRAS)]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "installing what tests and checks need"
	@$(PIP) -e ".[$(EXTRAS),dev]"
	@touch $@

install: $(VENV)/installed  ## Create .venv with everything that training needs

demo: $(VENV)/installed  ## Render Kitchen, train VT-TWINS on it, test it: eight minutes on two cores
	$(BIN)/vtlearn fit --config configs/vttwins.yaml
	$(BIN)/vtlearn test --config configs/vttwins.yaml --ckpt_path best

report: $(VENV)/installed  ## Compare all heads over narrators of many faults, into docs/results.md: forty minutes, resumes
	$(BIN)/python benchmarks/report.py --report docs/results.md

DEMO := $(firstword $(wildcard runs/vttwins/version_*/checkpoints/best.ckpt))

tempclr: $(VENV)/installed  ## Train VideoCLIP and TempCLR on features by the demo's checkpoint: three minutes
	@test -n "$(DEMO)" || { echo "there is no checkpoint of the demo to make features by: make demo"; exit 1; }
	$(BIN)/python benchmarks/tempclr.py --checkpoint "$(DEMO)"

tempclr-report: $(VENV)/installed  ## The same with all arms, three seeds and two corpora, into docs/tempclr.md: half an hour
	@test -n "$(DEMO)" || { echo "there is no checkpoint of the demo to make features by: make demo"; exit 1; }
	$(BIN)/python benchmarks/tempclr.py --checkpoint "$(DEMO)" --seeds 0 1 2 --report docs/tempclr.md

captions: $(VENV)/installed  ## Caption videos by a captioner of pictures, and train on that, on speech and on pictures: ten minutes
	$(BIN)/python benchmarks/pseudolabels.py

captions-report: $(VENV)/installed  ## The same with three seeds, into docs/pseudolabels.md: half an hour
	$(BIN)/python benchmarks/pseudolabels.py --seeds 0 1 2 --report docs/pseudolabels.md

test: $(VENV)/installed-dev  ## Run the tests
	$(BIN)/python -m pytest

test-slow: $(VENV)/installed-dev  ## Run the tests that take minutes, the GPU's kernel in Triton's interpreter among them
	@test "$$(uname)" != Linux || $(PIP) "$(TRITON)"
	@$(PIP) -e ".[$(EXTRAS),dev,docs,export]"
	$(BIN)/python -m pytest -m slow

test-gpu: $(VENV)/installed-dev  ## Run the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

check: lint types  ## Run everything that can be said without running the code

check-newest:  ## Run the tests with the newest release of everything: PYTHON=python3.13 chooses the Python
	rm -rf $(NEWEST)
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip --disable-pip-version-check install --quiet -e ".[$(EXTRAS),dev]"
	@$(NEWEST)/bin/python -m pip --disable-pip-version-check freeze --exclude-editable
	$(NEWEST)/bin/python -m pytest

lint: $(VENV)/installed-dev  ## Run ruff and codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell vtlearn tests configs benchmarks docs README.md CHANGELOG.md CONTRIBUTING.md CITATION.cff Makefile mkdocs.yml pyproject.toml

types: $(VENV)/installed-dev  ## Run mypy --strict over package and tests
	$(BIN)/mypy

format: $(VENV)/installed-dev  ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

cov: $(VENV)/installed-dev  ## Run the tests and report which lines they reach
	$(BIN)/python -m pytest --cov=vtlearn --cov-report=term-missing:skip-covered

bench-heads: $(VENV)/installed  ## Train the four heads alike on Kitchen and print the table: half an hour
	$(BIN)/python benchmarks/heads.py

bench-few-shot: $(VENV)/installed  ## Train few-shot recognition on Kitchen by the demo's features, into docs/few_shot.md: ten minutes
	@test -n "$(DEMO)" || { echo "there is no checkpoint of the demo to make features by: make demo"; exit 1; }
	$(BIN)/python benchmarks/few_shot.py --checkpoint "$(DEMO)" --report docs/few_shot.md

bench-noise: $(VENV)/installed  ## Train Cali-NCE and its parts on captions that may not match, into docs/cali_nce.md: half an hour
	$(BIN)/python benchmarks/noise.py --seeds 0 1 2 --report docs/cali_nce.md

bench-scaling: $(VENV)/installed  ## Measure the parts of a training step, and compute how it scales to 512 GPUs: five minutes
	$(BIN)/python -W ignore benchmarks/scaling.py

bench-step: $(VENV)/installed  ## Time a training step against the same in a bare loop: ten minutes
	$(BIN)/python -W ignore benchmarks/step.py

bench-resuming: $(VENV)/installed  ## Stop trainings in awkward moments and compare them with one that was not: an hour
	$(BIN)/python benchmarks/resuming.py

bench-steps: $(VENV)/installed  ## Train step supervision on features by the demo's checkpoint, with the order of steps and without: five minutes
	@test -n "$(DEMO)" || { echo "there is no checkpoint of the demo to make features by: make demo"; exit 1; }
	$(BIN)/python benchmarks/steps.py --checkpoint "$(DEMO)"

bench: $(VENV)/installed  ## Time soft-DTW, the S2DTW step, retrieval and neighbours against other implementations: twenty minutes
	@$(PIP) -e ".[$(EXTRAS),bench,captions]"
	@mkdir -p runs
	$(BIN)/python -W ignore benchmarks/alignment.py --csv runs/alignment.csv
	$(BIN)/python benchmarks/full_video.py
	$(BIN)/python benchmarks/ranks.py
	$(BIN)/python benchmarks/neighbours.py
	$(BIN)/python benchmarks/order_step.py
	$(BIN)/python benchmarks/caption_metrics.py

bench-data: $(VENV)/installed  ## Time decoding, the captions of a million clips, and what training waits for: fifteen minutes
	@$(PIP) -e ".[$(EXTRAS),bench]"
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/captions.py
	$(BIN)/vtlearn data kitchen --root data/kitchen
	$(BIN)/python benchmarks/loading.py

bench-large-batch: $(VENV)/installed  ## Measure memory and time of a step by the size of chunks and tiles: an hour or two
	$(BIN)/python benchmarks/large_batch.py

notebooks: $(VENV)/installed  ## Execute every notebook in place of reading it
	@$(PIP) -e ".[$(EXTRAS),notebooks]"
	@for book in $(wildcard notebooks/*.ipynb); do \
		echo "executing $$book"; $(BIN)/jupyter execute "$$book" || exit 1; done

build: $(VENV)/installed-dev  ## Make the wheel and the source distribution, in dist/
	$(BIN)/python -m build --no-isolation

docs: $(VENV)/installed  ## Build the documentation's site into site/, without a network
	@$(PIP) -e ".[$(EXTRAS),docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

docs-serve: $(VENV)/installed  ## Show the site at http://127.0.0.1:8000, built again when a page changes
	@$(PIP) -e ".[$(EXTRAS),docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

clean:  ## Remove what was made, but for environments, data and runs
	rm -rf build dist site htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find vtlearn tests benchmarks -name __pycache__ -type d -exec rm -rf {} +
