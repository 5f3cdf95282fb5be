"""T1 and its relatives: against the optimum found numerically, exact expected updates, and simulation."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import brentq, minimize

from echochamber.algorithms import MODULES, ExpertIteration, algorithm
from echochamber.analysis.rl_prompts import SHARES, Rollouts, Start
from echochamber.analysis.samples import Answers
from echochamber.analysis.theory import predictions, stationary, trajectories


def gap_of(kind, group):
    return algorithm(kind=kind, samples_per_prompt=group).theory.gap


WITH_A_GAP = [kind for kind in MODULES if (theory := algorithm(kind=kind).theory) and theory.gap]


@pytest.mark.parametrize("beta", [0.1, 0.3, 1.0, 5.0])
def test_the_predicted_shares_are_the_optimum_of_the_objective(beta):
    """Maximise E[r] - beta KL(pi || ref) numerically over distributions on six completions of three formats."""
    reference = np.array([0.25, 0.2, 0.1, 0.25, 0.05, 0.15])
    reward, form = np.array([1, 0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2])

    def loss(logits: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its gradient, signs turned."""
        log = logits - np.logaddexp.reduce(logits)
        value = reward - beta * (log - np.log(reference))
        mean = float(np.exp(log) @ value)
        return -mean, -np.exp(log) * (value - mean)

    pi = np.exp((x := minimize(loss, np.log(reference), jac=True, tol=1e-12).x) - np.logaddexp.reduce(x))
    written = np.array([reference[form == f].sum() for f in range(3)])
    right = np.array([(reference * reward)[form == f].sum() for f in range(3)])
    expected = [pi[form == f].sum() for f in range(3)]
    assert stationary.predicted_shares(written[None], right[None], beta)[0] == pytest.approx(expected, abs=1e-5)


def test_small_coefficients_do_not_overflow_and_meet_the_limit():
    written, right = np.array([[6.0, 3, 1]]), np.array([[3.0, 3, 0]])
    assert stationary.predicted_shares(written, right, 1e-3)[0] == pytest.approx([0.5, 0.5, 0], abs=1e-12)
    assert stationary.predicted_shares(written, right, 0)[0] == pytest.approx([0.5, 0.5, 0])
    assert stationary.predicted_shares(written, right, 1e9)[0] == pytest.approx([0.6, 0.3, 0.1])
    assert stationary.predicted_shares(written, 0 * right, 0.1)[0] == pytest.approx(
        [0.6, 0.3, 0.1]
    )  # nothing right is seen
    with pytest.raises(ValueError, match="allowed: 0 or more"):
        stationary.predicted_shares(written, right, -1)


