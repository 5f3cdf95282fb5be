"""Question sets in files, public ones and people's own: questions as they stand, golds each read in its own way.

Only the splits of a set can be read: no corpus and no RL prompts come from a test split.
"""

from __future__ import annotations

from echochamber.corpora import locations, reading
from echochamber.corpora.documents import BadRow, Question, flaw
from echochamber.corpora.golds import gold_text, option_texts, with_options
from echochamber.corpora.rows import Row
from echochamber.datasets import QuestionColumns
from echochamber.errors import UserError, shortened
from echochamber.settings import HubQuestions, LocalQuestions

LONGEST_QUESTION = 100_000
"""Characters."""
SINCE = {"aime-2022-2024": 2022}
"""The first year, where the file at hand has earlier ones."""


def questions(
    settings: HubQuestions | LocalQuestions, name: str, split: str, data: str, solutions: bool = False
) -> list[Question]:
    """The questions of a split; ids are `<name>-<split>-<number>`.

    Args:
        solutions: with the worked solution of each.

    Raises:
        UserError: no such split, no such file, no question in it, a row without a question or a gold, or a question of
            one's own train split that the test split asks too.
    """
    dataset = settings.dataset if isinstance(settings, HubQuestions) else None
    location = locations.of_questions(name, settings, split)
    if location is None:
        of_set = f" for {dataset}" if dataset else ""
        raise UserError(
            f"question_sets.{name}: found split {split}, allowed{of_set}: {', '.join(settings.splits) or 'none'}"
        )
    key, files, columns = f"question_sets.{name}", location.files(data), settings.columns
    wanted = {*columns.gold, "Year", *(column for layout in columns.question for column in layout)}
    wanted |= {*filter(None, [columns.options, columns.solution])}
    asked: list[tuple[Question, str]] = []
    for row in reading.rows(files, tuple(sorted(wanted))):
        if isinstance(row, BadRow):
            raise UserError(
                f"{key}: {row.location}: found a bad row ({row.reason}), allowed: rows with a question and an answer"
            )
        try:
            if dataset in SINCE and _year(row) < SINCE[dataset]:
                continue
            text, gold = _read(row, columns)
            solution = _solution(row, columns.solution) if solutions else None
        except ValueError as error:
            raise UserError(f"{key}, {split}: {row.location}: {error}") from None
        asked.append((Question(f"{name}-{split}-{len(asked):05d}", text, gold, None, solution), row.location))
    if not asked:
        names = ", ".join(file.url for file in files)
        raise UserError(f"{key}, {split}: {names}: found no question, allowed: at least one")
    if split == "train" and "test" in settings.splits and not dataset:
        tested = {_plain(question): question for question in questions(settings, name, "test", data)}
        for question, where in asked:
            if twin := tested.get(_plain(question)):
                raise UserError(
                    f"{key}, train: {where}: found a question that is {twin.question_id} too, allowed: other questions "
                    "than the test split asks"
                )
    return [question for question, _ in asked]


def _plain(question: Question) -> str:
    """What two questions share that differ in case and blank space alone."""
    return " ".join(question.question.lower().split())


def _year(row: Row) -> int:
    """Of a file that has years; without them every row is late enough."""
    try:
        return int(row.get("Year") or 9999)
    except (TypeError, ValueError):
        raise ValueError(f"Year: found {shortened(row['Year'])}, allowed: a year") from None


def _solution(row: Row, column: str | None) -> str:
    """The worked solution of a row. Raises ValueError: there is none."""
    text = row.get(column) if column else None
    if wrong := flaw(text, LONGEST_QUESTION):
        raise ValueError(f"{column or 'solution'}: {wrong}, allowed: a text of up to {LONGEST_QUESTION} characters")
    return str(text).strip()


def _read(row: Row, columns: QuestionColumns) -> tuple[str, str]:
    """Question and gold of a row. Raises ValueError: what is wrong with it."""
    number = next((i for i, gold in enumerate(columns.gold) if gold in row), 0)
    layout, gold_column = columns.question[number], columns.gold[number]
    lacking = [name for name in (*layout, gold_column, *filter(None, [columns.options])) if name not in row]
    if lacking and len(columns.question) == 1:
        raise ValueError(f"found no column {lacking[0]}, allowed: one of {', '.join(sorted(row)) or 'none'}")
    parts = [row.get(column) for column in layout]
    if wrong := next(filter(None, (flaw(part, LONGEST_QUESTION) for part in parts)), None):
        raise ValueError(f"{', '.join(layout)}: {wrong}, allowed: a text of up to {LONGEST_QUESTION} characters")
    text = " ".join(part.strip() for part in parts)
    options = option_texts(columns.options, row[columns.options]) if columns.options else ()
    return with_options(text, options), gold_text(gold_column, row.get(gold_column), columns.gold_form, options)
