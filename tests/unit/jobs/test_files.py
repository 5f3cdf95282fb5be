"""Tables on disk read back equal, whatever texts they hold."""

import unicodedata
from dataclasses import replace

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echochamber.jobs import files
from echochamber.stats.columns import Column, Table

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
AWKWARD = st.lists(st.sampled_from("\r\n\",;\t \0\x1a\ufeff\u2028\u2029\x85\\'#"), min_size=1, max_size=6).map("".join)
WORDS = st.sampled_from(["NA", "nan", "None", "null", "1", "1e5", "True", "-", "=1+1"])
TEXTS = Table("texts", "a text", (Column("question", "text", "any"), Column("step", "count", "of the row")))
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


def back(folder, texts):
    """What comes back of texts of the column `question`, between rows whose numbers show a shift."""
    table = pd.DataFrame({"question": pd.Series(texts, dtype="str"), "step": range(len(texts))})
    files.write_csv(folder / "texts.csv", table)
    read = TEXTS.read(folder / "texts.csv")
    assert read["step"].tolist() == list(range(len(texts)))
    return read["question"].tolist()


def test_every_character_of_unicode(tmp_path):
    """All but lone surrogates, which are no text: a few thousand a cell, and each control and separator by itself."""
    all_of_them = [chr(i) for i in range(0x110000) if not 0xD800 <= i <= 0xDFFF]
    apart = [c for c in all_of_them if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Zs")]
    together = ["".join(all_of_them[i : i + 4096]) for i in range(0, len(all_of_them), 4096)]
    texts = [*apart, *(f"a{c}b" for c in apart), *together]
    assert back(tmp_path, texts) == texts


@QUICK
@given(texts=st.lists(TEXT | AWKWARD | WORDS, min_size=1, max_size=6))
def test_any_texts(tmp_path, texts):
    assert back(tmp_path, texts) == texts


@QUICK
@given(texts=st.lists(TEXT | AWKWARD | WORDS | st.just("") | st.none(), min_size=1, max_size=6))
def test_a_table_of_texts_tells_an_empty_text_from_a_missing_one(tmp_path, texts):
    one = replace(TEXTS, texts=True)
    table = pd.DataFrame({"question": pd.Series(texts, dtype="str"), "step": range(len(texts))})
    files.write_aside(tmp_path / one.file, lambda aside: table.to_parquet(aside, index=False))
    assert [None if pd.isna(text) else text for text in one.read(tmp_path / "texts.parquet")["question"]] == texts


def test_a_missing_text_is_missing_and_texts_without_returns_are_bare(tmp_path):
    table = pd.DataFrame({"question": pd.Series(["a", None, 'say "b"'], dtype="str"), "step": [1, 2, 3]})
    files.write_csv(tmp_path / "texts.csv", table)
    assert (tmp_path / "texts.csv").read_text() == 'question,step\na,1\n,2\n"say ""b""",3\n'
    assert TEXTS.read(tmp_path / "texts.csv")["question"].isna().tolist() == [False, True, False]