@pytest.mark.parametrize("beta", [0.05, 0.5, 2.0])
def test_k3_stands_still_where_its_own_equation_says(beta):
    """pi = ref beta / (beta + rbar - r) with rbar the mean reward of pi itself."""
    written, right = np.array([6.0, 3, 1]), np.array([3.0, 2, 0])
    found = stationary.stationary_k3(written[None], right[None], beta)[0]
    assert found.sum() == pytest.approx(1)
    ref = np.array([written - right, right]) / written.sum()

    def policy(mean: float) -> np.ndarray:
        return ref * beta / (beta + mean - np.array([[0.0], [1.0]]))

    mean = brentq(lambda m: policy(m).sum() - 1, max(0.0, 1 - beta) + 1e-9, 1.0)
    assert policy(mean)[1].sum() == pytest.approx(mean)
    assert found == pytest.approx(policy(mean).sum(0))
    for extreme in (0 * right, written):
        assert stationary.stationary_k3(written[None], extreme[None], beta)[0] == pytest.approx([0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    ("mean", "gap"), [(0.43, 1.75), (0.1, 2.18)]
)  # by hand from the 7 other rewards; the population's deviation would give 2.02 and 3.33
def test_the_gap_of_advantages_in_a_group_of_eight(mean, gap):
    assert gap_of("grpo", 8)(np.array(mean)) == pytest.approx(gap, abs=0.005)
    assert gap_of("dr_grpo", 8)(np.array([mean])) == pytest.approx(7 / 8)
    assert gap_of("rloo", 8)(np.array([mean])) == 1


@pytest.mark.parametrize("kind", WITH_A_GAP)
def test_what_theory_supposes_of_advantages_is_what_the_trainer_makes(kind):
    """All 2^4 rewards of a group: E[A | right] - E[A | wrong] of its first completion, and E[A^2]."""
    scores = torch.tensor(list(product((0.0, 1.0), repeat=4)))
    alone = torch.ones(scores.numel(), 1, dtype=bool)
    advantages = algorithm(kind=kind, samples_per_prompt=4).advantages(scores, torch.zeros(alone.shape), alone)
    first, own = scores[:, 0].numpy(), advantages.view_as(scores)[:, 0].numpy()
    for mean in (0.05, 0.4, 0.9):
        chance = np.prod(np.where(scores.numpy()[:, 1:] == 1, mean, 1 - mean), axis=1)
        expected = chance[first == 1] @ own[first == 1] - chance[first == 0] @ own[first == 0]
        assert gap_of(kind, 4)(np.array(mean)) == pytest.approx(expected, abs=1e-6)
        square = (chance * np.where(first == 1, mean, 1 - mean)) @ own**2
        informative = np.array([1 - mean**4 - (1 - mean) ** 4])
        theory = algorithm(kind=kind, samples_per_prompt=4).theory
        assert theory.square(np.array([mean]), informative) == pytest.approx(square, abs=1e-6)


@pytest.mark.parametrize("estimator", ["k2", "k3"])
@pytest.mark.parametrize("kind", ["grpo", "dr_grpo"])
def test_with_a_kl_in_the_loss_the_policy_rests_where_its_expected_update_is_zero(estimator, kind):
    """Follow the exact expected update of a softmax over six completions in groups of 4 until it stands still."""
    reference = np.array([0.25, 0.2, 0.1, 0.25, 0.05, 0.15])
    reward, form = np.array([1, 0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2])
    beta, groups = 0.4, np.array(list(product((0, 1), repeat=4)))
    mean, deviation = groups.mean(1, keepdims=True), groups.std(1, ddof=1, keepdims=True)
    advantages = groups - mean
    if kind == "grpo":
        advantages = np.divide(advantages, deviation, out=np.zeros(groups.shape), where=deviation > 0)
    logits = np.log(reference)
    for _ in range(4000):
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        right = pi @ reward
        chance = np.prod(np.where(groups == 1, right, 1 - right), axis=1)
        # E[A | own reward], of the first of the four
        of = [(chance * advantages[:, 0])[groups[:, 0] == r].sum() / chance[groups[:, 0] == r].sum() for r in (0, 1)]
        log_ratio = np.log(pi / reference)
        penalty = log_ratio if estimator == "k2" else 1 - reference / pi  # d/d log pi of the estimator
        per_completion = np.array(of)[reward] - beta * penalty
        logits = logits + 0.5 * pi * (per_completion - pi @ per_completion)
    written = np.array([reference[form == f].sum() for f in range(3)])
    solved = np.array([(reference * reward)[form == f].sum() for f in range(3)])
    law = stationary.with_gap("tilt" if estimator == "k2" else "k3", gap_of(kind, 4))
    expected = [pi[form == f].sum() for f in range(3)]
    assert law(written[None], solved[None], beta)[0] == pytest.approx(expected, abs=1e-6)
    naive = (stationary.predicted_shares if estimator == "k2" else stationary.stationary_k3)(
        written[None], solved[None], beta
    )
    assert np.abs(naive[0] - expected).max() > 0.003


def test_shares_are_averaged_over_questions():
    form = np.array([[0, 0, 1, 1], [0, 0, 0, 1]])
    correct = np.array([[1, 0, 1, 1], [0, 0, 0, 1]], dtype=bool)
    shares, _ = stationary.predict(form, correct, 2, partial(stationary.predicted_shares, beta=0))
    assert shares == pytest.approx(np.array([[1 / 3, 2 / 3], [0, 1]]))
    assert shares.mean(0) == pytest.approx([1 / 6, 5 / 6])  # the ratio of averages would be 1/4, 3/4


def test_the_bias_of_finite_samples_is_seen_and_its_correction_comes_nearer():
    rng = np.random.default_rng(0)
    share, accuracy, beta = np.array([0.7, 0.3]), np.array([0.05, 0.3]), 0.3
    weight = share * (1 - accuracy + accuracy * np.exp(1 / beta))
    truth = weight / weight.sum()
    form = rng.choice(2, p=share, size=(4000, 16))
    correct = rng.random(form.shape) < accuracy[form]
    shares, bias = (
        a.mean(0) for a in stationary.predict(form, correct, 2, partial(stationary.predicted_shares, beta=beta))
    )
    assert abs(shares[0] - truth[0]) > 0.01
    assert abs(shares[0] + bias[0] - truth[0]) < 0.5 * abs(shares[0] - truth[0])


# --- laws of algorithms ----------------------------------------------------------------------------------------------

RL = {"sampling": {"temperature": 1.0}, "update_batch": 512}
ON_POLICY = RL | {"kl": {"place": "reward", "level": "sequence", "coefficient": 0.3}}


@pytest.mark.parametrize(
    ("settings", "name", "reason"),
    [
        (ON_POLICY | {"kind": "rloo"}, "tilt", None),
        (ON_POLICY | {"kind": "ppo"}, "tilt", None),
        (RL | {"kind": "grpo"}, "limit", "no KL"),
        (RL | {"kind": "grpo", "kl": {"place": "reward", "coefficient": 0.3}}, "tilt", "KL per token"),
        (ON_POLICY | {"kind": "rloo", "sampling": {"top_p": 0.9}}, "tilt", "top_p below 1"),
        (ON_POLICY | {"kind": "rloo", "reduction": "sequence"}, "tilt", "short completions"),
        (
            RL | {"kind": "grpo", "kl": {"place": "loss", "estimator": "k3", "level": "sequence", "coefficient": 1}},
            "k3",
            None,
        ),
        (
            RL | {"kind": "ppo", "kl": {"place": "loss", "estimator": "k2", "level": "sequence", "coefficient": 1}},
            "tilt",
            "batch's spread",
        ),
        (
            RL
            | {"kind": "rloo", "update_batch": 64}
            | {"kl": {"place": "loss", "estimator": "k2", "level": "sequence", "coefficient": 1}},
            "tilt",
            "several updates",
        ),
    ],
)
def test_each_algorithm_has_its_law_and_the_reason_why_not(settings, name, reason):
    law = predictions.law(algorithm(**settings))
    assert law.name == name
    assert (reason is None) == (not law.reasons)
    assert reason is None or any(reason in text for text in law.reasons)
    assert law.shares(np.array([[6, 4]]), np.array([[3, 1]])).sum() == pytest.approx(1)


def test_expert_iteration_and_controls():
    assert predictions.law(ExpertIteration(kind="expert_iteration")).reasons == ("duplicates are dropped",)
    strict = predictions.law(ExpertIteration(kind="expert_iteration", drop_duplicates=False))
    assert not strict.reasons
    assert strict.shares(np.array([[6, 4]]), np.array([[3, 1]]))[0] == pytest.approx([0.75, 0.25])
    assert predictions.law(algorithm(kind="grpo", reward="random")) is None


LOSS = RL | {"kl": {"place": "loss", "estimator": "k2", "level": "sequence", "coefficient": 0.3}}


@pytest.mark.parametrize(
    ("settings", "price"),
    [
        (ON_POLICY | {"kind": "rloo"}, 0.3),
        (ON_POLICY | {"kind": "ppo"}, 0.3),
        (LOSS | {"kind": "rloo"}, 0.3),
        (LOSS | {"kind": "dr_grpo"}, 0.3 / (7 / 8)),
        (LOSS | {"kind": "grpo"}, 0.3 / (7 / 8 / 0.125**0.5)),  # one right answer of 8: (1 - 1/8) over its deviation
    ],
)
def test_at_rest_the_objective_is_above_the_base_models(settings, price):
    law = predictions.law(algorithm(**settings))
    assert law.price == pytest.approx(price)
    rng = np.random.default_rng(0)
    for _ in range(20):
        reference, reward = rng.dirichlet(np.full(6, 0.5)), np.array([1, 0, 1, 0, 1, 0])
        pi = law.shares(reference[None], (reference * reward)[None])[0]  # each completion as a format of its own
        assert pi @ reward - law.price * pi @ np.log(pi / reference) > reference @ reward


def test_only_a_penalty_on_kl_of_completions_has_an_objective():
    for kl in (
        {"place": "none"},
        {"place": "reward", "level": "token", "coefficient": 0.3},
        {"place": "loss", "estimator": "k3", "level": "sequence", "coefficient": 0.3},
    ):
        law = predictions.law(algorithm(kind="rloo", **RL, kl=kl))
        assert law.price is None, kl
    assert predictions.law(ExpertIteration(kind="expert_iteration")).price is None


def test_objectives_in_the_table_by_hand():
    """20 batches: the last tenth are two, of 256 and 512 completions."""
    correct = np.array([[1, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]], dtype=bool)
    form, blank = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 1]]), np.zeros((3, 4), dtype=int)
    every = {"key": blank, "tokens": blank}
    questions = np.array(["a", "b", "c"])
    answers = Answers(questions, correct=correct, format=form, finished=blank == 0, degenerate=blank == 1, **every)
    log = pd.DataFrame({"step": np.arange(1, 21), "completions_sampled": [*(256 * np.arange(1, 20)), 256 * 21]})
    log[SHARES] = [0.5, 0.5, 0, 0, 0]
    log["reward_mean"], log["kl"] = [0.9] * 18 + [0.5, 0.8], [0.0] * 18 + [1.0, 2.0]
    rows = predictions.predictions(Start.of(answers), Rollouts(algorithm(**ON_POLICY | {"kind": "rloo"}), log))
    found = {row["measure"]: row for row in rows}
    assert found["base_objective"]["estimate"] == pytest.approx(5 / 12)
    assert found["base_objective"]["low"] < 5 / 12 < found["base_objective"]["high"]
    assert found["objective"]["estimate"] == pytest.approx((0.5 - 0.3 + 2 * (0.8 - 0.6)) / 3)
    assert found["objective"]["n_samples"] == 768
    other = Rollouts(algorithm(kind="grpo", **RL, kl={"place": "none"}), log)
    assert not any("objective" in row["measure"] for row in predictions.predictions(Start.of(answers), other))


