"""Settings of the optional judge of errors: a language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from echochamber.schema import Settings


class Judge(Settings):
    """Who names the kinds of errors in wrong answers, beside the rules. Needs a network; nobody, unless it is set."""

    base_url: str
    """Where `/chat/completions` is, e.g. http://localhost:8000/v1."""
    model: str
    completions: PositiveInt = 100
    """Wrong answers that it reads of each run and question set, before RL and after."""
    pairs: bool = False
    """It also reads, as in the paper, the pairs of greedy answers to a question that are wrong before RL and right
    after, and names all kinds of errors in the wrong one."""
    timeout: PositiveFloat = 60.0
    """Seconds for one answer."""
    retries: NonNegativeInt = 4
    """Further attempts, with growing pauses, after a time-out or an error of the server."""
    api_key_variable: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] = "ECHO_JUDGE_API_KEY"
    """The environment variable that holds the key, if it needs one. The key itself stands in no file."""

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in url:
            raise ValueError("allowed: http(s)://host/path, with no user, password or query in it")
        return url.rstrip("/")
