"""The figure of a study that is a table in the paper, as Markdown and LaTeX."""

import pandas as pd

from echochamber.figures import typeset
from echochamber.grid.specs import FigureSpec
from echochamber.jobs.files import write_text
from echochamber.jobs.job import Job, main


def body(job: Job[FigureSpec]) -> None:
    stem = job.out / f"{job.spec.study}-{job.spec.figure}"
    table = typeset.of_figure(job.spec.figure, pd.read_csv(f"{stem}.csv"))
    caption = stem.with_name(f"{stem.name}.caption.txt").read_text(encoding="utf-8").strip()
    write_text(stem.with_name(f"{stem.name}.md"), typeset.markdown(table, caption))
    write_text(stem.with_name(f"{stem.name}.tex"), typeset.latex(table, caption))


main("typeset_figure", FigureSpec, body)
