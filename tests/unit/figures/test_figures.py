"""Every kind of figure on made-up tables: what is drawn is in the tables, and nothing overlaps or is cut off."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import fabricated
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from echochamber import figures
from echochamber.analysis.behaviours import join
from echochamber.analysis.studies import Condition, StudyView, kl_families, parameters, points
from echochamber.analysis.tables import tables
from echochamber.analysis.tables.join import TABLES
from echochamber.figures import palette, published, style, typeset
from echochamber.formats import FORMATS
from echochamber.grid import parsing
from echochamber.settings import FIGURES, Scale

ROOT = parsing.Path(__file__).parents[3]
RUNS = {"prompts": ["synth-gsm"], "algorithms": ["grpo"], "benchmarks": ["synth-gsm"]}
STUDIES = {
    "mixtures": RUNS | {"mixtures": ["tg", "tg+omi1+omi2", "tg+4xomi1"], "model_seeds": [0, 1, 2]},
    "algorithms": RUNS
    | {"mixtures": ["tg+omi1+omi2"], "algorithms": ["grpo", "ei"], "benchmarks": ["synth-gsm", "synth-math"]},
    "kl": RUNS | {"mixtures": ["tg+omi1+omi2"], "algorithms": ["grpo-kl0", "grpo", "grpo-kl.1"], "run_seeds": [0, 1]},
    "scales": RUNS | {"mixtures": ["tg+omi1+omi2"], "scales": ["mini", "pico"]},
    "forecast": RUNS | {"mixtures": ["tg+omi1+omi2", "tg+4xomi1", "tg+8xomi1"], "model_seeds": [0, 1, 2]},
    "behaviours": RUNS | {"mixtures": ["tg+omi1+omi2"], "algorithms": ["grpo", "ei"], "model_seeds": [0, 1, 2]},
    "bases": {"mixtures": ["tg", "tg+4xomi1"], "model_seeds": [0, 1], "models": ["theirs"]},
}
MODELS = {"theirs": {"import": "someone/theirs", "mixture": "tg+4xomi1", "scale": "nano"}}
DRAWN = {
    "formats": "mixtures",
    "passk": "mixtures",
    "mixtures": "mixtures",
    "algorithms": "algorithms",
    "transfer": "algorithms",
    "kl": "kl",
    "scales": "scales",
    "dynamics": "kl",
    "errors": "algorithms",
    "process": "algorithms",
    "bases": "bases",
    "styles": "mixtures",
    "trajectories": "kl",
    "benchmarks": "algorithms",
    "stationary": "kl",
    "map": "mixtures",
    "forecast": "forecast",
    "behaviours": "behaviours",
    "amplified": "behaviours",
}
BEHAVIOURS = {"code": {"preset": "code-or-prose"}, "habits": {"marks": {"boxes": r"boxed\{", "says so": "(?i)so "}}}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    file = fabricated.grid_file(**STUDIES) | {"models": MODELS, "behaviours": BEHAVIOURS}
    return fabricated.of(file, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def made(grid):
    fabricated.fabricate(grid, questions=30, steps=(1, 16, 128))
    fabricated.label(grid)
    built = tables.build(grid)
    return built | join.join(grid, built["outcomes"])


@pytest.fixture(scope="module")
def drawn(grid, made):
    tables_of = {"styles": made | {"styles": fabricated.with_a_choice(made["styles"])}}
    return {kind: figures.draw(grid, study, kind, tables_of.get(kind, made)) for kind, study in DRAWN.items()}


def test_every_kind_of_the_schema_is_drawn_here():
    assert set(DRAWN) == set(FIGURES)


@pytest.mark.parametrize("kind", FIGURES)
def test_text_is_inside_and_apart(drawn, kind):
    figure = drawn[kind][0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    out_of_view = {
        id(label)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible() and id(t) not in out_of_view]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in shown]
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= height + 1, text
    for (left, a), (right, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or down < 1, f"{left!r} lies on {right!r}"


@pytest.mark.parametrize("kind", FIGURES)
def test_panels_name_world_and_scale_and_captions_name_seeds_and_interval(grid, drawn, kind):
    figure, caption, _ = drawn[kind]
    for ax in figure.axes:
        assert ax.get_xlabel() or not ax.get_subplotspec().is_last_row()
        assert ax.get_ylabel() or ax.get_yticklabels()
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    scales = {"scales": ("pico", "mini")}.get(kind, ("nano",))
    texts = [t.get_text() for t in figure.findobj(Text)]
    assert all(any(scale in text for text in texts) for scale in scales)
    assert sum(grid.file.world == text for text in texts) == len(titles) > 0
    for word in ("seed", "95 %", "held-out questions", grid.file.world):
        assert word in caption


@pytest.mark.parametrize(
    ("kind", "metric", "format"), [("formats", "share", "omi1"), ("passk", "greedy_accuracy", None)]
)
def test_numbers_drawn_are_those_of_the_tables(made, drawn, kind, metric, format):
    data = drawn[kind][2]
    row = data[(data["metric"] == metric) & (data["mixture"] == "tg+4xomi1") & (data["step"] == 16)]
    row = (row[row["format"] == format] if format else row).iloc[0]
    scores = made["scores"]
    same = scores[(scores["metric"] == metric) & (scores["mixture"] == "tg+4xomi1") & (scores["scorer"] == "executed")]
    same = same[(same["step"] == 16) & same["algorithm"].notna()]
    same = same[same["format"] == format] if format else same
    assert row.n_seeds == len(same) == 3
    assert row.estimate == pytest.approx(same["estimate"].mean())
    half = 4.302653 * same["estimate"].std(ddof=1) / np.sqrt(3)
    assert (row.low, row.high) == pytest.approx((row.estimate - half, row.estimate + half))


def test_few_seeds_are_shown_each_by_itself(grid, made):
    view = StudyView(grid, "kl", made)
    condition = view.conditions[0]
    rows = view.measure(condition, "greedy_accuracy", "synth-gsm")
    shown = points(rows[rows["step"] == 128], view.of(condition))
    assert [p["seed"] for p in shown] == [0, 1]
    assert all(p["interval"] == "questions" for p in shown)


def test_kl_families_are_sorted_by_coefficient_and_differ_in_nothing_else(grid, made):
    (family,) = kl_families(StudyView(grid, "kl", made))
    assert [c.algorithm for c in family] == ["grpo-kl0", "grpo", "grpo-kl.1"]
    assert kl_families(StudyView(grid, "algorithms", made)) == []
    with pytest.raises(ValueError, match="differ in their KL alone"):
        figures.draw(grid, "algorithms", "kl", made)


def test_transfer_draws_the_gains_table(made, drawn):
    data = drawn["transfer"][2]
    mine = data[(data["algorithm"] == "ei") & (data["question_set"] == "synth-math") & (data["metric"] == "pass_at_k")]
    gains = made["gains"]
    gains = gains[
        (gains["algorithm"] == "ei") & (gains["question_set"] == "synth-math") & (gains["scorer"] == "executed")
    ]
    assert mine["estimate"].tolist() == pytest.approx(gains.loc[gains["metric"] == "pass_at_k", "estimate"].tolist())


def test_dynamics_draw_the_means_over_runs_at_what_was_sampled_before(made, drawn):
    data = drawn["dynamics"][2]
    at = {"algorithm": "grpo", "field": "natural", "scope": "pooled", "measure": "predicted", "format": "omi1"}
    mine, table = data, made["dynamics"][made["dynamics"]["mixture"] == "tg+omi1+omi2"]
    for column, value in at.items():
        mine, table = mine[mine[column] == value], table[table[column] == value]
    table = table[(table["scale"] == "nano") & (table["model_seed"] == 0)]
    assert mine["completions_sampled"].iloc[0] == 0  # the first batch is the base model's
    assert mine["estimate"].tolist() == pytest.approx(table.groupby("step")["estimate"].mean().tolist())
    assert (mine["n_seeds"] == 2).all()


def test_published_values_are_marked_as_published_and_say_whose_they_are(drawn):
    texts = [t.get_text() for t in drawn["mixtures"][0].findobj(Text)]
    assert any("published" in t for t in texts)
    assert "the paper (Figure 4a, 150m, gsm8k)" in drawn["mixtures"][1]


def test_one_colour_and_one_marker_a_format_told_apart_by_all():
    assert set(style.FORMAT_COLOURS) == set(FORMATS)
    for a, b in combinations(style.FORMAT_COLOURS.values(), 2):
        assert np.abs(np.subtract(to_rgb(a), to_rgb(b))).sum() > 0.3
    assert len(set(style.FORMAT_MARKERS.values())) == len(FORMATS)


def test_parameters_of_the_papers_models():
    """The paper's, less the embeddings: two untied ones of 32,000 x 768, one tied one of 32,000 x 2048."""
    small = Scale(width=768, layers=12, heads=12, intermediate=3072)
    large = Scale(width=2048, layers=16, heads=16, intermediate=8192, tied=True)
    assert parameters(small) == 162_398_208 - 2 * 32_000 * 768
    assert parameters(large) == 1_139_277_824 - 32_000 * 2048


