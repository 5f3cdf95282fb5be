"""The policy-gradient trainer against TRL's: same tiny model, completions and rewards, same loss and gradient.

TRL samples and scores by itself; what it feeds its loss with is recorded together with the weights, the loss and the
gradient, and given to ours. (Importing TRL takes ten seconds: a file of its own.)
"""

import os

import pytest
import torch
from rl_toys import QUESTIONS, letters, tiny_model

from echochamber.algorithms import algorithm, losses
from echochamber.rl.batch import Batch, Sums, Update, micro_batches
from echochamber.rl.rollout import Rollout
from echochamber.rl.step import Trainer

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
CPU = torch.device("cpu")
GROUPS, SAMPLES, TOKENS = 3, 4, 8


def score(ids: list[int]) -> float:
    return float(sum(ids) % 3 == 0)


@pytest.fixture(scope="module")
def trl():
    return pytest.importorskip("trl", minversion="1.16")


def record(trl, folder, **config) -> list[dict]:
    """What each call of TRL's loss saw and gave, in a short run that leaves the reference and the old policy."""
    from datasets import Dataset

    calls = []

    class Recording(trl.GRPOTrainer):
        def _compute_loss(self, model, inputs):
            loss = super()._compute_loss(model, inputs)
            # the loss is divided by the number of accumulated micro-batches, here one
            weights = list(model.parameters())
            calls.append(
                {
                    "inputs": {name: value.clone() for name, value in inputs.items() if torch.is_tensor(value)},
                    "weights": {name: weight.detach().clone() for name, weight in model.state_dict().items()},
                    "loss": loss.item(),
                    "gradient": [g.clone() for g in torch.autograd.grad(loss, weights, retain_graph=True)],
                }
            )
            return loss

    tiny_model(vocabulary=24, sharpness=6.0).save_pretrained(folder / "model")  # TRL loads the reference from a path
    arguments = trl.GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=GROUPS * SAMPLES,
        num_generations=SAMPLES,
        num_iterations=2,
        max_completion_length=TOKENS,
        use_bias_correction_kl=False,  # the plain k3 loss of GRPO, as in the paper
        learning_rate=3e-2,
        lr_scheduler_type="constant",
        max_steps=4,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        seed=1,
        **config,
    )
    trainer = Recording(
        model=str(folder / "model"),
        reward_funcs=lambda completion_ids, **_: [score(ids) for ids in completion_ids],
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": [question.question for question in QUESTIONS]}),
        processing_class=letters(),
    )
    trainer.train()
    return calls


def rows(ids, mask) -> list[list[int]]:
    return [row[keep.bool()].tolist() for row, keep in zip(ids, mask, strict=True)]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"loss_type": "grpo"}, {"kind": "grpo", "reduction": "sequence"}),
        ({"loss_type": "bnpo"}, {"kind": "grpo", "reduction": "token"}),
        ({"loss_type": "dr_grpo", "scale_rewards": "none"}, {"kind": "dr_grpo", "reduction": "constant"}),
        (
            {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.01, "epsilon_high": 0.02},
            {"kind": "gspo", "clip": 0.01, "clip_high": 0.02},
        ),
        ({"loss_type": "dapo", "epsilon_high": 0.2}, {"kind": "dapo", "clip_high": 0.2}),  # sampling is not TRL's
        ({"loss_type": "cispo", "epsilon_high": 1.05}, {"kind": "cispo", "clip_high": 0.05}),  # theirs counts from 0
    ],
    ids=lambda case: case.get("kind", ""),
)
def test_loss_and_gradient_equal_those_of_trl(trl, tmp_path, theirs, ours, temperature):
    beta, clip = 0.2, 0.1
    given = {"scale_rewards": "group", "epsilon": clip} | theirs
    calls = record(trl, tmp_path, beta=beta, temperature=temperature, **given)
    assert len(calls) == 4
    shared = dict(
        prompts_per_batch=GROUPS,
        samples_per_prompt=SAMPLES,
        update_batch=GROUPS * SAMPLES,
        micro_batch=5,
        sampling={"temperature": temperature, "max_new_tokens": TOKENS},
        kl={"place": "loss", "estimator": "k3", "coefficient": beta},
        clip=clip,
        advantage_epsilon=1e-4,
        precision="fp32",
    )
    settings = algorithm(**shared | ours)
    clipped = differing = 0.0
    for call in calls:
        given = call["inputs"]
        prompts = rows(given["prompt_ids"], given["prompt_mask"])
        completions = rows(given["completion_ids"], given["completion_mask"])
        # TRL shuffles completions over the updates of a generation batch: here there is one update
        groups = {}
        for i, prompt in enumerate(prompts):
            groups.setdefault(tuple(prompt), []).append(i)
        order = [i for group in groups.values() for i in group]
        assert [len(group) for group in groups.values()] == [SAMPLES] * GROUPS
        drawn = Rollout(
            parts={},
            inserted=None,
            prompts=[prompts[i] for i in order],
            completions=[completions[i] for i in order],
            logprobs=[],
            entropy=[],
            finished=[],
            texts=[],
            verdicts=[],
            rule="executed",
            right_steps=None,
            scores=torch.tensor([score(completions[i]) for i in order]).view(GROUPS, SAMPLES),
            seconds_generate=0.0,
            seconds_verify=0.0,
        )
        model = tiny_model(vocabulary=24, sharpness=6.0)
        trainer = Trainer(settings, model, letters(), len(QUESTIONS), 0, CPU)
        trainer.policy.model.load_state_dict(call["weights"])

        batch = Batch.empty(drawn, CPU)
        plan = [Update(list(range(len(order))), micro_batches(list(range(len(order))), batch.lengths.tolist(), 5))]
        batch.advantages = trainer._group_advantages(drawn, batch)
        theirs = given["advantages"][order]
        differing += float((theirs != 0).sum())
        assert torch.allclose(batch.advantages[:, 0], theirs, atol=1e-5)

        trainer._reference_logprobs(drawn, batch, [micro for update in plan for micro in update.micros])
        longest = batch.mask.shape[1]
        reference = torch.where(batch.mask, given["ref_per_token_logps"][order][:, :longest], 0.0)
        assert torch.allclose(batch.reference, reference, atol=1e-5)
        batch.old = torch.where(batch.mask, given["old_per_token_logps"][order][:, :longest], 0.0)

        gradients, loss = [], 0.0

        def take(optimizer, trainer=trainer, gradients=gradients):
            gradients.extend(weight.grad.clone() for weight in trainer.policy.model.parameters())
            return 0.0

        trainer._step = take
        sums = Sums(norms=[0.0])  # not the first update: the old log-probabilities are those given
        original = losses.weighted_sum

        def spy(*arguments, f=original):
            nonlocal loss
            value = f(*arguments)
            loss += float(value)
            return value

        losses.weighted_sum = spy
        try:
            trainer._update(plan[0], drawn, batch, 1, sums)
        finally:
            losses.weighted_sum = original
        clipped += sums.clipped
        assert loss == pytest.approx(call["loss"], abs=1e-5)
        for ours, expected in zip(gradients, call["gradient"], strict=True):
            assert torch.allclose(ours, expected, atol=1e-5, rtol=1e-4)
        assert max(float(g.abs().max()) for g in call["gradient"]) > 1e-3
    assert clipped > 0
    assert differing > 0
