"""Samples on disk: one row per completion, judged by every rule, the same when asked again, resumable by step."""

import pandas as pd
import pytest
import torch

from echochamber.corpora.documents import Question
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import Interrupted
from echochamber.evaluation import evaluate
from echochamber.jobs.files import write_json
from echochamber.jobs.spec import Spec
from echochamber.models import architecture as models
from echochamber.settings import Benchmark, Scale

CPU = torch.device("cpu")
SETTINGS = Benchmark(questions="x", samples=3, max_new_tokens=6)
QUESTIONS = [Question(f"q{i}", f"What is {i} + {i}?", str(2 * i), None) for i in range(4)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two checkpoints of an untrained model: (step, folder)."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_bpe([question.question for question in QUESTIONS] * 20, 300)
    scale = Scale(width=16, layers=1, heads=2, intermediate=32)
    found = []
    for step in (3, 10):
        model = models.build(scale, vocabulary=len(tokenizer), context=64, eos=2, pad=1, seed=step)
        model.save_pretrained(folder / str(step))
        tokenizer.save_pretrained(folder / str(step))
        found.append((step, folder / str(step)))
    return found


class Samples(Spec):
    """As much of a spec as tells two evaluations apart."""

    samples: int


def run(checkpoints, folder, stop=lambda: False, samples=3, **more):
    spec = Samples(version=1, samples=samples)
    arguments = {"id": "a/b", "question_set": "x", "spec": spec, "stop": stop, "device": CPU} | more
    settings = SETTINGS.model_copy(update=arguments.pop("settings", {}))
    out = folder / "samples.parquet"
    evaluate.run(settings, checkpoints, QUESTIONS, state=folder / "state", out=out, **arguments)
    return pd.read_parquet(out)


def test_one_row_per_completion_with_its_settings(checkpoints, tmp_path):
    samples = run(checkpoints, tmp_path)
    assert len(samples) == 2 * 4 * (1 + 3)
    assert set(samples["id"]) == {"a/b"}
    sampled, greedy = samples[samples["mode"] == "sample"], samples[samples["mode"] == "greedy"]
    assert set(sampled["temperature"]) == {0.7}
    assert greedy["top_p"].isna().all()
    assert all(sorted(part) == [0, 1, 2] for _, part in sampled.groupby(["step", "question_id"])["sample"])
    assert (samples["tokens"] <= 6).all()
    assert (samples["logprob"] < 0).all()
    for rule in ("executed", "written", "authors"):
        assert samples[f"correct_{rule}"].dtype == bool
        assert {f"{what}_{rule}" for what in ("answer", "answer_key", "status")} <= set(samples)
    # What did not reach the end token within the limit used all of it.
    assert (samples.loc[~samples["finished"], "tokens"] == 6).all()


def test_the_same_samples_when_asked_again_and_others_at_another_step(checkpoints, tmp_path):
    one, again = run(checkpoints, tmp_path / "one"), run(checkpoints, tmp_path / "two")
    pd.testing.assert_frame_equal(one, again)
    texts = one[one["mode"] == "sample"].groupby("step")["completion"].apply(list)
    assert texts[3] != texts[10]


def test_one_mode_alone_draws_what_it_draws_beside_the_other(checkpoints, tmp_path):
    both, sampled = run(checkpoints, tmp_path / "both"), run(checkpoints, tmp_path / "one", modes=["sample"])
    pd.testing.assert_frame_equal(sampled, both[both["mode"] == "sample"].reset_index(drop=True))


def test_greedy_is_the_most_likely_token_each_time(checkpoints, tmp_path):
    samples = run(checkpoints[:1], tmp_path)
    model, tokenizer = models.load(checkpoints[0][1], CPU)
    prompt = tokenizer(QUESTIONS[2].question + "\n\n", add_special_tokens=False).input_ids
    ids = list(prompt)
    for _ in range(6):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == tokenizer.eos_token_id:
            break
    text = tokenizer.decode(ids[len(prompt) :], clean_up_tokenization_spaces=False).removesuffix("</s>")
    greedy = samples[(samples["mode"] == "greedy") & (samples["question_id"] == "q2")]
    assert greedy["completion"].tolist() == [text]


def test_an_interrupted_evaluation_keeps_its_steps(checkpoints, tmp_path):
    part = tmp_path / "state/step_00000003.parquet"
    with pytest.raises(Interrupted, match="1 of 2 checkpoints"):
        run(checkpoints, tmp_path, part.exists)
    before = part.stat().st_mtime_ns
    samples = run(checkpoints, tmp_path)
    assert part.stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(samples, run(checkpoints, tmp_path / "undisturbed"))


def test_parts_of_another_spec_are_not_used(checkpoints, tmp_path):
    run(checkpoints, tmp_path, samples=3)
    write_json(tmp_path / "state/marker.json", {})
    run(checkpoints, tmp_path, samples=4)
    assert not (tmp_path / "state/marker.json").exists()


def test_fewer_samples_between_leave_the_last_checkpoint_and_greedy_as_they_are(checkpoints, tmp_path):
    all_of_them = run(checkpoints, tmp_path / "all")
    few = run(checkpoints, tmp_path / "few", settings={"samples_between": 2})
    counts = few[few["mode"] == "sample"].groupby("step").size()
    assert counts.to_dict() == {3: 4 * 2, 10: 4 * 3}
    for part in ("step == 10", "mode == 'greedy'"):
        expected = all_of_them.query(part).reset_index(drop=True)
        pd.testing.assert_frame_equal(few.query(part).reset_index(drop=True), expected)


def test_bf16_is_as_good_as_fp32_and_no_other_model(checkpoints, tmp_path):
    """The most likely first token of the untrained model is the same, its log-probability nearly."""
    one = run(checkpoints, tmp_path / "one", modes=["greedy"], settings={"max_new_tokens": 1})
    other = run(checkpoints, tmp_path / "other", modes=["greedy"], settings={"max_new_tokens": 1, "precision": "bf16"})
    assert (one["logprob"] - other["logprob"]).abs().max() < 0.05
    assert not (one["logprob"] == other["logprob"]).all()


def test_another_engines_completions_are_judged_and_written_alike(checkpoints, tmp_path, monkeypatch):
    """One that hands back what was drawn here: the samples are the same to the log-probability's rounding."""
    own = run(checkpoints, tmp_path / "own")

    class Echo:
        def __init__(self, folder, precision, longest):
            self.step = int(folder.name)

        def complete(self, prompts, *, samples, sampling, greedy, eos, seed):
            model, _ = models.load(dict(checkpoints)[self.step], CPU)
            name, mode = seed.rsplit("/", 1)
            options = {"samples": samples, "sampling": sampling, "greedy": greedy, "eos": eos}
            generator = evaluate.random_stream(0, name, mode)
            return evaluate.generate(model, prompts, pad=1, generator=generator, **options).completions

        def close(self):
            pass

    monkeypatch.setattr(evaluate.vllm_engine, "Engine", Echo)
    theirs = run(checkpoints, tmp_path / "theirs", settings={"engine": "vllm"})
    pd.testing.assert_frame_equal(own, theirs, atol=1e-4)
