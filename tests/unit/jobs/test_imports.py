"""What a job waits for before it begins: each script imports no library that it has no use for.

A list, not a time: seconds depend on the machine. `torch` alone takes 1.5 s, `transformers`' models 3 s more, `pandas`
.4 s, `scipy.stats` .6 s, `matplotlib` .3 s.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow_scripts"
ANYWHERE = {"snakemake", "datasets", "trl", "matplotlib.pyplot", "math_verify", "pytest"}
TORCH = {"torch", "transformers"}
TABLES = TORCH | {"sympy", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.integrate", "huggingface_hub"}
TEXT = TABLES | {"pandas", "pyarrow", "scipy"}
TRAINING = {"matplotlib", "scipy.stats", "scipy.integrate"}
MAY_NOT = {
    "compare_grids": TABLES,
    "download": TEXT,
    "draw_figure": TABLES,
    "draw_findings": TABLES,
    "evaluate_checkpoints": TRAINING,
    "find_questions": TEXT,
    "forecast_behaviours": TABLES,
    "join_behaviours": TABLES,
    "join_corpus": TEXT,
    "join_study": TABLES,
    "judge_claims": TABLES,
    "judge_errors": TABLES,
    "keep_check": TABLES,
    "keep_findings": TABLES,
    "label_evaluation": TABLES,
    "launch": TEXT,
    "make_forecast": TABLES,
    "make_mixture": TEXT,
    "make_plan": TABLES,
    "make_questions": TEXT,
    "make_tables": TABLES,
    "measure_evaluation": TABLES,
    "posttrain": TRAINING,
    "pretrain": TRAINING,
    "publish": TABLES,
    "register": TABLES,
    "show_answers": TABLES,
    "show_contamination": TEXT,
    "show_mixtures": TEXT,
    "show_prompt": TEXT,
    "show_status": TABLES,
    "start": TEXT,
    "tokenize_corpus": TEXT,
    "train_tokenizer": TEXT,
    "typeset_figure": TABLES,
    "write_report": TABLES,
    "write_report_now": TABLES,
}
"""Script -> modules that it does not import before it has read its spec."""


def imports(script: Path) -> str:
    """The import statements at the top of a script, which itself would run when imported."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def test_every_script_is_listed():
    assert sorted(MAY_NOT) == sorted(path.stem for path in SCRIPTS.glob("*.py"))


@pytest.mark.parametrize("name", MAY_NOT)
def test_imports_nothing_that_it_has_no_use_for(name):
    program = f"import sys\n{imports(SCRIPTS / f'{name}.py')}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert sorted(set(run.stdout.split()) & (MAY_NOT[name] | ANYWHERE)) == []
