"""How a question becomes a prompt, and that RL, evaluation and probes give the model the same one."""

from pathlib import Path

import pytest
import torch
from rl_toys import QUESTIONS, MemoryState, Question, letters, tiny_model, verify_letters

from echochamber.algorithms import algorithm
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.evaluation import evaluate as evaluation
from echochamber.grid import parsing
from echochamber.models.encoding import encode
from echochamber.rl import expert_iteration, policy_gradient, rollout
from echochamber.sampling.prompts import encode_questions
from echochamber.settings import Benchmark, PromptForm

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
BARE = PromptForm(suffix="")
TEXT = "How many does Tom have?"


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = train_bpe([f"{TEXT}\n\n{begin}" for begin in ("So 3.", "def f():")] * 20, 320)
    tokenizer.bos_token = "<unk>"
    return tokenizer


def test_a_prompt_ends_with_its_suffix(tokenizer):
    """None: the bare question, as the authors encode it; another text stands as it is."""
    bare = encode(tokenizer.backend_tokenizer, [TEXT])[0]
    assert encode_questions(tokenizer, [Question(TEXT, "3")], BARE) == [bare]
    assert tokenizer.decode(encode_questions(tokenizer, [Question(TEXT, "3")], PromptForm(suffix=" A:"))[0]) == (
        TEXT + " A:"
    )
    default = encode_questions(tokenizer, [Question(TEXT, "3")])
    assert default == encode_questions(tokenizer, [Question(TEXT, "3")], PromptForm())
    assert tokenizer.decode(default[0]) == TEXT + "\n\n"


def test_a_start_token_stands_before_the_question_where_asked_for(tokenizer):
    for suffix in ("", "\n\n"):
        without, with_it = (
            encode_questions(tokenizer, [Question(TEXT, "3")], PromptForm(suffix=suffix, bos=bos))
            for bos in (False, True)
        )
        assert with_it == [[tokenizer.bos_token_id, *without[0]]]
    tokenizer = train_bpe(["a"], 300)
    with pytest.raises(UserError, match="bos: found true, allowed: false, since the tokenizer has no start token"):
        encode_questions(tokenizer, [Question("?", "3")], PromptForm(bos=True))


class Asked(Exception):
    """The prompts that the sampler was given; nothing has to be drawn."""


def spy(model, prompts, **_):
    raise Asked(prompts)


@pytest.mark.parametrize("form", [BARE, PromptForm()])
def test_rl_expert_iteration_and_evaluation_ask_alike(form, monkeypatch):
    monkeypatch.setattr(rollout, "generate", spy)
    monkeypatch.setattr(evaluation, "generate", spy)
    monkeypatch.setattr(rollout, "verify_batch", verify_letters)
    expected = encode_questions(letters(), QUESTIONS, form)
    common = {"seed": 0, "state": MemoryState(), "stop": lambda: False, "device": CPU, "form": form}
    gradient = algorithm(kind="grpo", prompts_per_batch=len(QUESTIONS), samples_per_prompt=2, update_batch=2)
    with pytest.raises(Asked) as asked:
        policy_gradient.train(gradient, tiny_model(vocabulary=24), letters(), QUESTIONS, **common)
    assert sorted(asked.value.args[0]) == sorted(expected)
    experts = algorithm(kind="expert_iteration", samples_per_prompt=2)
    with pytest.raises(Asked) as asked:
        expert_iteration.train(experts, tiny_model(vocabulary=24), letters(), QUESTIONS, **common)
    assert sorted(asked.value.args[0]) == sorted(expected)
    asking = Benchmark(questions="x", samples=2, max_new_tokens=4, suffix=form.suffix)
    questions = [Question(q.question, q.answer) for q in QUESTIONS]
    with pytest.raises(Asked) as asked:
        evaluation.evaluate(asking, tiny_model(vocabulary=24), letters(), questions, seed="0")
    assert asked.value.args[0] == expected


def test_the_papers_jobs_all_ask_the_bare_question():
    grid = parsing.load(ROOT / "config/paper.yaml")
    assert {grid.posttrain_spec(run).form for run in grid.runs.values()} == {BARE}
    benchmarks = {grid.evaluate_spec(job, name).settings for (_, name), job in grid.evaluations.items()}
    assert {(settings.suffix, settings.bos) for settings in benchmarks} == {("", "auto")}
    assert {(s.settings.suffix, s.settings.bos) for s in map(grid.probe_spec, grid.probes.values())} == {("", "auto")}
    assert '"form": {"suffix": ""}' in grid.posttrain_spec(next(iter(grid.runs.values()))).text()


def test_what_no_grid_file_says_is_in_no_spec():
    """So that no job that has run before runs again."""
    grid = parsing.load(ROOT / "config/demo.yaml")
    texts = [grid.posttrain_spec(run).text() for run in grid.runs.values()]
    texts += [grid.evaluate_spec(job, name).text() for (_, name), job in grid.evaluations.items()]
    texts += [grid.probe_spec(probe).text() for probe in grid.probes.values()]
    assert not any(name in text for text in texts for name in ("suffix", "bos", '"form"'))
