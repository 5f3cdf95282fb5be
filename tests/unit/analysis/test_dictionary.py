"""docs/tables.md is current, and complete: every table that the rules name stands in it, with each of its columns."""

import re
from pathlib import Path

from echochamber.analysis import __main__ as dictionary
from echochamber.analysis.tables.tables import TABLES

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_current():
    page = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
    assert page == dictionary.page(), "python -m echochamber.analysis > docs/tables.md"


def test_the_rules_make_the_tables_that_are_declared():
    rules = (ROOT / "rules/tables.smk").read_text(encoding="utf-8")
    for variable, texts in (("TABLES", False), ("TEXTS", True)):
        lists = re.findall(rf"^{variable} \+?= (\[.*\])$", rules, re.MULTILINE)
        names = [name for line in lists for name in re.findall(r'"(\w+)"', line)]
        assert sorted(names) == sorted(table.name for table in TABLES.values() if table.texts == texts)


def test_no_column_is_declared_twice_or_without_a_meaning():
    for tables in dictionary.ROOMS.values():
        for table in tables:
            assert len(set(table)) == len(table.columns), table.name
            assert all(column.meaning for column in table.columns), table.name
