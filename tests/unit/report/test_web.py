"""What goes into a page can neither leave its place nor run; the policy names exactly the page's own code."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import pytest
from hostile_texts import TEXTS

from echochamber.report import web


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_json_in_a_script_has_no_bracket_and_comes_back_equal(text):
    value = {"text": text, text: [1.5, None, True]}
    written = str(web.in_script(value))
    assert not re.search("[<>&]", written)
    assert json.loads(written) == value


def test_packed_json_comes_back_equal_and_is_letters_alone():
    value = {"texts": [text.encode("utf-8", "replace").decode() for text in TEXTS]}
    text = web.packed(value)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert json.loads(gzip.decompress(base64.b64decode(text))) == value
    assert web.packed(value) == text


def test_the_policy_allows_the_scripts_and_styles_of_the_page_by_their_hashes_alone():
    policy = dict(part.split(" ", 1) for part in web.policy().split("; "))
    for name, text in (("script-src", web.script()), ("style-src", web.style())):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[name] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert not re.search("unsafe|https?:|[*]", web.policy())


def test_a_file_that_would_end_its_own_tag_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.js").write_text("const text = '</Script>';")
    monkeypatch.setattr(web, "HERE", tmp_path)
    with pytest.raises(ValueError, match="found </script"):
        web._joined(("a.js",), "</script")


def test_what_a_template_shows_is_escaped():
    template = web.environment().from_string("<p>{{ text }}</p>{{ text | shown }}")
    html = template.render(text="<b>\u202e&")
    assert html == "<p>&lt;b&gt;\u202e&amp;</p>&lt;b&gt;\\u202e&amp;"


def test_a_long_text_is_cut_and_says_so():
    assert web.clipped("x" * web.LONGEST) == "x" * web.LONGEST
    assert web.clipped("\u202e" * 5000).startswith("\\u202e" * web.LONGEST + " … (cut: 5,000 characters in all)")
    assert web.clipped(None) is None
