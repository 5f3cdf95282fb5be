"""The plots of the page hold the numbers of the figures' own files, told apart as the figures do."""

from __future__ import annotations

import fabricated
import pandas as pd
import pytest

from echochamber import figures
from echochamber.analysis.behaviours import join
from echochamber.analysis.tables import tables
from echochamber.figures.style import FORMAT_COLOURS, FORMAT_MARKERS
from echochamber.formats import FORMATS
from echochamber.report.looks import LINES, PATHS
from echochamber.report.plots import KINDS, MOST_POINTS, plot
from echochamber.report.study_sections import FIGURES_IN_WORDS
from echochamber.settings import FIGURES

COMMON = {"prompts": ["synth-gsm"], "benchmarks": ["synth-gsm"], "mixtures": ["tg+omi1+omi2"]}
STUDIES = {
    "one": {"algorithms": ["grpo", "ei"], "figures": ["formats", "passk", "algorithms", "errors", "process"]} | COMMON,
    "kl": {
        "algorithms": ["grpo", "grpo-kl.1"],
        "figures": ["kl", "dynamics", "trajectories", "stationary"],
        "run_seeds": [0, 1],
    }
    | COMMON,
    "two": COMMON
    | {"algorithms": ["grpo"], "mixtures": ["tg+omi1+omi2", "tg+4xomi1"], "scales": ["pico", "nano"]}
    | {"figures": ["mixtures", "scales", "transfer", "benchmarks"], "benchmarks": ["synth-gsm", "synth-math"]},
    "three": COMMON
    | {"algorithms": ["grpo"], "mixtures": ["tg+omi1+omi2", "tg+4xomi1"], "model_seeds": [0, 1, 2]}
    | {"figures": ["map", "forecast", "bases", "styles"]},
    "four": COMMON | {"algorithms": ["grpo", "ei"], "figures": ["behaviours", "amplified"]},
}
BEHAVIOURS = {"formats": {"preset": "formats"}, "habits": {"marks": {"boxes": r"boxed\{", "says so": "(?i)so "}}}
DRAWN = {"map": "accuracy_gap", "forecast": "probability_of_first"}
"""Kinds whose file calls what is drawn otherwise than `estimate`."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    file = fabricated.grid_file(**STUDIES) | {"behaviours": BEHAVIOURS}
    grid = fabricated.of(file, tmp_path_factory.mktemp("results"))
    fabricated.fabricate(grid, questions=8, steps=(1, 16))
    fabricated.label(grid)
    built = tables.build(grid)
    built |= join.join(grid, built["outcomes"])
    built |= {"styles": fabricated.with_a_choice(built["styles"])}
    for study, kind in grid.figures:
        figures.save(*figures.draw(grid, study, kind, built), grid.paths.figures / f"{study}-{kind}")
    return grid.paths.figures


def points(drawn: dict) -> list[tuple[str, str, list]]:
    """(y, series, point) of everything that is drawn."""
    return [
        (panel["y"], series["series"], point)
        for panel in drawn["panels"]
        for series in panel["series"]
        for point in series["points"]
    ]


def test_every_kind_of_figure_has_a_plot_and_words():
    assert set(FIGURES_IN_WORDS) == set(FIGURES)
    assert set(KINDS) == set(FIGURES)


@pytest.mark.parametrize("name", [f"{study}-{kind}" for study, s in STUDIES.items() for kind in s["figures"]])
def test_a_plot_holds_every_number_of_its_figure(folder, name):
    kind = name.split("-")[1]
    data = pd.read_csv(folder / f"{name}.csv")
    drawn = plot(kind, folder / f"{name}.csv")
    got = points(drawn)
    if kind == "dynamics":  # measured in both panels, bands joined to their lines
        data = data[data["measure"] != "drift"]
        assert {p[1] for *_, p in got} == {float(f"{value:.4g}") for value in data["estimate"]}
        assert any(low is not None for _, series, (_, _, low, _) in got if "natural" in series)
    else:
        shown = [*data[DRAWN.get(kind, "estimate")].dropna(), *data.get("published", pd.Series(dtype=float)).dropna()]
        wanted = sorted(float(f"{value:.4g}") for value in shown)
        assert sorted(point[1] for *_, point in got) == wanted
        ends = sorted(float(f"{value:.4g}") for value in data.get("low", pd.Series(dtype=float)).dropna())
        assert sorted(point[2] for *_, point in got if point[2] is not None) == ends
    for panel in drawn["panels"]:
        for series in panel["series"]:
            assert len(series["points"]) <= MOST_POINTS + 1
    if drawn["x"]["scale"] == "names":
        assert {p[0] for *_, p in got} <= {tick for tick, _ in drawn["x"]["ticks"]}


def test_a_format_has_its_colour_and_mark_and_what_is_not_one_has_others(folder):
    for name in ("one-formats", "kl-kl", "two-mixtures", "kl-dynamics", "kl-stationary", "three-bases"):
        for look in plot(name.split("-")[1], folder / f"{name}.csv")["key"]:
            format = look["series"].split(",")[0]
            if format in FORMATS:
                marker = "+" if look["open"] and FORMAT_MARKERS[format] in LINES else FORMAT_MARKERS[format]
                assert (look["colour"], look["marker"]) == (FORMAT_COLOURS[format], marker)
            else:
                assert look["colour"] not in FORMAT_COLOURS.values()
            assert look["marker"] in PATHS


def test_series_of_a_plot_are_told_apart_without_colour(folder):
    for name in (
        "one-formats",
        "one-passk",
        "one-algorithms",
        "two-mixtures",
        "two-scales",
        "one-process",
        "two-benchmarks",
        "four-behaviours",
        "four-amplified",
    ):
        key = plot(name.split("-")[1], folder / f"{name}.csv")["key"]
        looks = {(look["marker"], look["open"] and look["marker"] not in LINES, tuple(look["dash"])) for look in key}
        assert len(looks) == len(key), name


def test_what_is_foretold_of_a_label_has_its_colour(folder):
    looks = {look["series"]: look for look in plot("behaviours", folder / "four-behaviours.csv")["key"]}
    assert {"omi1", "boxes", "says so", "boxes, foretold"} <= set(looks)
    for name, look in looks.items():
        label = name.removesuffix(", foretold")
        assert look["colour"] == looks[label]["colour"]
        assert look["open"] == (label != name)
    assert looks["omi1"]["colour"] == FORMAT_COLOURS["omi1"]
    assert len({looks[name]["colour"] for name in ("omi1", "boxes", "says so")}) == 3


def test_seeds_of_few_replicates_are_lines_of_their_own(folder):
    drawn = plot("kl", folder / "kl-kl.csv")
    share = next(panel for panel in drawn["panels"] if panel["y"] == "share of completions")
    assert {series["seed"] for series in share["series"] if series["series"] == "tinygsm"} == {"0", "1"}


def test_nothing_where_there_is_no_file(tmp_path):
    assert plot("formats", tmp_path / "x.csv") is None