def test_saved_files_are_the_same_each_time(grid, made, tmp_path):
    for name in ("a", "b"):
        figure, caption, data = figures.draw(grid, "mixtures", "passk", made)
        figures.save(figure, caption, data, tmp_path / name / "study-passk")
    for kind in (".pdf", ".png", ".csv", ".caption.txt"):
        first, second = ((tmp_path / n / f"study-passk{kind}").read_bytes() for n in ("a", "b"))
        assert first == second
        assert first
    assert len(pd.read_csv(tmp_path / "a" / "study-passk.csv")) == len(data)


def test_figures_import_no_torch():
    code = "import sys, echochamber.figures as f, echochamber.figures.formats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def diamonds(ax):
    """x of the published values in a panel -> how each is filled."""
    points = [line for line in ax.lines if line.get_marker() == "D" and line.get_color() == palette.PAPER]
    return {float(line.get_xdata()[0]): line.get_markerfacecolor() for line in points}


def test_published_values_stand_before_and_after_rl(grid, made, monkeypatch):
    """Before RL an open diamond, after RL a filled one, beside the mixture and the algorithm that they are of."""
    of = {"mixture": "tg", "scale": "150m", "dataset": "gsm8k", "metric": "greedy_accuracy", "source": "a study"}
    before, after, other = (
        published.Value(value, where="its table", kind=kind, **of)
        for value, kind in ((0.123, None), (0.456, "grpo"), (0.789, "ppo"))
    )
    monkeypatch.setattr(published, "VALUES", (before, after, other))
    figure, caption, _ = figures.draw(grid, "mixtures", "mixtures", made)
    assert diamonds(figure.axes[1]) == {0.123: "none", 0.456: palette.PAPER}
    assert "a study (its table, 150m, gsm8k)" in caption


