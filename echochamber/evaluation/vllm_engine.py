"""Sampling for evaluation through vLLM instead of `echochamber.sampling.generate`: `engine: vllm` of a benchmark.

vLLM keeps its cache in pages, so that more completions fit beside each other. It is an extra
(`pip install 'echochamber[vllm]'`, on a machine with a GPU), and no part of the lock file: this module is tested
against a stub of the parts of its API that it uses, and has not been run against vLLM itself. It differs from
`generate` in this:

- the draws come from vLLM's own generators, one a prompt, seeded from the benchmark's seed: other completions;
- log-probabilities are not vLLM's, which are of another temperature and rounding: our model recomputes them;
- the end token is the tokenizer's alone, whatever config.json and generation_config.json of the model name.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from echochamber.errors import UserError
from echochamber.models.forward import LanguageModel, completion_logprobs
from echochamber.sampling.draw import random_stream
from echochamber.sampling.generate import Completions
from echochamber.schema import Precision
from echochamber.settings import Sampling

MEMORY = 0.6
"""Share of the GPU's memory that vLLM may take: our own model, which gives log-probabilities, lies beside it."""
ROWS_AT_ONCE = 32
"""Completions of one forward pass for log-probabilities."""
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


class Engine:
    """vLLM with one checkpoint loaded."""

    def __init__(self, folder: Path, precision: Precision, longest: int) -> None:
        """longest: prompt and completion, in tokens.

        Raises:
            UserError: vLLM is not installed.
        """
        try:
            import vllm
        except ImportError:
            raise UserError(
                "engine: found vllm, which is not installed, allowed: own, or pip install 'echochamber[vllm]' on a "
                "machine with a GPU"
            ) from None
        self.parameters = vllm.SamplingParams
        self.llm = vllm.LLM(
            model=str(folder),
            dtype=DTYPES[precision],
            max_model_len=longest,
            gpu_memory_utilization=MEMORY,
            generation_config="vllm",  # none of the model's own defaults
            seed=0,
        )

    def complete(
        self, prompts: list[list[int]], *, samples: int, sampling: Sampling, greedy: bool, eos: Sequence[int], seed: str
    ) -> list[list[int]]:
        """Token ids of `samples` completions of every prompt, those of one prompt side by side, the end token included
        where it was reached.

        seed: a name; each prompt draws from a stream of its own.
        """
        asked = [
            self.parameters(
                n=samples,
                temperature=0.0 if greedy else sampling.temperature,
                top_p=1.0 if greedy else sampling.top_p,
                max_tokens=sampling.max_new_tokens,
                seed=int(torch.randint(2**31, (1,), generator=random_stream(0, seed, number))),
                ignore_eos=True,
                stop_token_ids=list(eos),
                detokenize=False,
            )
            for number in range(len(prompts))
        ]
        answers = self.llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], asked, use_tqdm=False)
        return [_ids(output, eos) for answer in answers for output in sorted(answer.outputs, key=lambda o: o.index)]

    def close(self) -> None:
        """Give its memory back."""
        del self.llm
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _ids(output: Any, eos: Sequence[int]) -> list[int]:
    """The tokens of one completion; versions differ in whether the token that stopped it is among them."""
    ids = list(output.token_ids)
    stopped = output.finish_reason == "stop" and (not ids or ids[-1] not in eos)
    return [*ids, output.stop_reason] if stopped else ids


@torch.no_grad()
def as_completions(
    model: PreTrainedModel,
    prompts: list[list[int]],
    drawn: list[list[int]],
    *,
    eos: Sequence[int],
    pad: int,
    temperature: float,
) -> Completions:
    """What `generate` gives, of completions that were drawn elsewhere; entropies are not known (NaN)."""
    language_model, samples = LanguageModel(model), len(drawn) // len(prompts)
    owners = [prompt for prompt in prompts for _ in range(samples)]
    by_length = sorted(range(len(drawn)), key=lambda number: len(drawn[number]))
    logprobs: list[np.ndarray] = [np.zeros(0, np.float32)] * len(drawn)
    for begin in range(0, len(drawn), ROWS_AT_ONCE):
        rows = by_length[begin : begin + ROWS_AT_ONCE]
        values, _ = completion_logprobs(
            language_model, [owners[i] for i in rows], [drawn[i] for i in rows], pad=pad, temperature=temperature
        )
        for row, of_row in zip(rows, values.float().cpu().numpy(), strict=True):
            logprobs[row] = of_row[: len(drawn[row])].copy()
    return Completions(
        prompts=prompts,
        completions=drawn,
        logprobs=logprobs,
        entropy=[float("nan")] * len(drawn),
        finished=[ids[-1] in eos for ids in drawn],
    )
