"""What each job of a grid takes: FLOPs, time, memory, disk, before it runs. From the grid alone; imports no torch.

    Costs(grid).pretraining(model).gpu_hours

The formulas, with a worked example and what they leave out: docs/plan.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Probe, Run
from echochamber.planning import flops, imports, machine
from echochamber.planning.flops import Shape
from echochamber.planning.machine import FROZEN, RESUMED, TRAINED, Machine
from echochamber.planning.text_sizes import PAPERS_VOCABULARY, TextSizes
from echochamber.pretraining import fit
from echochamber.rl import schedule
from echochamber.schema import Precision
from echochamber.settings import ExpertIteration, PolicyGradient, Sampling, Scale

START_SECONDS = 6.0
"""Until torch and transformers are imported and a model is loaded."""
VERIFIED_PER_SECOND = 4000.0
"""Completions judged on one core (benchmarks/verify.py, programs)."""
TOKENISED_PER_SECOND = 3.0e5
"""Tokens on one core, short documents."""
RIGHT = 0.5
"""Share of its samples that Expert Iteration is taken to keep: nobody knows before it has run."""
PROCESS_BYTES, CUDA_BYTES = 1.0e9, 4.0e9
"""Memory of a job that holds no model yet, its verifier's processes included; on a GPU with CUDA's libraries."""
SAMPLE_BYTES = 1.0
"""Of samples.parquet per token of its completions (the demo's: 0.5 to 1)."""
PAPERS_LARGEST = Scale(width=2048, layers=16, heads=16, intermediate=8192, tied=True)
"""What an imported model that is not at hand is taken for."""


@dataclass(frozen=True)
class Cost:
    """Of one job."""

    tokens: float = 0.0
    """That go through the model: trained on, or read and written in generation."""
    flops: float = 0.0
    seconds: float = 0.0
    gpu_hours: float = 0.0
    """0 where the planned device is a CPU."""
    memory_bytes: float = 0.0
    """On each GPU; 0 without one."""
    host_bytes: float = 0.0
    """Of the machine's own memory."""
    disk_bytes: float = 0.0
    """That stays: shards, kept checkpoints, samples."""
    scratch_bytes: float = 0.0
    """Besides, while the job runs: the two states that it resumes from."""


class Costs:
    """The costs of one grid's jobs."""

    def __init__(self, grid: Grid, ask: bool = False) -> None:
        """ask: whether the hub is asked for the size of imported models that are not here."""
        self.grid, self.ask = grid, ask
        self.texts = TextSizes(grid)
        self.machine = Machine(grid.file.hardware)
        self.guessed: set[str] = set()
        """Imported models of which neither config.json nor scale is known, as far as they were asked for."""
        self._shapes: dict[tuple[str | None, str | None], Shape] = {}

    # --- jobs --------------------------------------------------------------------------------------------------------

    def corpus(self, source: str) -> Cost:
        """Tokenising one source, without its download."""
        size = self.texts.corpus(source)
        return Cost(
            tokens=size.tokens,
            seconds=size.tokens / TOKENISED_PER_SECOND,
            host_bytes=PROCESS_BYTES,
            disk_bytes=self.texts.token_bytes * size.tokens + 8 * (size.documents or 0),
        )

    def corpus_shard(self, source: str) -> Cost:
        """One of the jobs that tokenise it. Those of a limited source stop at its limit, so one is taken for all."""
        settings, corpus_cost = self.grid.file.corpora[source], self.corpus(source)
        jobs = 1 if settings.max_tokens else settings.shards
        return replace(
            corpus_cost,
            tokens=corpus_cost.tokens / jobs,
            seconds=corpus_cost.seconds / jobs,
            disk_bytes=corpus_cost.disk_bytes / jobs,
        )

    def pretraining(self, model: Model) -> Cost:
        settings, shape, scale = self.grid.file.pretraining, self.shape(model), self.grid.file.scales[model.scale]
        gpus = self.grid.gpus(model.scale)
        processes = max(gpus, 1)
        tokens = self.texts.mixture_tokens(self.grid.trained_on(model))
        work = tokens * flops.training_per_token(shape, settings.sequence_length)
        trained = TRAINED * shape.parameters / (processes if scale.sharding == "fsdp2" else 1)
        share = math.ceil(settings.batch_rows / processes)
        memory = self.machine.device.memory_bytes
        rows = fit.micro_batch_rows(
            scale,
            settings,
            vocabulary=shape.vocabulary,
            rows=share,
            held=trained,
            memory_bytes=memory * self.grid.gpu_percent(model) / 100 if memory else None,
        )
        micro_batch = min(rows, share) * settings.sequence_length
        passes = tokens / (processes * micro_batch)
        return self._job(
            gpus,
            self.grid.gpu_percent(model),
            tokens=tokens,
            flops=work,
            seconds=self.machine.training_seconds(shape, work / processes, passes, settings.precision),
            tensors=trained + machine.activations(shape, micro_batch, settings.precision),
            resumed=RESUMED * shape.parameters,
            disk=4.0 * shape.parameters * (1 if model.stages else len({*settings.checkpoints, "last"})),
        )

    def posttraining(self, run: Run) -> Cost:
        settings = self.grid.file.algorithms[run.algorithm]
        rollouts = self._expert_iteration if isinstance(settings, ExpertIteration) else self._policy_gradient
        return rollouts(run, settings)

    def evaluation(self, job: Model | Run, benchmark: str) -> Cost:
        """All checkpoints of a model or a run on one question set: one greedy completion and the samples of each."""
        settings = self.grid.file.benchmarks[benchmark]
        model = job if isinstance(job, Model) else job.model
        available, prompt = self.texts.questions(settings.questions, "test")
        questions = min(settings.count or available, available)
        base = isinstance(job, Model)
        checkpoints = len(self.grid.starts(job)) + 1 if base else len(self.kept_steps(job))
        if not base and settings.checkpoints == "ends":
            checkpoints = 1
        few = 0 if base or settings.samples_between is None else checkpoints - 1
        longest, precision = settings.max_new_tokens, settings.precision
        whole = (checkpoints - few, questions, prompt, (1, settings.samples), longest, precision)
        cost = self._samples(model, *whole)
        if few:
            samples = (1, settings.samples_between or settings.samples)
            cost = _together(cost, self._samples(model, few, questions, prompt, samples, longest, precision))
        return cost

    def probe(self, probe: Probe) -> Cost:
        """Samples of a base model on the RL prompts."""
        questions, prompt = self.prompts(probe.prompts)
        samples = (self.grid.file.base_samples.samples,)
        longest, precision = probe.sampling.max_new_tokens, self.grid.file.base_samples.precision
        return self._samples(probe.model, 1, questions, prompt, samples, longest, precision)

    def _samples(
        self,
        model: Model,
        checkpoints: int,
        questions: int,
        prompt: float,
        samples: Iterable[int],
        longest: int,
        precision: Precision,
    ) -> Cost:
        """So many completions of every question from every checkpoint, judged by the three rules.

        Two of them share what they execute.
        """
        shape = self.shape(model)
        completion = self.texts.completion(model, prompt, longest)
        weights = FROZEN * shape.parameters
        work = seconds = rows = 0.0
        for each in samples:
            drawn = flops.generation(shape, prompts=questions, samples=each, prompt=prompt, completion=completion)
            lengths = {"prompt": prompt, "completion": completion, "longest": longest}
            seconds += self.machine.decoding_seconds(
                shape, drawn, rows=questions * each, **lengths, precision=precision, held=weights
            )
            work += drawn
            rows += questions * each
        written = checkpoints * rows * completion
        return self._job(
            self.grid.gpus(),
            self.grid.gpu_percent(model),
            tokens=checkpoints * questions * prompt + written,
            flops=checkpoints * work,
            seconds=checkpoints * (seconds + 2 * rows / VERIFIED_PER_SECOND),
            tensors=weights + self.machine.cache_bytes(shape, rows, prompt + longest, precision, weights),
            resumed=0.0,
            disk=2 * SAMPLE_BYTES * written,  # each checkpoint by itself, and all together
        )

    def _policy_gradient(self, run: Run, s: PolicyGradient) -> Cost:
        """Rollouts, verification, log-probabilities and updates, as `echochamber.rl.policy_gradient` makes them."""
        shape, critic = self.shape(run.model), s.critic
        prompts, prompt = self.prompts(run.prompts)
        completion = self.texts.completion(run.model, prompt, s.sampling.max_new_tokens)
        steps = schedule.total_steps(s, prompts)
        rows = s.prompts_per_batch * s.samples_per_prompt
        trained, resumed = machine.trained_bytes(shape, s.lora)
        held = (2 if critic else 1) * trained + FROZEN * shape.parameters
        once = self._rollout(shape, s.sampling, s.precision, s.prompts_per_batch, rows, prompt, completion, held)
        drawn, seconds = (s.planned_batches * each for each in once)
        # One forward pass over all completions. A prompt is encoded once for its samples, or with each of them.
        tokens = rows * completion + (rows if s.gradient_checkpointing else s.prompts_per_batch) * prompt
        forward = tokens * flops.forward_per_token(shape, prompt + completion)
        passes = forward_passes(s)
        micro_batches = passes / 3 * math.ceil(s.update_batch / s.micro_batch) * rows / s.update_batch
        return self._job(
            self.grid.gpus(),
            self.grid.gpu_percent(run.model, run.algorithm),
            tokens=steps * s.planned_batches * (s.prompts_per_batch * prompt + rows * completion),
            flops=steps * (drawn + passes * forward),
            seconds=steps * (seconds + self._update_seconds(shape, passes * forward, micro_batches, s.precision)),
            tensors=held + self._rl_memory(shape, s, rows, prompt, held),
            resumed=(2 if critic else 1) * resumed,
            disk=4.0 * shape.parameters * len(self.kept_steps(run)),
        )

    def _expert_iteration(self, run: Run, s: ExpertIteration) -> Cost:
        """Samples, verification, and the updates on those that are kept (`RIGHT`)."""
        shape = self.shape(run.model)
        available, prompt = self.prompts(run.prompts)
        prompts = s.prompts_per_iteration or available
        completion = self.texts.completion(run.model, prompt, s.sampling.max_new_tokens)
        rows = prompts * s.samples_per_prompt
        trained, resumed = machine.trained_bytes(shape, s.lora)
        held = trained + FROZEN * shape.parameters
        drawn, seconds = self._rollout(shape, s.sampling, s.precision, prompts, rows, prompt, completion, held)
        length = prompt + completion
        kept = s.epochs * RIGHT * rows
        passes = (4 if s.gradient_checkpointing else 3) * kept + prompts  # one completion a prompt gives the KL
        learning = passes * length * flops.forward_per_token(shape, length)
        micro_batches = passes / 3 / min(s.micro_batch, s.batch)
        return self._job(
            self.grid.gpus(),
            self.grid.gpu_percent(run.model, run.algorithm),
            tokens=s.iterations * (prompts * prompt + rows * completion + kept * length),
            flops=s.iterations * (drawn + learning),
            seconds=s.iterations * (seconds + self._update_seconds(shape, learning, micro_batches, s.precision)),
            tensors=held + self._rl_memory(shape, s, rows, prompt, held),
            resumed=resumed,
            disk=4.0 * shape.parameters * len(self.kept_steps(run)),
        )

    def _rollout(
        self,
        shape: Shape,
        sampling: Sampling,
        precision: str,
        prompts: int,
        rows: int,
        prompt: float,
        completion: float,
        held: float,
    ) -> tuple[float, float]:
        """FLOPs and seconds of sampling and judging `rows` completions of `prompts`."""
        work = flops.generation(shape, prompts=prompts, samples=rows / prompts, prompt=prompt, completion=completion)
        lengths = {"prompt": prompt, "completion": completion, "longest": sampling.max_new_tokens}
        seconds = self.machine.decoding_seconds(shape, work, rows=rows, **lengths, precision=precision, held=held)
        return work, seconds + rows / VERIFIED_PER_SECOND

    def _update_seconds(self, shape: Shape, flops: float, micro_batches: float, precision: str) -> float:
        """Of log-probabilities and updates."""
        return self.machine.training_seconds(shape, flops, micro_batches, precision, "rl_update")

    def _rl_memory(
        self, shape: Shape, s: PolicyGradient | ExpertIteration, rows: int, prompt: float, held: float
    ) -> float:
        """Bytes of the activations of a micro-batch or of the cache of sampling, whichever is more."""
        length = prompt + s.sampling.max_new_tokens
        update = s.update_batch if isinstance(s, PolicyGradient) else s.batch
        micro_batch = min(s.micro_batch, update) * length
        activations = machine.activations(shape, micro_batch, s.precision, recompute=s.gradient_checkpointing)
        return max(activations, self.machine.cache_bytes(shape, rows, length, s.precision, held))

    def _job(
        self,
        gpus: int,
        share: int,
        *,
        tokens: float,
        flops: float,
        seconds: float,
        tensors: float,
        resumed: float,
        disk: float,
    ) -> Cost:
        """A job that holds `tensors` bytes where it computes, and keeps two states of `resumed` bytes.

        Args:
            share: hundredths of each of its GPUs; the seconds are those of a job that has it to itself.
        """
        seconds += START_SECONDS
        return Cost(
            tokens=tokens,
            flops=flops,
            seconds=seconds,
            gpu_hours=gpus * share / 100 * seconds / 3600,
            memory_bytes=tensors if gpus else 0.0,
            host_bytes=gpus * CUDA_BYTES + resumed if gpus else PROCESS_BYTES + tensors,
            disk_bytes=disk,
            scratch_bytes=2 * resumed,
        )

    # --- what they hang on -------------------------------------------------------------------------------------------

    def shape(self, model: Model) -> Shape:
        """The size of a model; of an imported one by its config.json, else by its `scale`, else the paper's 1B."""
        key = model.scale, model.imported
        if key not in self._shapes:
            file, own = self.grid.file, None
            if model.imported:
                own = imports.shape(file.models[model.imported], file.data, self.ask)
            scale = file.scales[model.scale] if model.scale else None
            if own is None and scale is None:
                self.guessed.add(f"models.{model.imported}")
                own = flops.olmo(PAPERS_LARGEST, PAPERS_VOCABULARY)
            self._shapes[key] = own or flops.olmo(scale or PAPERS_LARGEST, self.texts.vocabulary)
        return self._shapes[key]

    def prompts(self, name: str) -> tuple[int, float]:
        """How many RL prompts there are, and the tokens of a mean one."""
        settings = self.grid.file.prompts[name]
        available, length = self.texts.questions(settings.questions, "train")
        return min(settings.count or available, available), length

    def kept_steps(self, run: Run) -> list[int]:
        """The steps of a run whose checkpoints are kept."""
        return schedule.checkpoint_steps(self.grid.file.algorithms[run.algorithm], self.prompts(run.prompts)[0])


def _together(one: Cost, other: Cost) -> Cost:
    """Of one job that does both, one after the other: it starts once, and needs the memory of the larger."""
    seconds = one.seconds + other.seconds - START_SECONDS
    return replace(
        one,
        tokens=one.tokens + other.tokens,
        flops=one.flops + other.flops,
        seconds=seconds,
        gpu_hours=seconds / 3600 if one.gpu_hours else 0.0,
        memory_bytes=max(one.memory_bytes, other.memory_bytes),
        host_bytes=max(one.host_bytes, other.host_bytes),
        disk_bytes=one.disk_bytes + other.disk_bytes,
    )


def forward_passes(s: PolicyGradient) -> float:
    """Of one rollout batch: forward passes over its completions, a forward and backward one counted as three.

    The reference policy, of as many as its KL is logged on; the policy as it sampled (the first update makes its own,
    but rewards with KL come before it); the updates; and all of the latter two for a critic, which has no output matrix
    to speak of.
    """
    updates = s.prompts_per_batch * s.samples_per_prompt / s.update_batch
    sampled = 1 if s.kl.place == "reward" else 1 - 1 / updates
    learning = s.update_passes * (4 if s.gradient_checkpointing else 3)  # the backward pass makes its activations again
    return s.kl.logged_on + sampled + learning + ((1 + learning) if s.critic else 0)


def mem_mb(cost: Cost, attempt: int) -> int:
    """Megabytes of the machine's memory to ask for: half as much again as predicted, that much more each attempt."""
    return math.ceil(1.5 * attempt * cost.host_bytes / 1e6)


def runtime(cost: Cost, attempt: int, time_limit_hours: float | None) -> int:
    """Minutes to ask for: twice those predicted, half an hour at least, that much more each attempt, up to the limit.

    A job that the limit is too short for saves and goes on when it is submitted again.
    """
    asked = attempt * max(2 * cost.seconds / 60, 30)
    return math.ceil(asked if time_limit_hours is None else min(asked, 60 * time_limit_hours))
