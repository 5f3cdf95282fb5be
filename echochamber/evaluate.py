"""Every checkpoint of a model or a run, sampled and judged: one row per completion in samples.parquet.

Each step's rows are kept in the state folder as soon as they are there, so that a killed job redoes one step at most.
What a step draws depends on the benchmark's seed, the id and the step alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from echochamber import files
from echochamber import model as models
from echochamber.checkpoint import PROGRESS, start_afresh_unless_same, step_name
from echochamber.corpora.documents import Question
from echochamber.generate import generate
from echochamber.job import Interrupted, Progress
from echochamber.rl.rollout import decode, encode_questions, end_and_padding, random_stream
from echochamber.settings import Benchmark, Sampling
from echochamber.verify import verify_batch

log = logging.getLogger(__name__)

MODES = ("greedy", "sample")


def run(
    settings: Benchmark,
    checkpoints: list[tuple[int, Path]],
    questions: list[Question],
    *,
    id: str,
    question_set: str,
    state: Path,
    spec: dict[str, Any],
    out: Path,
    stop: Callable[[], bool],
    device: torch.device,
    modes: Sequence[str] = MODES,
) -> None:
    """Evaluate `checkpoints`, (step, folder) each, in some of the `MODES`, and write the samples to `out`.

    Raises:
        Interrupted: `stop()` turned true; the steps that are done are kept in `state`.
    """
    start_afresh_unless_same(state, spec)
    progress = Progress(len(checkpoints), "checkpoint", seconds_between_lines=0, file=state / PROGRESS)
    parts = []
    for done, (step, folder) in enumerate(checkpoints):
        part = state / f"{step_name(step)}.parquet"
        if not part.exists():
            if stop():
                raise Interrupted(f"{done} of {len(checkpoints)} checkpoints evaluated")
            model, tokenizer = models.load(folder, device)
            seed = f"{settings.seed}/{id}/{question_set}/{step}"
            rows = evaluate(settings, model, tokenizer, questions, seed=seed, modes=modes)
            table = rows.assign(id=id, step=step, question_set=question_set)
            files.write_aside(part, table.to_parquet)
            progress.update(
                done + 1, **{f"accuracy_{mode}": rows[rows["mode"] == mode]["correct"].mean() for mode in modes}
            )
        parts.append(part)
    samples = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    first = ["id", "step", "question_set"]
    samples = samples[[*first, *(name for name in samples.columns if name not in first)]]
    files.write_aside(out, samples.to_parquet)


def evaluate(
    settings: Benchmark,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: list[Question],
    *,
    seed: str,
    modes: Sequence[str] = MODES,
) -> pd.DataFrame:
    """One greedy completion and `samples` sampled ones (or one of the two) of every question, judged by both scorers.

    Returns:
        The columns of samples.parquet but for those that name the checkpoint. `temperature` and `top_p` are empty for
        the greedy mode; `logprob` is in nats, summed over the completion, before top_p.
    """
    eos, pad = end_and_padding(tokenizer)
    prompts = encode_questions(tokenizer, questions)
    sampling = Sampling(temperature=settings.temperature, top_p=settings.top_p, max_new_tokens=settings.max_new_tokens)
    tables = []
    for mode in modes:
        samples = 1 if mode == "greedy" else settings.samples
        drawn = generate(
            model,
            prompts,
            samples=samples,
            sampling=sampling,
            greedy=mode == "greedy",
            eos=eos,
            pad=pad,
            generator=random_stream(0, seed, mode),
        )
        texts = decode(tokenizer, drawn)
        golds = [question.answer for question in questions for _ in range(samples)]
        strict = verify_batch(texts, golds, scorer="strict", finished=drawn.finished)
        authors = verify_batch(texts, golds, scorer="authors", finished=drawn.finished)
        tables.append(
            pd.DataFrame(
                {
                    "question_id": [question.question_id for question in questions for _ in range(samples)],
                    "mode": mode,
                    "sample": list(range(samples)) * len(questions),
                    "temperature": settings.temperature if mode == "sample" else None,
                    "top_p": settings.top_p if mode == "sample" else None,
                    "completion": texts,
                    "tokens": [len(ids) for ids in drawn.completions],
                    "finished": drawn.finished,
                    "logprob": [float(values.sum()) for values in drawn.logprobs],
                    "format": [verdict.format for verdict in strict],
                    "correct": [verdict.correct for verdict in strict],
                    "answer": [verdict.answer for verdict in strict],
                    "answer_key": [verdict.answer_key for verdict in strict],
                    "status": [verdict.status for verdict in strict],
                    "flags": [",".join(sorted(verdict.flags)) for verdict in strict],
                    "format_authors": [verdict.format for verdict in authors],
                    "correct_authors": [verdict.correct for verdict in authors],
                }
            )
        )
    return pd.concat(tables, ignore_index=True).astype({"temperature": float, "top_p": float})