def test_published_values_are_of_the_papers_algorithm_scale_and_questions():
    paper = parsing.load(ROOT / "config/paper.yaml")
    runs = pd.DataFrame(paper.index())
    nothing = {name: pd.DataFrame(columns=list(table)) for name, table in TABLES.items()} | {"runs": runs}
    view = StudyView(paper, "table7", nothing)
    on_gsm8k, on_math = (Condition("tg+omi2", "1b", "ppo", prompts) for prompts in ("gsm8k", "math"))
    greedy = {"benchmark": "math-500", "metric": "greedy_accuracy"}
    assert published.after(view, on_gsm8k, **greedy).value == 0.436
    assert published.after(view, on_math, **greedy) is None
    assert published.after(view, replace(on_gsm8k, algorithm="grpo"), **greedy) is None
    assert published.after(view, replace(on_gsm8k, algorithm="ppo-kl.01"), **greedy) is None
    assert published.after(view, replace(on_gsm8k, scale="150m"), **greedy) is None
    assert published.of_base(view, "tg+omi2", "1b", "aime-2022-2024", "pass_at_k", k=64).value == 0
    assert published.of_base(view, "tg+omi2", "1b", "aime-1983-2024", "pass_at_k", k=64) is None
    figure_20 = [Condition("8xtg", "150m", name, "gsm8k") for name in ("ppo", "ei", "ei-online", "grpo")]
    values = [published.after(view, c, "gsm8k", "greedy_accuracy") for c in figure_20]
    assert [v and v.value for v in values] == [0.6, 0.45, None, None]


