# make demo    from nothing to a coded photograph, a bitstream for the ULX3S-85F, and a crop through the same array simulated;
#              DEMO_ROWS=12 DEMO_COLS=12 for the largest array that the board holds
# make test    lint, then the tests, on two cores, but for those of make regress
# make regress the long tests: of more shapes, whole pictures, places and routes
# make lint    ruff, linter and formatter; mypy, types
# make docs    the pages and the public API as a site, under out/docs; a warning is an error
# make census  what makes the tree hard to carry on, counted; SINCE=REV puts a column of before beside it, PLACES=1 lists the places
# make formal  proofs of queues, buffers and arbiters by SymbiYosys, each with faults that it must find
# make bench   figures as JSON, one file a bench and a summary; BENCH='--quick' or BENCH='--only layer codec' for less

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m
OUT ?= out
BOARD ?= ulx3s-85f
# Small enough that the demo ends within eight minutes on two cores, which fip takes longer to route for; what is built is
# what is simulated.
DEMO_ROWS ?= 4
DEMO_COLS ?= 6
DEMO_SHAPE = --rows $(DEMO_ROWS) --cols $(DEMO_COLS) --arithmetic direct
export OMP_NUM_THREADS ?= 1

.PHONY: demo demo-build demo-simulate docs test regress formal lint census bench clean

# Installs are redone when what they install from has changed, and only then.
STAMP = $(VENV)/.licgate

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP)-demo: $(VENV)/bin/python pyproject.toml setup.py constraints.txt
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(STAMP)-dev: $(VENV)/bin/python pyproject.toml setup.py constraints.txt
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev,docs,train,board,usb]'
	touch $@ $(STAMP)-demo $(STAMP)-docs

$(STAMP)-docs: $(VENV)/bin/python pyproject.toml setup.py constraints.txt
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

demo: $(STAMP)-demo
	mkdir -p $(OUT)/demo
	$(VENV)/bin/python tests/bench/figures.py photograph --out $(OUT)/demo/cat.png
	$(RUN) licgate encode $(OUT)/demo/cat.png -o $(OUT)/demo/cat.lic --verify
	$(RUN) licgate decode $(OUT)/demo/cat.lic -o $(OUT)/demo/cat-decoded.png
	$(MAKE) --no-print-directory -j2 demo-build demo-simulate
	@echo "bitstream: $(OUT)/demo/top.bit   report: $(OUT)/demo/report.html"

# Parts of the demo that need nothing of each other.
demo-build:
	$(RUN) licgate build --board $(BOARD) $(DEMO_SHAPE) --out $(OUT)/demo

demo-simulate:
	$(VENV)/bin/python tests/bench/figures.py photograph --crop 96x64 --out $(OUT)/demo/photograph.png
	$(RUN) licgate simulate $(DEMO_SHAPE) --image $(OUT)/demo/photograph.png --json $(OUT)/demo/simulate.json

docs: $(STAMP)-docs
	$(RUN) sphinx --fail-on-warning --keep-going --quiet -c docs/site -d $(OUT)/docs-trees docs $(OUT)/docs
	@echo "site: $(OUT)/docs/index.html"

lint: $(STAMP)-dev
	$(RUN) ruff check .
	$(RUN) ruff format --check --quiet .
	$(RUN) mypy

test: lint
	$(RUN) pytest -n 2 --dist worksteal -m "not regress"

regress: $(STAMP)-dev
	$(RUN) pytest -n 2 --dist worksteal -m regress

formal: $(STAMP)-dev
	$(RUN) tests.formal.run

census:
	@$(PYTHON) -m tests.census $(if $(SINCE),--since $(SINCE)) $(if $(PLACES),--places)

bench: $(STAMP)-demo
	$(RUN) tests.bench.run --board $(BOARD) --out $(OUT)/bench $(BENCH)

clean:
	rm -rf $(OUT)
