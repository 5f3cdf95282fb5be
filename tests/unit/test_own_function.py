"""Functions of the user's own: found without being run, here or installed."""

from __future__ import annotations

import hashlib
import json.decoder
from pathlib import Path

import pytest

from echochamber import own_function
from echochamber.errors import UserError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with modules, of which any that is imported says so by a file."""
    (tmp_path / "own_package/deep").mkdir(parents=True)
    for file in ("own_module.py", "own_package/deep/own_inner.py"):
        text = "open('ran', 'w').close()\ndef holds(text):\n    return True\nnumber = 5\n"
        (tmp_path / file).write_text(text)
    (tmp_path / "own_passes.py").write_text("from own_module import *\n")
    (tmp_path / "own_exits.py").write_text("import sys\ndef h(text): ...\nsys.exit('no')\n")
    (tmp_path / "own_nested.py").write_text(
        "def f(text):\n    def inner(): ...\n    local = 1\nclass A:\n    def g(text): ...\n"
        "try:\n    from json import dumps as h\nexcept ImportError:\n    h = None\nif True:\n    def k(text): ...\n"
    )
    (tmp_path / "json").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("own_module:holds", Path("own_module.py")),
        ("own_package.deep.own_inner:holds", Path("own_package/deep/own_inner.py")),
        ("json.decoder:JSONDecoder", Path(json.decoder.__file__)),
        ("own_package:holds", None),
        ("own_module.deeper:holds", None),
        ("nowhere:holds", None),
        ("sys:exit", None),
    ],
)
def test_the_file_of_a_module(here, name, file):
    assert own_function.source(name) == file
    assert not (here / "ran").exists()


def test_its_file_is_hashed_and_it_is_imported_elsewhere(here):
    sha256 = hashlib.sha256((here / "own_module.py").read_bytes()).hexdigest()
    assert own_function.fixed("own_module:holds", None) == sha256
    assert (here / "ran").exists()
    assert "own_module" not in __import__("sys").modules


def test_a_function_that_comes_from_another_module_is_there(here):
    assert own_function.missing("own_passes:holds") is None
    with pytest.raises(ValueError, match=r"cannot be imported \(AttributeError"):
        own_function.fixed("own_passes:none", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_module:none", "found 'own_module:none', allowed: a function that own_module.py defines"),
        ("own_module:number", "found that 'own_module:number' is no function (int), allowed: module:function"),
        (
            "own_exits:h",
            "found that 'own_exits:h' cannot be imported (SystemExit: no), allowed: module:function",
        ),
        ("own_module", "found 'own_module', allowed: module:function"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(here, name, said):
    with pytest.raises(ValueError, match="found") as raised:
        own_function.fixed(name, None)
    assert str(raised.value) == said


@pytest.mark.parametrize("name", ["f", "A", "h", "k"])
def test_what_stands_at_the_top_is_there(here, name):
    assert own_function.missing(f"own_nested:{name}") is None


@pytest.mark.parametrize("name", ["inner", "local", "g", "dumps"])
def test_what_stands_inside_is_not(here, name):
    assert own_function.missing(f"own_nested:{name}")


def test_a_file_that_changed_since_is_refused(here):
    with pytest.raises(ValueError, match="has changed since the grid was read"):
        own_function.fixed("own_module:holds", "0" * 64)


def test_a_module_that_ends_python_does_not_end_whoever_loads_it(here):
    with pytest.raises(UserError, match="SystemExit: no"):
        own_function.load("own_exits:h")
