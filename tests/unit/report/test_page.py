"""The report on made-up tables: whole in itself, true to the tables; completions are shown as text."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import fabricated
import numpy as np
import pandas as pd
import pytest

from echochamber import figures
from echochamber.analysis.claims import claims
from echochamber.analysis.claims.thresholds import thresholds_sha256
from echochamber.analysis.tables import tables
from echochamber.jobs.files import write_json
from echochamber.report import report_facts as facts
from echochamber.report import report_tables, web
from echochamber.report.answers import answer
from echochamber.report.numbers import interval
from echochamber.report.overview import outcome
from echochamber.report.page import counts, render
from echochamber.rl.mismatch import LIMITS
from echochamber.settings import CLAIMS
from echochamber.settings.claims import PACKS

STUDIES = {
    "algorithms": {
        "title": "Which format wins?",
        "mixtures": ["tg+omi1+omi2"],
        "model_seeds": [0, 1],
        "algorithms": ["grpo", "ei"],
        "prompts": ["synth-gsm"],
        "benchmarks": ["synth-gsm", "synth-math"],
        "figures": ["formats", "passk"],
        "claims": ["C1", "C2", "C11", "C14"],
    }
}
VOID = {"meta", "img", "br", "link", "hr", "input", "rect", "path", "use"}
FIGURES = 2


class Page(HTMLParser):
    """Checks that tags close in order and collects what a browser would fetch, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_startendtag(self, tag: str, attributes: list) -> None:
        self.handle_starttag(tag, attributes)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        self.attributes |= given.keys()
        self.tags.add(tag)
        self.anchors |= {given["id"]} if "id" in given else set()
        self.links += [given["href"]] if "href" in given else []
        self.fetched += [given[name] for name in ("src", "data", "poster") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), **STUDIES)
    fabricated.fabricate(grid, questions=20, steps=(1, 128))
    for run in grid.runs.values():
        record = {"versions": {"torch": "2.13.0"}, "git_commit": "abc123", "device": "cpu", "seconds": 61.5}
        write_json(grid.paths.job(run) / "provenance.json", record)
    sources = {name: {"share": 1 / 3} for name in ("tinygsm", "omi1", "omi2")}
    write_json(grid.paths.mixture("tg+omi1+omi2"), {"sources": sources, "tokens": 123456, "background_share": 0.0})
    return grid


@pytest.fixture(scope="module")
def made(grid):
    return tables.build(grid)


@pytest.fixture(scope="module")
def html(grid, made):
    for study, kind in grid.figures:
        figures.save(*figures.draw(grid, study, kind, made), grid.paths.figures / f"{study}-{kind}")
    text, beside = render(grid, made, claims.evaluate(grid, made))
    assert beside == {}
    return text


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_one_file_that_needs_nothing_else(page):
    assert page.open == []
    assert not page.tags & {"link", "iframe", "object", "embed", "base", "form"}
    assert "style" not in page.attributes
    assert not [name for name in page.attributes if name.startswith("on")]
    assert len(page.fetched) == FIGURES
    assert all(uri.startswith("data:image/png;base64,iVBORw0KGgo") for uri in page.fetched)
    assert not re.search(r"url\(|@import", web.style())


def test_links_lead_somewhere(page):
    assert all(link.startswith("#") and link[1:] in page.anchors for link in page.links)
    assert {"#study-algorithms", "#completions", "#claims", "#tables", "#provenance"} <= set(page.links)


def test_the_first_screen_answers_each_question_with_its_number_and_interval(html, made, grid):
    first = html[html.index('<section id="top">') : html.index('id="found"')]
    text = Page(f"<div>{first}</div>").text
    found = answer(grid, made, claims.evaluate(grid, made), "algorithms")
    assert STUDIES["algorithms"]["title"] in text
    for line in found.lines:
        assert f"{line.winner} {line.share}".replace("\N{NO-BREAK SPACE}", " ") in text
        assert line.gain in text
    for ruling in found.rulings:
        assert ruling.hypothesis in text
    assert "inconclusive" in text