def test_base_models_are_each_by_itself_trained_here_or_imported(made, drawn):
    _, caption, data = drawn["bases"]
    greedy = data[data["metric"] == "greedy_accuracy"].set_index("id")
    assert greedy["origin"].value_counts().to_dict() == {"trained here": 4, "imported": 1}
    scores = made["scores"]
    same = scores[(scores["metric"] == "greedy_accuracy") & (scores["scorer"] == "executed")].set_index("id")
    for name, row in greedy.iterrows():
        assert row.estimate == same.loc[[name], "estimate"].iloc[0]
    assert "Figure 4a" in caption


def test_base_models_of_one_mixture_and_scale_are_refused_where_runs_would_be_pooled(tmp_path):
    with pytest.raises(ValueError, match="one of each mixture and scale"):
        fabricated.grid(tmp_path, MODELS, one=RUNS | {"mixtures": ["tg+4xomi1"], "models": ["theirs"]})


def test_styles_show_the_winner_where_there_is_a_choice(grid, made, drawn):
    data = drawn["styles"][2]
    assert set(data["style"]) == {"quotes"}
    tg = data[(data["mixture"] == "tg") & (data["variant"] == "double")].set_index("step")["estimate"]
    assert set(data["format"]) == {"tinygsm"}
    assert tg.loc[[0, 128]].tolist() == pytest.approx([0.2, 0.9])
    with pytest.raises(ValueError, match="written in several styles"):
        figures.draw(grid, "mixtures", "styles", made)


def test_trajectories_have_a_panel_a_coefficient_in_order(drawn):
    figure, _, data = drawn["trajectories"]
    titles = [title for ax in figure.axes if (title := ax.get_title(loc="left"))]
    assert [title.split(" · ")[0] for title in titles] == ["KL 0", "KL 0.001", "KL 0.1"]
    share = data[(data["metric"] == "share") & (data["step"] == 128)].groupby(["coefficient", "format"])["estimate"]
    assert share.mean().loc[0.0, "tinygsm"] > share.mean().loc[0.1, "tinygsm"]


def test_the_end_of_the_first_pass_is_marked(grid, made, drawn):
    """Four passes of 32 batches of 256 completions."""
    (view, condition), *_ = [(v, c) for v in [StudyView(grid, "mixtures", made)] for c in v.conditions]
    assert view.first_pass(condition) == 32 * 256
    for kind in ("formats", "passk", "trajectories", "algorithms", "styles"):
        assert any(float(line.get_xdata()[0]) == 8192 for ax in drawn[kind][0].axes for line in ax.lines), kind


def test_the_theory_is_drawn_beside_its_nulls(made, drawn):
    data = drawn["stationary"][2]
    mine = data[(data["algorithm"] == "grpo-kl.1") & (data["measure"] == "error") & (data["seed"] == 0)]
    table = made["theory"]
    table = table[(table["algorithm"] == "grpo-kl.1") & (table["measure"] == "error") & (table["run_seed"] == 0)]
    assert mine["estimate"].tolist() == pytest.approx(table["estimate"].tolist())
    assert {"base", "corrected", "measured", "error", "error_base"} <= set(data["measure"])


