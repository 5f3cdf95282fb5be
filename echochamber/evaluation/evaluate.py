"""Every checkpoint of a model or a run, sampled and judged: one row per completion in samples.parquet.

Each step's rows are kept in the state folder as soon as they are there, so that a killed job redoes one step at most.
What a step draws depends on the benchmark's seed, the id and the step alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from echochamber.corpora.documents import Question
from echochamber.errors import Interrupted
from echochamber.evaluation import vllm_engine
from echochamber.evaluation.samples_file import SAMPLES
from echochamber.formats import DEFAULT_RULE
from echochamber.jobs import files
from echochamber.jobs.job import Progress
from echochamber.jobs.spec import Spec
from echochamber.models import architecture as models
from echochamber.models import device as devices
from echochamber.models.checkpoint import PROGRESS, start_afresh_unless_same, step_name
from echochamber.sampling.draw import random_stream
from echochamber.sampling.generate import Completions, generate
from echochamber.sampling.prompts import decode, encode_questions, end_and_padding
from echochamber.sampling.tool import PythonTool
from echochamber.settings import Benchmark, Sampling
from echochamber.verify import Verdict, verify_by_rules

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
    spec: Spec,
    out: Path,
    stop: Callable[[], bool],
    device: torch.device,
    modes: Sequence[str] = MODES,
    examples: Sequence[Question] = (),
) -> None:
    """Evaluate `checkpoints`, (step, folder) each, in some of the `MODES`, and write the samples to `out`.

    Args:
        examples: questions of the train split, for few-shot prompts.

    Raises:
        Interrupted: `stop()` turned true; the steps that are done are kept in `state`.
    """
    start_afresh_unless_same(state, spec.canonical())
    progress = Progress(len(checkpoints), "checkpoint", seconds_between_lines=0, file=state / PROGRESS)
    parts = []
    for done, (step, folder) in enumerate(checkpoints):
        part = state / f"{step_name(step)}.parquet"
        if not part.exists():
            if stop():
                raise Interrupted(f"{done} of {len(checkpoints)} checkpoints evaluated")
            model, tokenizer = models.load(folder, device)
            seed = f"{settings.seed}/{id}/{question_set}/{step}"
            between = settings.samples_between if step != checkpoints[-1][0] else None
            here = settings.model_copy(update={"samples": between or settings.samples})
            with devices.autocast(device, settings.precision):
                asked = {"seed": seed, "modes": modes, "stop": stop, "folder": folder, "examples": examples}
                rows = evaluate(here, model, tokenizer, questions, **asked)
            table = rows.assign(id=id, step=step, question_set=question_set)
            files.write_aside(part, table.to_parquet)
            right = rows.groupby("mode")[f"correct_{DEFAULT_RULE}"].mean()
            progress.update(done + 1, **{f"accuracy_{mode}": right[mode] for mode in modes})
        parts.append(part)
    samples = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    samples = samples[list(SAMPLES)]
    files.write_aside(out, samples.to_parquet)


def evaluate(
    settings: Benchmark,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: list[Question],
    *,
    seed: str,
    modes: Sequence[str] = MODES,
    stop: Callable[[], bool] | None = None,
    examples: Sequence[Question] = (),
    folder: Path | None = None,
) -> pd.DataFrame:
    """One greedy completion and `samples` sampled ones (or one of the two) of every question, judged by every rule.

    Args:
        folder: of the model, for an engine that loads it by itself.

    Returns:
        The columns of samples.parquet but for those that name the checkpoint. `temperature` and `top_p` are empty for
        the greedy mode; `logprob` is in nats, summed over the completion, before top_p.
    """
    eos, pad = end_and_padding(tokenizer, model.generation_config)
    prompts = encode_questions(tokenizer, questions, settings, examples)
    sampling = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
        tool=settings.tool,
    )
    tables = []
    for mode, drawn in _drawn(settings, model, tokenizer, prompts, sampling, seed, modes, eos, pad, folder):
        samples = 1 if mode == "greedy" else settings.samples
        texts = decode(tokenizer, drawn)
        golds = [question.answer for question in questions for _ in range(samples)]
        by_rule = verify_by_rules(texts, golds, finished=drawn.finished, stop=stop)
        executed = by_rule["executed"]
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
                    "format": [verdict.format for verdict in executed],
                    "format_authors": [verdict.format for verdict in by_rule["authors"]],
                    "flags": _flags(executed, drawn),
                }
                | {
                    f"{what}_{rule}": [getattr(verdict, what) for verdict in verdicts]
                    for rule, verdicts in by_rule.items()
                    for what in ("correct", "answer", "answer_key", "status")
                }
            )
        )
    return pd.concat(tables, ignore_index=True).astype({"temperature": float, "top_p": float})


def _flags(verdicts: Sequence[Verdict], drawn: Completions) -> list[str]:
    """Of each completion: those of its verdict, and `tool` where an output was inserted."""
    used = (
        [set()] * len(verdicts) if drawn.inserted is None else [{"tool"} if i.any() else set() for i in drawn.inserted]
    )
    return [",".join(sorted(verdict.flags | tool)) for verdict, tool in zip(verdicts, used, strict=True)]


def _drawn(
    settings: Benchmark,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    sampling: Sampling,
    seed: str,
    modes: Sequence[str],
    eos: Sequence[int],
    pad: int,
    folder: Path | None,
) -> Iterator[tuple[str, Completions]]:
    """The completions of each mode, by the engine that the settings name."""
    counts = {mode: 1 if mode == "greedy" else settings.samples for mode in modes}
    if settings.engine == "own":
        for mode, samples in counts.items():
            asked = {"samples": samples, "sampling": sampling, "greedy": mode == "greedy", "eos": eos, "pad": pad}
            tool = PythonTool(tokenizer, eos) if sampling.tool else None
            yield mode, generate(model, prompts, generator=random_stream(0, seed, mode), tool=tool, **asked)
        return
    if folder is None:
        raise ValueError("folder: found nothing, allowed: the model's folder, which vLLM loads by itself")
    longest = max(map(len, prompts)) + sampling.max_new_tokens
    engine = vllm_engine.Engine(folder, settings.precision, longest)
    asked = {"sampling": sampling, "eos": eos}
    ids = {
        mode: engine.complete(prompts, samples=samples, greedy=mode == "greedy", seed=f"{seed}/{mode}", **asked)
        for mode, samples in counts.items()
    }
    engine.close()
    for mode, drawn in ids.items():
        more = {"eos": eos, "pad": pad, "temperature": sampling.temperature}
        yield mode, vllm_engine.as_completions(model, prompts, drawn, **more)
