"""What the page says of a study's behaviours: shares before RL, as foretold and after, accuracy, parts of the gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from echochamber.analysis.behaviours import join
from echochamber.analysis.studies import points
from echochamber.analysis.tables.decomposition import PARTS
from echochamber.behaviours.partition import YES
from echochamber.grid.expansion import Grid
from echochamber.report.numbers import NOTHING, interval, percents
from echochamber.report.report_tables import SETTING

SHOWN = 0.005
"""A label that has this share neither before RL nor after is left out."""


def behaviours(grid: Grid, study: str) -> dict[str, Any]:
    """`labels` and `parts`, a list of rows each, and the rules that foresaw the most frequent label (`picks`).

    All are empty where the grid has no behaviours, or their tables are not there yet.
    """
    tables = join.read(grid, study)
    if not tables:
        return {"labels": [], "parts": [], "picks": []}
    return {"labels": list(_labels(tables)), "parts": list(_parts(tables)), "picks": list(_picks(tables))}


def _setting(key: tuple) -> str:
    return " · ".join(map(str, key[:3]))


def _labels(tables: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, str]]:
    shares, theory = tables["behaviour_shares"], tables["behaviour_theory"]
    group = [*SETTING[:4], "question_set", "behaviour"]
    for key, part in shares.groupby(group, dropna=False, sort=False):
        last = part["step"].max()
        foretold = theory[theory["measure"] == "foretold"]
        for axis, value in zip(group, key, strict=True):
            foretold = foretold[foretold[axis] == value]
        marked = bool(part["mark"].notna().any())
        by_name = (
            part[part["label"] == YES].groupby("mark", sort=False) if marked else part.groupby("label", sort=False)
        )
        for name, rows in by_name:
            share, accuracy = (rows[rows["metric"] == metric] for metric in ("share", "accuracy"))
            ends = {"before": 0, "after": last}
            if share.loc[share["step"].isin(ends.values()), "estimate"].max() < SHOWN:
                continue
            law = foretold[(foretold["mark"] == name) & (foretold["label"] == YES)] if marked else foretold
            law = law if marked else law[law["label"] == name]
            row = {"setting": _setting(key), "question_set": key[-2], "behaviour": key[-1], "label": str(name)}
            row["foretold"] = _texts(law.assign(step=1, completions_sampled=0.0))
            for when, step in ends.items():
                row[when] = _texts(share[share["step"] == step])
                row[f"accuracy_{when}"] = _texts(accuracy[accuracy["step"] == step])
            yield row


def _texts(rows: pd.DataFrame) -> str:
    """The mean over seeds, or each seed by itself where they are few; an en dash where there is none.

    A foretold share that is corrected for few samples may lie beside [0, 1].
    """
    if rows.empty:
        return NOTHING
    ends = [[min(max(p[name], 0.0), 1.0) for name in ("estimate", "low", "high")] for p in points(rows, rows)]
    return "; ".join(dict.fromkeys(percents(*end) for end in ends))


def _parts(tables: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    table = tables["behaviour_gains"]
    sums = table[table["label"].isna()]
    for key, part in sums.groupby([*SETTING, "question_set", "behaviour", "mark"], dropna=False, sort=False):
        pooled = part[part["id"].isna()]
        chosen = pooled if len(pooled) else part
        ends = chosen.set_index("part")[["estimate", "low", "high"]]
        name = key[-2] if pd.isna(key[-1]) else f"{key[-2]}: {key[-1]}"
        row = {
            "setting": _setting(key),
            "question_set": key[-3],
            "behaviour": name,
            "seeds": int(chosen["n_seeds"].iloc[0]),
        }
        yield row | {part: interval(*ends.loc[part], signed=True) for part in (*PARTS, "total")}


def _picks(tables: Mapping[str, pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for (behaviour, predictor), part in tables["behaviour_picks"].groupby(["behaviour", "predictor"], sort=False):
        hits = part["hit"].astype(bool)
        yield {"behaviour": behaviour, "predictor": predictor, "hits": int(hits.sum()), "runs": len(hits)}
