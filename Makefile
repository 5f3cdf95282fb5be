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
TRACKERS := build/trackers
SLURM_CLUSTER := build/slurm-cluster

.PHONY: help grid-is-read demo test test-fast lint format accept-code findings part keep keep-check register figures report report-now compare plan status watch clean-results slurm-plugin slurm-up slurm-down
help:
	@echo "make demo           run $(GRID): corpora, training, RL, evaluation, figures, report (6 to 12 minutes on two cores)"
	@echo "make test           lint and the whole test suite"
	@echo "make test-fast      the tests of the rooms that are tested in seconds, for the edit loop"
	@echo "make figures        draw the figures of $(GRID) (and make what they need)"
	@echo "make report         write its report page"
	@echo "make report-now     write the report of what is finished of it (results/.../now), also beside a running one"
	@echo "make compare WITH=results/other   compare it with another grid, or itself under another commit"
	@echo "make plan           print what its jobs take (tokens, FLOPs, hours, memory, disk) before anything runs"
	@echo "make findings       make verdicts, figures and page of results/findings again from its tables (GRID=config/packs/... of a pack)"
	@echo "make register         fix $(GRID) and the thresholds before its runs (NOTE=... for an amendment)"
	@echo "make part STUDY=s SEED=k   run what study s of $(GRID) needs of pretraining seed k, and keep it"
	@echo "make keep STUDY=s SEED=k   keep what study s of $(GRID) has of pretraining seed k in results/findings"
	@echo "make status         how far $(GRID) is, also beside a running one; make watch shows it every 5 seconds"
	@echo "make lint           ruff, import-linter, mypy --strict, patterns of re, snakefmt, snakemake --lint"
	@echo "make accept-code    declare that changes of the code change no result (but of stages whose version was raised)"
	@echo "make clean-results  remove the results of $(GRID)"
	@echo "make slurm-plugin   install what --profile profiles/slurm needs (docs/cluster.md)"
	@echo "make slurm-up       start a Slurm on this machine, for tests (root, Debian); make slurm-down stops it"
	@echo "GRID=config/other.yaml chooses another grid, CORES=4 how many cores to use"

# What is wrong with the grid file, in one line: Snakemake reads it before the Snakefile does, and shows a traceback.
grid-is-read: $(READY)
	@$(BIN)/python -m echochamber.grid.parsing $(GRID) > /dev/null

demo: grid-is-read
	@$(BIN)/snakemake --cores $(CORES) --configfile $(GRID)
	@$(BIN)/python workflow_scripts/show_answers.py --grid $(GRID)

test: lint $(TRACKERS)/.ready $(if $(shell command -v slurmctld),$(SLURM_PLUGIN)/.ready)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile tests

# For the edit loop: the rooms whose tests need no model, no child process and no Snakemake.
FAST := stats formats algorithms grid corpora test_patterns.py test_printable.py test_rooms.py

test-fast: $(READY)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile $(addprefix tests/unit/,$(FAST))

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/python tests/lint/patterns.py echochamber workflow_scripts rules benchmarks tests
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile config/demo.yaml

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

accept-code: $(READY)
	@$(BIN)/python -m echochamber.grid.code_lock

figures report: grid-is-read
	$(BIN)/snakemake $@ --cores $(CORES) --configfile $(GRID)

KEEP = $(BIN)/python workflow_scripts/keep_findings.py --grid $(GRID) --study $(STUDY) --seed $(SEED) --out $(FINDINGS)
FINDINGS = results/findings/$(basename $(notdir $(GRID)))

findings: GRID := config/study.yaml
findings: $(READY)
	$(BIN)/python workflow_scripts/draw_findings.py --grid $(GRID) --tables $(FINDINGS) --out $(FINDINGS)

# What stands there already is not made again, whatever stopped it.
part: grid-is-read
	$(BIN)/snakemake --cores $(CORES) --configfile $(GRID) --keep-going $$($(KEEP) --files)
	$(KEEP)

keep: $(READY)
	$(KEEP)

keep-check: $(READY)
	$(BIN)/python workflow_scripts/keep_check.py --grid config/check.yaml --out results/findings/check/base-models.csv

register: $(READY)
	$(BIN)/python workflow_scripts/register.py --grid $(GRID) --note "$(NOTE)"

report-now: $(READY)
	@$(BIN)/python workflow_scripts/write_report_now.py --grid $(GRID)

compare: grid-is-read
	$(BIN)/snakemake compare --cores $(CORES) --configfile $(GRID) --config with=$(WITH)

plan: grid-is-read
	@$(BIN)/snakemake plan --cores 1 --quiet rules progress host --configfile $(GRID)

status: $(READY)
	@$(BIN)/python workflow_scripts/show_status.py --grid $(GRID)

watch: $(READY)
	@$(BIN)/python workflow_scripts/show_status.py --grid $(GRID) --every 5

clean-results: $(READY)
	$(BIN)/python -m echochamber.grid.parsing $(GRID) | xargs rm -rf

slurm-plugin: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-slurm.lock

slurm-up: $(SLURM_PLUGIN)/.ready
	tests/slurm/cluster.sh up $(SLURM_CLUSTER)

slurm-down:
	tests/slurm/cluster.sh down $(SLURM_CLUSTER)

$(SLURM_PLUGIN)/.ready: requirements-slurm.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(SLURM_PLUGIN) --requirement $<
	touch $@

# What the tests of trackers use, beside the environment.
$(TRACKERS)/.ready: requirements-trackers.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(TRACKERS) --requirement $<
	touch $@

# The lock file names exact versions; the project itself is installed in place.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: found " + sys.version.split()[0] + ", allowed: 3.11 or newer (make PYTHON=...)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
