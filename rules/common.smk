"""The grid that this call runs, and what all rules share."""

import json
import os
import re
import shlex
import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake.settings.types import DeploymentMethod

from echochamber.data import download
from echochamber.errors import UserError
from echochamber.jobs import brief, console, gpus, lock, trackers
from echochamber.grid import parsing, said
from echochamber.settings import NAME
from echochamber.settings.claims import pack_thresholds

GRID_FILES = [Path(name) for name in workflow.configfiles]
"""As the user named them: for errors."""

# What the rule `compare` compares with; no setting of the grid.
WITH = str(config.pop("with", ""))
# What the rule `publish` uploads and where to.
PUBLISHED = [f"--{key}={value}" for key in ("run", "to") if (value := config.pop(key, None))]
PUBLISHED += ["--public"] if str(config.pop("public", "")).lower() == "true" else []  # `true` is text to Snakemake

try:
    for grid_file in GRID_FILES:
        parsing.read(grid_file)  # sees what Snakemake's own reader does not: a key that stands twice
    GIVEN = ["--config"] if workflow.config_settings.config else []
    GRID = parsing.parse(dict(config), " + ".join([*map(str, GRID_FILES), *GIVEN]))
except parsing.GridError as error:
    raise WorkflowError(str(error)) from None

RESULTS = GRID.paths.root

# Snakemake itself knows whether it is a dry run only after this has been read.
DRY_RUN = any(re.fullmatch(r"--dry-?run|-[A-Za-z]*n[A-Za-z]*", word) for word in sys.argv)
if workflow.is_main_process and DRY_RUN:
    from echochamber.analysis.claims import needs

    if undecidable := needs.warning(GRID):
        logger.warning(undecidable)

if workflow.is_main_process:
    # A killed Snakemake leaves its lock files behind, and the next one would ask for --unlock. This file is locked by
    # the kernel as long as its owner lives: who gets it is alone, and any lock file it finds is a dead one's.
    try:
        ALONE = lock.hold(Path(".snakemake/alone"))
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if ALONE:
        for stale in Path(".snakemake/locks").glob("*.lock"):
            stale.unlink(missing_ok=True)

# On this machine no more jobs that want a GPU than there are GPUs, unless --resources gpu=N says so; without GPUs all run.
# Jobs that share one count by their hundredths of it, which Snakemake's whole numbers can say.
HERE = workflow.is_main_process and workflow.resource_settings.nodes is None
if HERE:
    if "gpu" not in workflow.global_resources and gpus.visible():
        workflow.register_resource("gpu", len(gpus.visible()))
    if "gpu" in workflow.global_resources and "gpu_percent" not in workflow.global_resources:
        workflow.register_resource("gpu_percent", 100 * workflow.global_resources["gpu"].value)

# A rule's command is `job STAGE --spec ... --out ...`: exec makes the script a child of Snakemake itself, so that it
# notices when Snakemake is gone, and saves and stops. Snakemake sets OMP_NUM_THREADS to the rule's threads. In a cluster's
# job an interrupted script puts that job back into the queue, so that Snakemake counts no failure.
IN_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = "python" if IN_CONDA else shlex.quote(sys.executable)
PYTHONPATH = f"{shlex.quote(workflow.basedir)}${{{{PYTHONPATH:+:$PYTHONPATH}}}}"  # before what the user has there
NO_BARS = "HF_HUB_DISABLE_PROGRESS_BARS=1"  # of libraries: they would stand in logs
SCRIPT = f"{NO_BARS} PYTHONPATH={PYTHONPATH} exec {PYTHON} {shlex.quote(workflow.basedir)}/workflow_scripts"
REQUEUE = "--requeue" if workflow.exec_mode == ExecMode.REMOTE else ""
COMPILED = shlex.quote(str((RESULTS / "compiled").absolute()))  # what torch compiles for one job serves all of them
TRACKERS = (  # of the environment, not of a job's spec: a tracker that is added reruns nothing
    f"export {trackers.NAMES}={','.join(GRID.file.trackers)} "
    f"{trackers.FOLDER}={shlex.quote(str((RESULTS / 'trackers').absolute()))}; "
    if GRID.file.trackers
    else ""
)
PREFIX = (  # {{ }}: it is formatted
    "set -euo pipefail; "  # Snakemake's own prefix, which this one replaces
    f"{TRACKERS}"
    f"export TORCHINDUCTOR_CACHE_DIR=${{{{TORCHINDUCTOR_CACHE_DIR:-{COMPILED}}}}}; "
    f'script() {{{{ script=$1; shift; {SCRIPT}/"$script".py "$@"; }}}}; '
    f'job() {{{{ stage=$1; shift; script start "$stage" --parent {os.getpid()} {REQUEUE} "$@"; }}}}; '
)
shell.prefix(PREFIX)
logger.addFilter(brief.Brief(PREFIX.format()))

# A line a finished job instead of ten. Whoever asks for more or less than usual (--verbose, --printshellcmds, --quiet, -n)
# gets Snakemake's own talk, and so does a cluster, whose jobs have numbers there.
TALK = workflow.output_settings
OWN_TALK = DRY_RUN or TALK.dryrun or TALK.verbose or TALK.quiet or TALK.printshellcmds
if workflow.is_main_process and workflow.resource_settings.nodes is None and not OWN_TALK:
    console.take_over(logger, console.About(partial(said.result, GRID), partial(said.how_far, GRID)))


wildcard_constraints:
    source=NAME.strip("^$"),
    shard="[0-9]{5}-of-[0-9]{5}",
    set=NAME.strip("^$"),
    split="train|test",
    mixture=NAME.strip("^$"),
    benchmark=NAME.strip("^$"),
    study=NAME.strip("^$"),
    figure="[a-z]+",


onstart:
    # Before any job: data that jobs are about to read and that are nowhere. What has been read already is not missed.
    to_read = [(job.rule.name, job.wildcards) for job in workflow.dag.needrun_jobs()]
    nowhere = download.missing(
        GRID,
        sources=[w.source for rule, w in to_read if rule in ("corpus_shard", "contamination_shard")]
        + (GRID.tokenizer_sources if any(rule == "tokenizer" for rule, _ in to_read) else []),
        questions=[(w.set, w.split) for rule, w in to_read if rule == "questions"],
        tokenizer=any(rule == "tokenizer" for rule, _ in to_read),
        models=any(rule in ("posttrain", "evaluate", "probe") for rule, _ in to_read),
    )
    if any(rule in ("pretrain", "posttrain") for rule, _ in to_read):
        nowhere += trackers.missing(GRID.file.trackers)
    if nowhere:
        sys.exit("\n".join(nowhere))
