"""The completion browser in Chromium: choices, pairs, reasons, checkpoints, pages beside; hostile text is inert."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hostile_texts import TEXTS

from echochamber.printable import printable_lines
from echochamber.report.web import LONGEST

HOSTILE = "tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"
OTHER = "tg+omi1+omi2/nano/seed0/ei/synth-gsm/seed0"
BASE = "tg+omi1+omi2/nano/seed0"


def choose(page, label: str, value: str) -> None:
    page.locator("#browser").get_by_label(label, exact=True).select_option(value)


def matching(page) -> int:
    status = page.locator("#browser .steps [role=status]")
    text = status.inner_text()
    return int(re.search(r"of (\d+) that match", text)[1]) if "that match" in text else 0


@pytest.fixture
def page(report, opened):
    page = opened().go(report, "#completions")
    page.locator("#browser pre").first.wait_for()
    return page


def test_choices_narrow_what_is_shown_to_what_the_samples_hold(page, grid):
    choose(page, "Model or run", OTHER)
    samples = pd.read_parquet(grid.paths.samples(OTHER, "synth-gsm"))
    last = samples[samples["step"] == samples["step"].max()]
    assert matching(page) == len(last)
    choose(page, "Right or wrong", "1")
    assert matching(page) == int(last["correct_executed"].sum())
    choose(page, "Decoding", "sample")
    right = last[last["correct_executed"] & (last["mode"] == "sample")]
    assert matching(page) == len(right)
    choose(page, "Format", "1")
    assert matching(page) == int((right["format"] == "omi1").sum()) > 0
    assert "omi1" in page.locator("#browser .tag").all_inner_texts()[1]
    choose(page, "Checkpoint", "1")
    first = samples[(samples["step"] == 1) & samples["correct_executed"] & (samples["mode"] == "sample")]
    assert matching(page) == int((first["format"] == "omi1").sum())
    choose(page, "Question", "q003")
    assert matching(page) == int(((first["format"] == "omi1") & (first["question_id"] == "q003")).sum())
    page.locator("#browser").get_by_label("Words in the completion").fill("nobody wrote this")
    page.keyboard.press("Tab")
    assert matching(page) == 0


def test_base_model_and_run_stand_side_by_side_for_the_same_question_and_sample(page, grid):
    choose(page, "Model or run", OTHER)
    choose(page, "Question", "q004")
    choose(page, "Decoding", "sample")
    for _ in range(3):
        page.get_by_role("button", name="Next").click()
    headings = page.locator("#browser .sides h4").all_inner_texts()
    assert headings == ["Base model, sample 3", "After RL, step 2, sample 3"]
    for id, heading, step in ((BASE, headings[0], 500), (OTHER, headings[1], 2)):
        rows = pd.read_parquet(grid.paths.samples(id, "synth-gsm"))
        row = rows[(rows["question_id"] == "q004") & (rows["step"] == step) & (rows["mode"] == "sample")]
        row = row[row["sample"] == 3].iloc[0]
        side = page.locator(f"#browser .sides > div:has(h4:text-is('{heading}'))")
        assert side.locator("pre").text_content() == row["completion"]
        assert side.locator(".tag").inner_text() == row["format"]
        assert ("✓ right" in side.inner_text()) == bool(row["correct_executed"])
        reasons = dict(zip(side.locator("dt").all_inner_texts(), side.locator("dd").all_inner_texts(), strict=True))
        read = reasons.get("Executed value", reasons.get("Extracted answer"))
        assert read == (row["answer_executed"] if isinstance(row["answer_executed"], str) else "nothing")
        assert ("equal to the right answer 7" in reasons["Decision"]) == bool(row["correct_executed"])
        assert ("a degenerate loop" in reasons["Flags"]) == (row["flags"] == "repeats")


def test_the_same_question_over_the_checkpoints(page, grid):
    choose(page, "Model or run", OTHER)
    choose(page, "Question", "q002")
    table = page.locator("[aria-label='This question over the checkpoints'] tbody tr")
    assert [row.split("\t")[0] for row in table.all_inner_texts()] == ["base model", "step 1", "step 2"]
    rows = pd.read_parquet(grid.paths.samples(OTHER, "synth-gsm"))
    one = rows[(rows["question_id"] == "q002") & (rows["step"] == 1) & (rows["mode"] == "sample")]
    assert f"{int(one['correct_executed'].sum())} of 16" in table.nth(1).inner_text()
    table.nth(1).get_by_role("button").click()
    assert "After RL, step 1" in page.locator("#browser .sides h4").nth(1).inner_text()


def test_the_address_leads_back(page, report, opened):
    choose(page, "Model or run", OTHER)
    choose(page, "Question", "q006")
    page.get_by_role("button", name="Next").click()
    shown = page.locator("#browser .sides").inner_text()
    assert "question=q006" in page.url
    again = opened().go(report, "#" + page.url.split("#")[1])
    again.locator("#browser .sides").wait_for()
    assert again.locator("#browser .sides").inner_text() == shown


def test_hostile_completions_are_shown_and_do_nothing(page, report):
    choose(page, "Model or run", HOSTILE)
    texts = [text for text in TEXTS if not any("\ud800" <= c <= "\udfff" for c in text)]
    expected = {printable_lines(text[:LONGEST]) for text in texts}
    seen = set()
    cut = False
    for _ in range(3 * len(texts)):
        side = page.locator("#browser .sides > div").nth(1)
        seen.add(side.locator("pre").text_content())
        cut |= "Cut: the first 3,000 of 1,000,000 characters." in side.inner_text()
        page.get_by_role("button", name="Next").click()
    assert seen == expected
    assert cut
    assert page.evaluate("window.hit") is None
    assert page.url.startswith(report.as_uri())
    inside = "#browser script, #browser img, #browser iframe, #browser style, #browser form, #browser a, #browser base"
    assert page.locator(inside).count() == 0
    assert page.locator("main h1").is_visible()
    text = page.evaluate("document.body.innerText")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", text)


def test_a_run_in_a_page_beside_is_a_step_away_and_back(page, report):
    choose(page, "Model or run", "tg+8xomi1/nano/seed0/grpo/synth-gsm/seed0")
    page.wait_for_url("**/report/completions-001.html#completions*")
    page.locator("#browser .sides pre").first.wait_for()
    assert page.locator("#browser .sides h4").first.inner_text().startswith("Base model")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.get_by_role("link", name="Back to the report").click()
    assert page.url == report.as_uri() + "#top"
