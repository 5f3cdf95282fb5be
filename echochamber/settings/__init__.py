"""The schema of a grid file: every setting, its default (the paper's value) and what is allowed.

Defaults are those of "Echo Chamber" (arXiv 2504.07912), so a grid states only where it deviates. Every class refuses
unknown keys. Imports no torch: a grid is read and expanded in a fraction of a second.
"""

from echochamber.algorithms import KL, Algorithm, ExpertIteration, PolicyGradient, Sampling
from echochamber.schema import NAME, RandomNumbers, Settings
from echochamber.settings.behaviours import Behaviour
from echochamber.settings.claims import CLAIMS, PACKS, Primary
from echochamber.settings.files import SPLITS, HubQuestions, HubSource, LocalQuestions, LocalSource
from echochamber.settings.grid_file import FIGURES, OF_BEHAVIOURS, BaseSamples, Benchmark, GridFile, Prompts, Study
from echochamber.settings.hardware import Hardware
from echochamber.settings.judge import Judge
from echochamber.settings.prompts import Chat, Examples, PromptForm
from echochamber.settings.training import ImportedModel, Pretraining, Scale
from echochamber.settings.world import (
    OPERATIONS,
    BpeTokenizer,
    HubTokenizer,
    Mixture,
    Problems,
    QuestionSet,
    Source,
    SyntheticQuestions,
    SyntheticSource,
    Tokenizer,
)

__all__ = [
    "CLAIMS",
    "FIGURES",
    "KL",
    "NAME",
    "OF_BEHAVIOURS",
    "OPERATIONS",
    "PACKS",
    "SPLITS",
    "Algorithm",
    "BaseSamples",
    "Behaviour",
    "Benchmark",
    "BpeTokenizer",
    "Chat",
    "Examples",
    "ExpertIteration",
    "GridFile",
    "Hardware",
    "HubQuestions",
    "HubSource",
    "HubTokenizer",
    "ImportedModel",
    "Judge",
    "LocalQuestions",
    "LocalSource",
    "Mixture",
    "PolicyGradient",
    "Pretraining",
    "Primary",
    "Problems",
    "PromptForm",
    "Prompts",
    "QuestionSet",
    "RandomNumbers",
    "Sampling",
    "Scale",
    "Settings",
    "Source",
    "Study",
    "SyntheticQuestions",
    "SyntheticSource",
    "Tokenizer",
]
