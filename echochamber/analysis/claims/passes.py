"""What mixtures hold of each format: passes and documents, from settings alone."""

from __future__ import annotations

from echochamber.analysis.studies import StudyView
from echochamber.formats import FORMATS
from echochamber.settings import Source, SyntheticSource

DATASETS = {
    "tinygsm": "tinygsm",
    "openmathinstruct-1": "omi1",
    "openmathinstruct-2": "omi2",
    "openmathinstruct-2-all": "omi2",
    "metamathqa": "text",
}
"""Format of the documents of the paper's corpora."""


def format_of(source: Source) -> str | None:
    """The format of a source's documents; None: background."""
    if isinstance(source, SyntheticSource):
        name: str | None = source.style
    else:
        name = DATASETS.get(source.dataset or "") if source.kind == "hub" else None
    return name if name in FORMATS else None


def asked(view: StudyView, source: Source) -> bool:
    """Whether a source holds questions like those that the study asks: of the same things, where it names any."""
    if not isinstance(source, SyntheticSource) or not source.problems.things:
        return True
    sets = [view.file.question_sets[view.file.prompts[prompts].questions] for prompts in view.study.prompts]
    things = [s.problems.things for s in sets if s.kind == "synthetic"]
    return any(not names or set(names) & set(source.problems.things) for names in things)


def documents_by_format(view: StudyView, mixture: str) -> dict[str, float]:
    """Documents on the asked questions by format, in passes over a source times its documents where they are known."""
    totals: dict[str, float] = {}
    settings = view.file.mixtures.get(mixture)
    for name, passes in (settings.passes if settings else {}).items():
        source = view.file.corpora[name]
        form = format_of(source)
        if form and asked(view, source):
            totals[form] = totals.get(form, 0.0) + passes * getattr(source, "documents", 1)
    return totals


def same_sources(view: StudyView, one: str, other: str) -> bool:
    """Whether two mixtures differ in passes alone."""
    mixtures = view.file.mixtures
    known = one in mixtures and other in mixtures
    return known and one != other and set(mixtures[one].passes) == set(mixtures[other].passes)


def passes_over(view: StudyView, mixture: str, form: str) -> float:
    """Passes over the sources of a format (the most, if it has several)."""
    settings = view.file.mixtures.get(mixture)
    passes = settings.passes if settings else {}
    return max((n for name, n in passes.items() if format_of(view.file.corpora[name]) == form), default=0.0)