def test_without_a_theory_the_table_says_no_prediction_and_what_was_measured():
    """DAPO's choice of questions changes with the policy: no law, but its shares stand beside the base model's."""
    log = pd.DataFrame({"step": np.arange(1, 21), "completions_sampled": 256 * np.arange(1, 21)})
    log[SHARES] = [0.5, 0.25, 0.25, 0, 0]
    correct, form = np.array([[True, False], [False, False]]), np.array([[0, 1], [0, 0]])
    blank = np.zeros((2, 2), dtype=int)
    answers = Answers(
        np.array(["a", "b"]),
        correct=correct,
        format=form,
        finished=blank == 0,
        degenerate=blank == 1,
        key=blank,
        tokens=blank,
    )
    dapo = algorithm(kind="dapo", prompts_per_batch=32)
    assert predictions.law(dapo) is None
    rows = predictions.predictions(Start.of(answers), Rollouts(dapo, log))
    assert {row["law"] for row in rows} == {"no prediction"}
    assert {row["reason"] for row in rows} == {"no theory of DAPO"}
    assert {row["measure"] for row in rows} == {"base", "measured", "movement"}
    shares = {(row["measure"], row["format"]): row["estimate"] for row in rows}
    assert (shares["base", "tinygsm"], shares["measured", "tinygsm"]) == (0.75, 0.5)
    assert trajectories.cases([("", Start.of(answers), Rollouts(dapo, log))]) == []


def test_the_interval_of_the_error_holds_its_level():
    """True error known: the run ends elsewhere by .1 and -.1 from what the law says of the true base model."""
    rng = np.random.default_rng(1)
    share, accuracy, n = np.array([0.6, 0.4]), np.array([0.3, 0.6]), 200
    truth = share * accuracy / (share @ accuracy)
    hits = 0
    for trial in range(200):
        form = rng.choice(2, p=share, size=(n, 32))
        correct = rng.random(form.shape) < accuracy[form]
        whole, bias = stationary.predict(form, correct, 2, partial(stationary.predicted_shares, beta=0))
        end = rng.binomial(96, truth[0] + 0.1) / 96
        measured = {"estimate": np.array([end, 1 - end]), "n_questions": 96}
        found = predictions.error_interval(whole + bias, measured, np.ones(2, dtype=bool), trial)
        hits += found["low"] <= 0.1 <= found["high"]
    assert 0.9 <= hits / 200 <= 0.985
