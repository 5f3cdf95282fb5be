"""How many tokens a grid's texts have: counted where they are made already, estimated before. Imports no torch."""

from __future__ import annotations

import json
from functools import cached_property
from itertools import islice
from statistics import fmean

from echochamber.corpora import sizes, synthetic
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model
from echochamber.planning import own_sizes
from echochamber.settings import SyntheticSource

EXAMPLES = 64
"""Synthetic documents or questions that are made to see how long they are."""
PAPERS_VOCABULARY = 32_000
"""Of a grid without a tokenizer of its own."""
DOCUMENT_TOKENS = 100
"""Of a synthetic document that cannot be made: the job that wants it will say why."""


class TextSizes:
    """Sizes of one grid's corpora, mixtures, questions and completions; each is looked up once."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.characters_per_token = sizes.CHARACTERS_PER_TOKEN[
            grid.file.tokenizer.kind if grid.file.tokenizer else "hub"
        ]
        self.guessed: dict[str, str] = {}
        """Place in the grid file -> what is supposed of texts that are not here."""
        self._corpora: dict[str, sizes.Size] = {}
        self._questions: dict[tuple[str, str], tuple[int, float]] = {}
        self._documents: dict[str, float | None] = {}

    @cached_property
    def vocabulary(self) -> int:
        """Tokens that the tokenizer has; those that its settings name where it is not at hand."""
        try:
            tokenizer = json.loads((self.grid.paths.tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
            ids = {*tokenizer["model"]["vocab"].values(), *(token["id"] for token in tokenizer["added_tokens"])}
            return max(ids) + 1
        except (OSError, ValueError, LookupError, AttributeError):
            return self.grid.file.tokenizer.vocabulary if self.grid.file.tokenizer else PAPERS_VOCABULARY

    @property
    def token_bytes(self) -> int:
        return 2 if self.vocabulary <= 2**16 else 4

    def corpus(self, source: str) -> sizes.Size:
        """Documents and tokens of a source to train on."""
        if source not in self._corpora:
            self._corpora[source] = self._counted(source) or self._estimated(source)
        return self._corpora[source]

    def is_counted(self, source: str) -> bool:
        return self._counted(source) is not None

    def _counted(self, source: str) -> sizes.Size | None:
        try:
            manifest = json.loads((self.grid.paths.corpus(source) / "manifest.json").read_text(encoding="utf-8"))
            return sizes.Size(manifest["train"]["documents"], manifest["train"]["tokens"])
        except (OSError, ValueError, LookupError):
            return None

    def _estimated(self, source: str) -> sizes.Size:
        settings = self.grid.file.corpora[source]
        if isinstance(settings, SyntheticSource):
            try:
                texts = [document.text for document in islice(synthetic.documents(settings, source), EXAMPLES)]
                length = 1 + fmean(map(len, texts)) / self.characters_per_token  # the end token
            except ValueError:
                length = DOCUMENT_TOKENS
            documents = max(settings.documents - self.grid.file.pretraining.held_out_documents, 0)
            size = sizes.Size(documents, documents * length)
        elif settings.kind == "hub" and settings.dataset:
            size = sizes.CORPORA[settings.dataset]
        else:
            size = own_sizes.corpus(settings, source, self.grid.file.data, self.characters_per_token)
            if size is None:
                self.guessed[f"corpora.{source}"] = f"{own_sizes.GUESSED_TOKENS:.0e} tokens"
                size = sizes.Size(None, own_sizes.GUESSED_TOKENS)
        if settings.max_tokens and settings.max_tokens < size.tokens:
            kept = settings.max_tokens / size.tokens
            size = sizes.Size(size.documents and size.documents * kept, settings.max_tokens)
        return size

    def mixture_tokens(self, mixture: str) -> float:
        """Tokens of one pass over the mixture, each source as often as its passes say."""
        return sum(passes * self.corpus(source).tokens for source, passes in self.grid.passes(mixture).items())

    def questions(self, name: str, split: str) -> tuple[int, float]:
        """How many questions a split has, and the tokens of a mean prompt."""
        if (name, split) not in self._questions:
            settings = self.grid.file.question_sets[name]
            if settings.kind == "synthetic":
                few = settings.model_copy(update={split: min(getattr(settings, split), EXAMPLES)})
                try:
                    length = fmean(len(question.question) for question in synthetic.questions(few, name, split))
                except ValueError:
                    length = DOCUMENT_TOKENS * self.characters_per_token / 2
                count = getattr(settings, split)
            elif settings.kind == "hub" and settings.dataset:
                of_set = sizes.QUESTIONS[settings.dataset]
                count, length = getattr(of_set, split), of_set.characters
            else:
                count, length = own_sizes.GUESSED_QUESTIONS, own_sizes.GUESSED_CHARACTERS
                if own := own_sizes.questions(settings, name, split, self.grid.file.data):
                    count, length = own
                else:
                    self.guessed[f"question_sets.{name}"] = f"{count} questions of {length:.0f} characters"
            self._questions[name, split] = count, length / self.characters_per_token + 1  # the empty line
        return self._questions[name, split]

    def completion(self, model: Model, prompt: float, max_new_tokens: int) -> float:
        """Tokens of a mean completion: a model writes solutions as long as those that it has read.

        Those are the documents of its mixture with a question before them, without the background; for an
        imported model of which nobody knows it, half of what it may write.
        """
        if model.mixture is None:
            return max_new_tokens / 2
        document = self._document(model.mixture)
        return max_new_tokens / 2 if document is None else min(max(document - prompt, 1), max_new_tokens)

    def _document(self, mixture: str) -> float | None:
        """Tokens of a mean document that a question comes before."""
        if mixture not in self._documents:
            documents = tokens = 0.0
            for source, passes in self.grid.file.mixtures[mixture].passes.items():
                size = self.corpus(source)
                if size.documents:
                    documents += passes * size.documents
                    tokens += passes * size.tokens
            self._documents[mixture] = tokens / documents if documents else None
        return self._documents[mixture]
