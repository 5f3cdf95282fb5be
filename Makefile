# make demo and make test do all their own set-up; the second time it is skipped.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
GRID ?= config/demo.yaml
CORES ?= all

# What the slurm profile needs on top, beside the environment: with it installed there, every call of Snakemake would
# wait for a Slurm controller that this machine may not have.
SLURM_PLUGIN := build/slurm-plugin
SLURM_CLUSTER := build/slurm-cluster

.PHONY: help demo test lint format figures report plan status watch clean-results slurm-plugin slurm-up slurm-down
help:
	@echo "make demo           run $(GRID): corpora, training, RL, evaluation, figures, report (7 to 15 minutes on two cores)"
	@echo "make test           lint and the whole test suite"
	@echo "make figures        draw the figures of $(GRID) (and make what they need)"
	@echo "make report         write its report page"
	@echo "make plan           print what its jobs take (tokens, FLOPs, hours, memory, disk) before anything runs"
	@echo "make status         how far $(GRID) is, also beside a running one; make watch shows it every 5 seconds"
	@echo "make lint           ruff, snakefmt, snakemake --lint"
	@echo "make clean-results  remove the results of $(GRID)"
	@echo "make slurm-plugin   install what --profile profiles/slurm needs (docs/cluster.md)"
	@echo "make slurm-up       start a Slurm on this machine, for tests (root, Debian); make slurm-down stops it"
	@echo "GRID=config/other.yaml chooses another grid, CORES=4 how many cores to use"

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile $(GRID)

test: lint $(if $(shell command -v slurmctld),$(SLURM_PLUGIN)/.ready)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup tests

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile config/demo.yaml

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

figures report: $(READY)
	$(BIN)/snakemake $@ --cores $(CORES) --configfile $(GRID)

plan: $(READY)
	@$(BIN)/snakemake plan --cores 1 --quiet rules progress host --configfile $(GRID)

status: $(READY)
	@$(BIN)/python workflow_scripts/show_status.py --grid $(GRID)

watch: $(READY)
	@$(BIN)/python workflow_scripts/show_status.py --grid $(GRID) --every 5

clean-results: $(READY)
	$(BIN)/python -m echochamber.loading $(GRID) | xargs rm -rf

slurm-plugin: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-slurm.lock

slurm-up: $(SLURM_PLUGIN)/.ready
	tests/slurm/cluster.sh up $(SLURM_CLUSTER)

slurm-down:
	tests/slurm/cluster.sh down $(SLURM_CLUSTER)

$(SLURM_PLUGIN)/.ready: requirements-slurm.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(SLURM_PLUGIN) --requirement $<
	touch $@

# The lock file names exact versions; the project itself is installed in place.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: found " + sys.version.split()[0] + ", allowed: 3.11 or newer (make PYTHON=...)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