def test_the_map_has_a_base_model_a_point_and_the_winner_that_it_ended_with(made, drawn):
    data = drawn["map"][2]
    three = data[data["mixture"] == "tg+4xomi1"].set_index("seed")
    assert len(three) == 3
    scores = made["scores"]
    base = scores[(scores["mixture"] == "tg+4xomi1") & scores["algorithm"].isna() & (scores["scorer"] == "executed")]
    at = base[(base["model_seed"] == 1) & (base["question_set"] == "synth-gsm")].set_index(["metric", "format"])
    at = at["estimate"]
    two = at["share", "tinygsm"], at["share", "omi1"]
    assert three.loc[1, ["first", "second"]].tolist() == ["tinygsm", "omi1"]
    assert three.loc[1, "share_of_both"] == pytest.approx(two[0] / sum(two))
    gap = at["accuracy_within_format", "tinygsm"] - at["accuracy_within_format", "omi1"]
    assert three.loc[1, "accuracy_gap"] == pytest.approx(gap)
    assert set(three["winner"]) == {"tinygsm"}


def test_forecasts_are_drawn_with_what_came_of_them(made, drawn):
    """tinygsm wins in all nine models; in three of them it is the more frequent one."""
    data = drawn["forecast"][2]
    assert set(data.groupby("forecaster").size()) == {9}
    assert set(data["winner"]) == {"tinygsm"}
    hits = data.groupby("forecaster")["hit"].mean()
    assert hits["most frequent"] == pytest.approx(1 / 3)
    scores = made["scores"]
    base = scores[
        scores["algorithm"].isna() & (scores["scorer"] == "executed") & (scores["question_set"] == "synth-gsm")
    ].drop_duplicates(["mixture", "model_seed", "metric", "k", "format"])
    within = base[base["metric"] == "accuracy_within_format"].set_index(["mixture", "model_seed", "format"])["estimate"]
    right = [
        within[mixture, seed, "tinygsm"] > within[mixture, seed, "omi1"]
        for mixture in STUDIES["forecast"]["mixtures"]
        for seed in (0, 1, 2)
    ]
    assert hits["most accurate"] == pytest.approx(np.mean(right))


def test_a_shift_has_an_interval_over_questions(drawn):
    data = drawn["algorithms"][2]
    shift = data[(data["metric"] == "total_variation") & (data["step"] > 0)]
    assert (shift["low"] <= shift["estimate"]).all()
    assert (shift["estimate"] <= shift["high"]).all()
    assert ((shift["high"] - shift["low"]).between(0.01, 0.5)).all()


def test_the_table_of_benchmarks_has_what_is_drawn(drawn):
    _, caption, data = drawn["benchmarks"]
    table = typeset.of_figure("benchmarks", data)
    assert table[["question_set", "algorithm"]].drop_duplicates().shape[0] == 4
    row = data[(data["algorithm"] == "ei") & (data["question_set"] == "synth-math") & (data["metric"] == "pass_at_k")]
    after = row[row["stage"] == "after"].iloc[0]
    cell = f"{100 * after.estimate:.1f} [{100 * after.low:.1f}, {100 * after.high:.1f}]"
    shown = table[(table["algorithm"] == "ei") & (table["question_set"] == "synth-math")].iloc[0]
    assert shown["pass@4, after"] == cell
    assert shown["pass@16, after"] == ""
    lines = typeset.markdown(table, caption).splitlines()
    assert {line.count("|") for line in lines[: 2 + len(table)]} == {len(table.columns) + 1}
    tex = typeset.latex(pd.DataFrame({"a_b": ["50 %", "x & y"]}), "1 % of $")
    assert r"a\_b \\" in tex
    assert r"x \& y \\" in tex
    assert r"\caption{1 \% of \$}" in tex
