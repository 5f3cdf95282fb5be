"""The report in a real browser: silent, from disk alone, its tables, plots and links work, by keyboard too."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
import pytest


def test_it_opens_with_one_request_and_shows_each_answer(report, opened):
    one = opened()
    page = one.go(report)
    one.show_all()
    assert one.asked[0] == report.as_uri()
    assert not [url for url in one.asked[1:] if not url.startswith(("data:", "blob:"))]
    assert page.locator(".card").count() == 2
    assert page.locator(".card").first.get_by_text("Which format wins?").is_visible()
    assert page.locator(".plot:visible").count() == 8


def test_nothing_that_is_put_into_the_page_can_run_or_load(report, opened):
    one = opened()
    page = one.go(report)
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.hit = 1';"
        " document.body.append(script); const image = new Image(); image.src = 'https://example.org/x.png';"
        " document.body.append(image); document.body.insertAdjacentHTML('beforeend',"
        " '<b onclick=\"window.hit = 1\">b</b>');"
        " document.body.lastElementChild.click(); }"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in said for said in one.said)
    assert one.refused == {"https://example.org/x.png": "csp"}
    one.said.clear()
    one.asked.clear()


def test_tables_filter_and_sort(report, opened):
    page = opened().go(report)
    box = page.locator(".scroll[aria-label='Gains over the base model']")
    rows = box.locator("tbody tr:visible")
    before = rows.count()
    page.locator(".filter:has(+ .scroll[aria-label='Gains over the base model']) input").fill("EI seeds")
    assert 0 < rows.count() < before
    assert all("ei" in text for text in rows.all_inner_texts())
    page.locator(".filter:has(+ .scroll[aria-label='Gains over the base model']) input").fill("")
    assert rows.count() == before
    head = box.locator("th button", has_text="Gain")
    for direction in ("ascending", "descending"):
        head.click()
        assert box.locator(f"th[aria-sort={direction}]").count() == 1
        values = [
            float(re.match(r"[+-]?[\d.]+", text)[0]) for text in box.locator("tbody td:nth-child(7)").all_inner_texts()
        ]
        assert values == sorted(values, reverse=direction == "descending")


def test_parts_of_a_claim_stay_with_it_when_sorted(report, opened):
    page = opened().go(report)
    box = page.locator(".scroll[aria-label='All claims']")
    box.locator("th button", has_text="Verdict").click()
    codes = box.locator("tbody td:nth-child(8)").all_inner_texts()
    for before, code in pairwise(codes):
        if "." in code:
            assert before.split(".")[0] == code.split(".")[0]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(report, opened, width):
    one = opened(viewport={"width": width, "height": 800})
    page = one.go(report, "#completions")
    one.show_all()
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_has_a_menu(report, opened):
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True).go(report)
    link = page.locator("#side a", has_text="All claims")
    assert not link.is_visible()
    page.locator("#menu").tap()
    link.tap()
    assert page.url.endswith("#claims")
    assert page.locator("#claims").is_visible()


def test_dark_colours_are_remembered_and_can_be_changed(report, opened):
    def background(page) -> int:
        return sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))))

    page = opened(color_scheme="dark").go(report)
    assert background(page) < 150
    page.locator("#theme").click()
    assert background(page) > 700
    page.reload()
    assert background(page) > 700


def test_print_has_pictures_and_no_controls(report, opened):
    one = opened()
    page = one.go(report)
    one.show_all()
    page.emulate_media(media="print")
    assert page.locator("figure img:visible").count() == 8
    assert page.locator("nav:visible, .filter:visible, .plot:visible, #browser:visible").count() == 0


def test_links_lead_into_what_is_folded(report, opened):
    page = opened().go(report, "#figure-mixtures-mixtures")
    page.wait_for_timeout(500)
    assert page.locator("#figure-mixtures-mixtures").is_visible()
    assert abs(page.evaluate("document.getElementById('figure-mixtures-mixtures').getBoundingClientRect().top")) < 800


def test_a_plot_says_value_and_interval_and_hides_series(report, grid, opened):
    one = opened()
    page = one.go(report)
    figure = page.locator("#figure-algorithms-formats")
    figure.scroll_into_view_if_needed()
    figure.locator(".panel").first.wait_for()
    panel = figure.locator(".panel").first
    panel.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    data = pd.read_csv(grid.paths.figures / "algorithms-formats.csv")
    row = data[(data["algorithm"] == "grpo") & (data["metric"] == "share") & (data["format"] == "tinygsm")].iloc[1]
    expected = f"tinygsm: {row.estimate:.3f} [{row.low:.3f}, {row.high:.3f}]"
    digits = re.compile(r"-?\d+\.\d+")
    said = next(line for line in panel.locator(".tip").inner_text().splitlines() if line.startswith("tinygsm"))
    assert [float(x) for x in digits.findall(said)] == pytest.approx(
        [float(x) for x in digits.findall(expected)], abs=1e-3
    )
    button = figure.locator("button.series", has_text="tinygsm")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    panel.focus()
    page.keyboard.press("ArrowRight")
    assert "tinygsm" not in panel.locator(".tip").inner_text()
    assert "omi1" in panel.locator(".tip").inner_text()
    page.keyboard.press("+")
    page.keyboard.press("0")
    figure.locator("button", has_text="As in print").click()
    assert figure.locator("img").is_visible()
    assert not panel.is_visible()


def test_the_keyboard_reaches_everything(report, opened):
    one = opened()
    page = one.go(report)
    one.show_all()
    page.evaluate(
        "() => { document.querySelectorAll('details').forEach((details) => { details.open = true; });"
        " [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex=\"0\"]')]"
        ".filter((e) => e.checkVisibility() && !e.disabled).forEach((e, i) => { e.dataset.stop = i; }); }"
    )
    wanted = page.locator("[data-stop]").count()
    assert wanted > 100
    seen: set[str] = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement && document.activeElement.dataset.stop")
        if stop is not None:
            seen.add(stop)
    missed = page.evaluate(
        "(seen) => [...document.querySelectorAll('[data-stop]')].filter((e) => !seen.includes(e.dataset.stop))"
        ".map((e) => e.outerHTML.slice(0, 120))",
        list(seen),
    )
    assert missed == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious(report, opened, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    one = opened(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    page = one.go(report, "#completions")
    one.show_all()
    page.wait_for_timeout(300)
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:150]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []
