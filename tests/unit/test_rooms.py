"""docs/architecture.md: its picture is that of the imports, and what it links to exists."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"


def test_the_picture_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == runpy.run_path(str(ROOT / "docs/rooms.py"))["page"](text), "python docs/rooms.py"


def test_only_arrows_that_others_imply_are_left_out():
    reduced = runpy.run_path(str(ROOT / "docs/rooms.py"))["reduced"]
    arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert reduced(arrows) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


def test_its_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) > 20
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
