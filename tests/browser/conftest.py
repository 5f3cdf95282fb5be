"""A report of a made-up grid with hostile completions, opened in the system's Chromium; skipped without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fabricated
import pandas as pd
import pytest
from hostile_texts import TEXTS

from echochamber import figures
from echochamber.analysis.behaviours import join
from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables
from echochamber.jobs.files import write_csv
from echochamber.report import completions, page

STUDIES = {
    "algorithms": {
        "title": "Which format wins?",
        "mixtures": ["tg+omi1+omi2"],
        "model_seeds": [0, 1, 2],
        "algorithms": ["grpo", "ei"],
        "prompts": ["synth-gsm"],
        "benchmarks": ["synth-gsm"],
        "figures": ["formats", "passk", "algorithms", "errors"],
        "claims": ["C1", "C2"],
    },
    "mixtures": {
        "title": "Does the frequent format win?",
        "mixtures": ["tg+4xomi1", "tg+8xomi1"],
        "algorithms": ["grpo"],
        "prompts": ["synth-gsm"],
        "benchmarks": ["synth-gsm"],
        "figures": ["mixtures", "dynamics", "behaviours", "amplified"],
        "claims": ["C4"],
    },
}
BEHAVIOURS = {"code": {"preset": "code-or-prose"}, "habits": {"marks": {"boxes": r"boxed\{"}}}
HOSTILE = "tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"
"""The run whose completions are `TEXTS`, again and again."""


@pytest.fixture(scope="session")
def grid(tmp_path_factory):
    file = fabricated.grid_file(**STUDIES) | {"behaviours": BEHAVIOURS}
    grid = fabricated.of(file, tmp_path_factory.mktemp("results"))
    fabricated.fabricate(grid, questions=10, steps=(1, 8))
    fabricated.label(grid)
    return grid


@pytest.fixture(scope="session")
def report(grid) -> Path:
    """report.html, with one page of completions beside it."""
    built = tables.build(grid)
    for study in grid.file.studies:
        joined = join.join(type(grid).of(grid.behaviours_spec(study)), built["outcomes"])
        for name, table in joined.items():
            write_csv(grid.paths.behaviours(study) / f"{name}.csv", table)
    for study, kind in grid.figures:
        labelled = join.read(grid, study)
        figures.save(*figures.draw(grid, study, kind, built | labelled), grid.paths.figures / f"{study}-{kind}")
    file = grid.paths.samples(HOSTILE, "synth-gsm")
    samples = pd.read_parquet(file)
    texts = [text for text in TEXTS if not any("\ud800" <= c <= "\udfff" for c in text)]
    hostile = [texts[i % len(texts)] for i in range(len(samples))]
    samples.assign(completion=hostile, answer_executed=hostile).to_parquet(file)
    rows = built["error_examples"]
    built["error_examples"] = rows.assign(completion=hostile[: len(rows)], evidence=hostile[: len(rows)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completions, "IN_REPORT", completions.pages(grid)[0].size - 1)
        main, beside = page.render(grid, built, claims.evaluate(grid, built))
    assert len(beside) == 1
    return page.save(main, beside, grid.paths.root)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """The browser of the system, without a network."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, chromium, **context) -> None:
        self.context = chromium.new_context(offline=True, **{"viewport": {"width": 1280, "height": 800}} | context)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.refused: dict[str, str] = {}
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", lambda request: self.refused.update({request.url: request.failure}))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))

    def go(self, path: Path, fragment: str = ""):
        self.page.goto(path.as_uri() + fragment)
        return self.page

    def show_all(self) -> None:
        """Scroll through the page, so that what waits to be seen is drawn."""
        self.page.evaluate(
            "async () => { for (let y = 0; y < document.body.scrollHeight; y += 500)"
            " { scrollTo(0, y); await new Promise((done) => setTimeout(done, 60)); } scrollTo(0, 0); }"
        )
        self.page.wait_for_timeout(300)


@pytest.fixture
def opened(chromium):
    """Opens pages; at the end none may have said anything or asked for more than files."""
    every: list[Opened] = []

    def open_one(**context) -> Opened:
        every.append(Opened(chromium, **context))
        return every[-1]

    yield open_one
    for one in every:
        one.context.close()
        assert one.said == []
        assert all(url.startswith(("file://", "data:", "blob:")) for url in one.asked), one.asked