def test_it_says_what_was_asked_and_found(page, made, grid):
    text = page.text
    for expected in ("Which format wins?", grid.file.world, "tg+omi1+omi2", "123,456", "abc123", "torch 2.13.0"):
        assert expected in text
    for claim in set(CLAIMS) - set(PACKS):
        assert claim in page.words
    assert thresholds_sha256(grid.file) in text
    assert "Chance" in text
    gain = made["gains"]
    gain = gain[(gain["algorithm"] == "ei") & gain["id"].isna() & (gain["question_set"] == "synth-gsm")]
    gain = gain[(gain["scorer"] == "executed") & (gain["metric"] == "greedy_accuracy")].iloc[0]
    assert interval(gain.estimate, gain.low, gain.high, signed=True) in text
    caption = (grid.paths.figures / "algorithms-formats.caption.txt").read_text().strip()
    assert caption in text


def test_each_claim_is_counted_once():
    rows = [("C1", "holds", True), ("C1", "exploratory", False), ("C2", "not in this grid", True)]
    rows += [("C2", "exploratory", False), ("C3", "exploratory", False), ("C3", "not in this grid", False)]
    rows += [("C4", "not in this grid", False), ("C4", "not in this grid", False)]
    found = counts(pd.DataFrame(rows, columns=["claim", "verdict", "primary"]))
    assert found == {"holds": 1, "fails": 0, "inconclusive": 0, "not in this grid": 2, "exploratory": 1}


def test_wrong_completions_are_shown_as_text(html, page):
    assert "&lt;llm-code&gt;" in html
    assert "<llm-code>" not in html
    assert fabricated.TEXT["tinygsm"] in " ".join(page.words)
    assert "Ann has" in page.text


def test_an_outcome_in_numbers(grid, made):
    runs = made["runs"]
    found = outcome(grid, made, runs[runs["algorithm"] == "grpo"])
    scores = made["scores"]
    end = scores[(scores["algorithm"] == "grpo") & (scores["step"] == 128) & (scores["scorer"] == "executed")]
    end = end[(end["question_set"] == "synth-gsm") & (end["metric"] == "greedy_accuracy")]
    assert len(end) == found["seeds"] == 2
    assert found["greedy"][1] == pytest.approx(end["estimate"].mean())
    assert found["after"].startswith("tinygsm")
    assert found["stayed"]


def test_without_figures_and_provenance_it_still_says_the_rest(tmp_path):
    grid = fabricated.grid(tmp_path, **STUDIES)
    fabricated.fabricate(grid, questions=10, steps=(1,))
    made = tables.build(grid)
    page = Page(render(grid, made, claims.evaluate(grid, made))[0])
    assert page.fetched == []
    assert "not recorded" in page.text


def test_analysis_tables(page, made):
    for title in (
        "Where the gain comes from",
        "Style inside the winning format",
        "Questions gained and lost",
        "What is wrong in wrong answers",
        "Right answers by right steps",
        "What the theory predicts",
    ):
        assert title in page.text
    part = made["decomposition"]
    part = part[part["id"].isna() & (part["algorithm"] == "grpo") & (part["question_set"] == "synth-gsm")]
    row = part[(part["part"] == "selection") & part["format"].isna()].iloc[0]
    assert interval(row.estimate, row.low, row.high, signed=True) in page.text


def test_intervals_in_words():
    assert interval(0.611, 0.52, 0.7) == "0.61 [0.52, 0.70]"
    assert interval(0.1, -0.05, 0.25, signed=True) == "+0.10 [-0.05, +0.25]"
    assert interval(0.1, float("nan"), float("nan")) == "0.10"


