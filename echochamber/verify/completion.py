"""One completion as the rules see it, and the places in it where an answer can stand.

Each place is read by one method and has no other to fall back on: `returned` (what the function of `tinygsm`
returns), `last_value` (the value of a notebook's last closed block), `box_after_code` (what a notebook boxes after its
last tag), `boxed` (the last box of `omi2`), `after_phrase` (what follows "The answer is").
"""

from __future__ import annotations

from echochamber.formats import classification
from echochamber.verify import authors, programs
from echochamber.verify.answers import last_box
from echochamber.verify.programs import Answered
from echochamber.verify.workers import sandbox

PHRASE = "The answer is"


class Completion:
    """A completion, labelled; a program in it is executed at most once, whichever rules ask for its value.

    `text` ends before the end token's text; `format`, `start` (of its code) and `flags`: `classification.describe`.
    """

    __slots__ = ("_ran", "_released", "completion", "finished", "flags", "format", "start", "text")

    def __init__(self, completion: str, finished: bool) -> None:
        self.completion, self.finished = completion, finished
        self.text = classification.clean(completion)
        self.format, self.start, self.flags = classification.describe(self.text, finished)
        self._ran: Answered | None = None
        self._released: authors.Reading | None = None

    def returned(self) -> Answered:
        if self._ran is None:
            self._ran = programs.run_function(self.text, self.start, sandbox())
        return self._ran

    def last_value(self) -> Answered:
        if self._ran is None:
            self._ran = programs.run_notebook(self.text, sandbox())
        return self._ran

    def box_after_code(self) -> Answered:
        return stated(last_box(self.text, programs.cells(self.text)[1]))

    def boxed(self) -> Answered:
        return stated(last_box(self.text))

    def after_phrase(self) -> Answered:
        """What follows the last "The answer is" on its line (MetaMathQA's form)."""
        _, phrase, rest = self.text.rpartition(PHRASE)
        return stated(rest.partition("\n")[0].strip(" \t\r:").removesuffix(".") if phrase else None)

    def released(self) -> authors.Reading:
        """What the released rules read and run."""
        if self._released is None:
            self._released = authors.read(self.completion, sandbox())
        return self._released


def stated(answer: str | None) -> Answered:
    """An answer that is written down, without surrounding blank space; None or empty: there is none."""
    answer = answer.strip() if answer else None
    return Answered(answer, "ok") if answer else Answered(None, "no_answer")
