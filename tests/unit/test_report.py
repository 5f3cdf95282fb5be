"""The report on made-up tables: whole in itself, true to the tables; completions are shown as text."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import fabricated
import pytest

from echochamber import figures
from echochamber.analysis import claims, report, tables
from echochamber.analysis.thresholds import thresholds_sha256
from echochamber.files import write_json
from echochamber.settings import CLAIMS

STUDIES = {
    "algorithms": {
        "title": "Which format wins?",
        "mixtures": ["tg+omi1+omi2"],
        "model_seeds": [0, 1],
        "algorithms": ["grpo", "ei"],
        "prompts": ["synth-gsm"],
        "benchmarks": ["synth-gsm", "synth-math"],
        "figures": ["formats", "passk"],
        "claims": ["C1", "C2", "C10", "C11"],
    }
}
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order and collects what a browser would fetch, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        self.tags.add(tag)
        self.anchors |= {given["id"]} if "id" in given else set()
        self.links += [given["href"]] if "href" in given else []
        self.fetched += [given[name] for name in ("src", "data", "poster") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
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
    return report.render(grid, made, claims.evaluate(grid, made))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_one_file_that_needs_nothing_else(page):
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert len(page.fetched) == 2
    assert all(uri.startswith("data:image/png;base64,iVBORw0KGgo") for uri in page.fetched)
    assert "url(" not in page.text


def test_links_lead_somewhere(page):
    assert all(link.startswith("#") and link[1:] in page.anchors for link in page.links)


def test_it_says_what_was_asked_and_found(page, made, grid):
    text = page.text
    for expected in ("Which format wins?", grid.file.world, "tg+omi1+omi2", "123,456", "abc123", "torch 2.13.0"):
        assert expected in text
    for claim in CLAIMS:
        assert claim in page.words
    assert thresholds_sha256() in text
    assert "Chance" in text
    gain = made["gains"]
    gain = gain[(gain["algorithm"] == "ei") & gain["id"].isna() & (gain["question_set"] == "synth-gsm")]
    gain = gain[(gain["scorer"] == "strict") & (gain["metric"] == "greedy_accuracy")].iloc[0]
    assert report.interval(gain.estimate, gain.low, gain.high, signed=True) in text
    caption = (grid.paths.figures / "algorithms-formats.caption.txt").read_text().strip()
    assert caption in text


def test_completions_are_shown_as_text(html, page):
    assert "&lt;llm-code&gt;" in html
    assert "<llm-code>" not in html
    assert fabricated.TEXT["tinygsm"] in " ".join(page.words)
    assert "Ann has" in page.text


def test_an_outcome_in_numbers(grid, made):
    runs = made["runs"]
    found = report.outcome(grid, made, runs[runs["algorithm"] == "grpo"])
    scores = made["scores"]
    end = scores[(scores["algorithm"] == "grpo") & (scores["step"] == 128) & (scores["scorer"] == "strict")]
    end = end[(end["question_set"] == "synth-gsm") & (end["metric"] == "greedy_accuracy")]
    assert len(end) == found["seeds"] == 2
    assert found["greedy"][1] == pytest.approx(end["estimate"].mean())
    assert found["after"].startswith("tinygsm")
    assert found["stayed"]


def test_without_figures_and_provenance_it_still_says_the_rest(tmp_path):
    grid = fabricated.grid(tmp_path, **STUDIES)
    fabricated.fabricate(grid, questions=10, steps=(1,))
    made = tables.build(grid)
    page = Page(report.render(grid, made, claims.evaluate(grid, made)))
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
    assert report.interval(row.estimate, row.low, row.high, signed=True) in page.text


def test_intervals_in_words():
    assert report.interval(0.611, 0.52, 0.7) == "0.61 [0.52, 0.70]"
    assert report.interval(0.1, -0.05, 0.25, signed=True) == "+0.10 [-0.05, +0.25]"
    assert report.interval(0.1, float("nan"), float("nan")) == "0.10"


def test_the_report_imports_no_torch():
    code = "import sys, echochamber.analysis.report as r; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_errors_and_steps_are_those_of_the_tables_and_hostile_text_is_escaped(grid, made):
    table = made["errors"]
    row = table[table["id"].isna() & (table["among"] == "wrong") & (table["question_set"] == "synth-gsm")]
    row = row[(row["step"] == 0) & (row["algorithm"] == "grpo")].sort_values("estimate").iloc[-1]
    hostile = made["error_examples"].assign(completion="</pre><script>alert(1)</script>", evidence="<b>&")
    html = report.render(grid, made | {"error_examples": hostile}, claims.evaluate(grid, made))
    page = Page(html)
    assert page.open == []
    assert "script" not in page.tags
    assert "&lt;script&gt;" in html
    assert report.interval(row.estimate, row.low, row.high) in page.text
    steps = made["process"]
    steps = steps[steps["id"].isna() & (steps["measure"] == "pass_at_k_by_right_steps") & (steps["k"] == 16)]
    for step in steps.itertuples():
        assert report.interval(step.estimate, step.low, step.high) in page.text