def test_the_report_imports_no_torch():
    code = "import sys, echochamber.report.page as r; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_errors_and_steps_are_those_of_the_tables_and_hostile_text_is_escaped(grid, made):
    table = made["errors"]
    row = table[table["id"].isna() & (table["among"] == "wrong") & (table["question_set"] == "synth-gsm")]
    row = row[(row["step"] == 0) & (row["algorithm"] == "grpo")].sort_values("estimate").iloc[-1]
    hostile = made["error_examples"].assign(completion="</pre><script>alert(1)</script>", evidence="<b>&")
    html, _ = render(grid, made | {"error_examples": hostile}, claims.evaluate(grid, made))
    page = Page(html)
    assert page.open == []
    assert "&lt;script&gt;alert" in html
    assert "<script>alert" not in html
    assert interval(row.estimate, row.low, row.high) in page.text
    steps = made["process"]
    steps = steps[steps["id"].isna() & (steps["measure"] == "pass_at_k_by_right_steps") & (steps["k"] == 16)]
    for step in steps.itertuples():
        assert interval(step.estimate, step.low, step.high) in page.text


def test_a_run_whose_reward_and_right_steps_part_is_named(grid, made):
    """Ten rows, windows of five: reward .30 to .90; by right steps .25 to .20 in one run, up with it in the others."""
    training = made["training"]
    log = training[training["algorithm"] == "grpo"].groupby("id").head(10)
    run = log["id"].iloc[0]
    reward = np.tile([0.3] * 5 + [0.9] * 5, log["id"].nunique())
    odd = (log["id"] == run).to_numpy()
    steps = np.where(odd, np.where(reward == 0.3, 0.25, 0.2), reward - 0.05)
    warning = np.where(odd & (reward == 0.9), 1.0, 0.0)
    log = log.assign(reward_mean=reward, right_steps_mean=steps, reward_minus_right_steps=reward - steps)
    tables = made | {"training": log.assign(audit_warning=warning)}
    html, _ = render(grid, tables, claims.evaluate(grid, made))
    text = Page(html).text
    runs = log["id"].nunique()
    assert f"reward and right steps have parted in 1 of the {runs} runs" in text
    first, *_ = (row for row in report_tables.audit(tables) if row["parted"])
    assert (first["reward"], first["right_steps"]) == (pytest.approx([0.3, 0.9]), pytest.approx([0.25, 0.2]))
    assert first["parted"] == log[odd]["step"].iloc[5]
    calm, _ = render(grid, made | {"training": log[~odd].assign(audit_warning=0.0)}, claims.evaluate(grid, made))
    assert "have parted" not in Page(calm).text
    assert "Reward beside right steps" in Page(calm).text


def test_a_sampler_that_is_not_the_trainers_is_warned_of(grid, made):
    """One run passes a limit of its precision, at its second row for the first time."""
    log = made["training"]
    runs = log[log["id"].isin(grid.runs)]
    id = runs["id"].iloc[0]
    mean, largest = LIMITS[grid.file.algorithms[grid.runs[id].algorithm].precision]
    steps = sorted(log.loc[log["id"] == id, "step"])
    names = {"sampling_logp_difference_mean": mean, "sampling_logp_difference_max": largest}
    calm = log.assign(**{name: np.where(log["id"].isin(grid.runs), limit / 2, np.nan) for name, limit in names.items()})
    worse = calm.assign(
        sampling_logp_difference_max=np.where(
            (log["id"] == id) & (log["step"] >= steps[1]), 3 * largest, calm["sampling_logp_difference_max"]
        )
    )
    assert facts.mismatch(grid, made | {"training": worse}) == [
        {
            "id": id,
            "step": steps[1],
            "mean": mean / 2,
            "largest": 3 * largest,
            "precision": grid.file.algorithms[grid.runs[id].algorithm].precision,
        }
    ]
    text = Page(render(grid, made | {"training": worse}, claims.evaluate(grid, made))[0]).text
    assert f"sampler and trainer differ in 1 of {len(grid.runs)} RL runs" in text
    assert f"{id}: since step {steps[1]}; at worst {mean / 2:.3g} nats" in text
    calm_page, _ = render(grid, made | {"training": calm}, claims.evaluate(grid, made))
    assert "sampler and trainer differ in" not in Page(calm_page).text
