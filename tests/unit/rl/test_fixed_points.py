"""Where each setting comes to rest: exact expected gradients of the library's own losses, against the theory.

A completion is one token (six of them), or two: a format, then a right or a wrong answer. Groups of three samples are
enumerated with their probabilities, so that there is no noise, and the group's effect on baseline and scale is in. The
logits follow the expected gradient, divided by the probability (which moves no fixed point) to arrive sooner.

What theory says, with sequences y, reference `ref`, reward r, mean reward rbar, coefficient b (paper, section 3.6, and
the stationarity conditions of each penalty; derived at `tilted`, `k3_fixed_point` and `token_level`):

- k1 in the reward, and k2 of whole sequences as a loss: T1, pi(y) = ref(y) exp(r(y) / b) / Z.
- k3 of whole sequences as a loss: pi(y) = ref(y) b / (b + rbar - r(y)).
- per token, a loss ignores what a token does to later penalties: the same forms for each token, with the value V of
  what follows, the reward alone, in place of r.

A baseline that holds the sample's own score scales the gradient of the reward by 1 - 1/G, and not that of a loss term:
there b becomes b G / (G - 1). Division by the group's std scales it by a function of rbar, solved for with the rest.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, root
from scipy.stats import binom

from echochamber.algorithms import advantages as adv
from echochamber.algorithms import algorithm, losses

FORMATS, ANSWERS, GROUP = 3, 2, 3
REF_FORMAT = np.array([0.5, 0.3, 0.2])
REF_RIGHT = np.array([0.3, 0.6, 0.8])  # accuracy of the reference in each format
REF_ANSWER = np.stack([1 - REF_RIGHT, REF_RIGHT], 1)
REF = (REF_FORMAT[:, None] * REF_ANSWER).ravel()
REWARD = np.tile([0.0, 1.0], FORMATS)
GROUPS = torch.tensor(list(itertools.product(range(FORMATS * ANSWERS), repeat=GROUP)))
COEFFICIENTS = [0.1, 0.3, 1.0]


# --- the dynamics, from the library's functions ----------------------------------------------------------------------


class OneToken:
    """pi = softmax of six logits."""

    shapes = ((6,),)

    def token_logprobs(self, logits):
        return logits[0].log_softmax(0)[:, None]


class TwoTokens:
    """A format, then an answer given the format."""

    shapes = ((FORMATS,), (FORMATS, ANSWERS))

    def token_logprobs(self, logits):
        formats, answers = logits[0].log_softmax(0), logits[1].log_softmax(1)
        return torch.stack([formats.repeat_interleave(ANSWERS), answers.flatten()], 1)


def start(toy):
    if isinstance(toy, OneToken):
        return [torch.tensor(np.log(REF))]
    return [torch.tensor(np.log(REF_FORMAT)), torch.tensor(np.log(REF_ANSWER))]


def expected_gradient(toy, logits, kind, kl, coefficient):
    """Of the loss at `logits`, over all groups of three, policy and sampler being the same."""
    logits = [part.clone().requires_grad_() for part in logits]
    reference = toy.token_logprobs(start(toy))
    every = toy.token_logprobs(logits)
    old = every.detach()
    probability = old.sum(1).exp()
    rows = GROUPS.flatten()
    mask = torch.ones(len(rows), every.shape[1], dtype=torch.bool)
    scores = torch.tensor(REWARD)[GROUPS]
    place, estimator, level = kl
    penalty = old - reference if place == "reward" else torch.zeros_like(old)
    kl_rewards = (-coefficient * penalty)[rows]
    if kind == "ppo":
        advantages = critic_advantages(probability, kl_rewards, scores.flatten(), rows, mask, level)
    else:
        advantages = algorithm(kind=kind, samples_per_prompt=GROUP, kl={"level": level}).advantages(
            scores, kl_rewards, mask
        )
    new = every[rows]
    per_token = losses.clipped_policy_loss((new - old[rows]).exp(), advantages, low=0.2, high=0.2)
    if place == "loss":
        per_token = per_token + coefficient * losses.kl_loss(
            new, reference[rows], mask, estimator=estimator, level=level
        )
    weights = probability[GROUPS].prod(1).repeat_interleave(GROUP) / GROUP
    losses.weighted_sum(per_token, mask, weights).backward()
    return [part.grad for part in logits]


def critic_advantages(probability, kl_rewards, scores, rows, mask, level):
    """PPO with the critic that is exactly right: the value of each state is the expected return from there."""
    rewards = adv.terminal_rewards(scores, kl_rewards, mask, level)
    to_go = adv.rewards_to_go(rewards, mask)
    by_outcome = torch.zeros(FORMATS * ANSWERS, mask.shape[1], dtype=to_go.dtype)
    by_outcome[rows] = to_go
    values = torch.zeros_like(by_outcome)
    values[:, 0] = (probability * by_outcome[:, 0]).sum()
    if mask.shape[1] == 2:
        joint = probability.view(FORMATS, ANSWERS)
        given = joint / joint.sum(1, keepdim=True)
        values[:, 1] = (given * by_outcome[:, 1].view(FORMATS, ANSWERS)).sum(1).repeat_interleave(ANSWERS)
    advantages, _ = adv.gae(rewards, values[rows], mask, gamma=1.0, lam=0.95)
    return advantages


def come_to_rest(toy, kind, kl, coefficient, steps=350):
    """Follow the expected gradient from the reference; gives the distribution over the six completions."""
    logits = start(toy)
    for step in range(steps):
        gradient = expected_gradient(toy, logits, kind, kl, coefficient)
        probability = toy.token_logprobs(logits).sum(1).exp()
        parts = (
            [probability] if len(logits) == 1 else [probability.view(FORMATS, ANSWERS).sum(1), probability.view(3, 2)]
        )
        # smaller steps at the end: GRPO's scale makes its gradient jump where the returns of a group become equal
        size = min(0.3 / coefficient, 1.0) * 0.003 ** max(0.0, 2 * step / steps - 1)
        logits = [x - size * g / p for x, g, p in zip(logits, gradient, parts, strict=True)]
    return toy.token_logprobs(logits).sum(1).exp().numpy()


# --- the theory, from its own equations ------------------------------------------------------------------------------


def tilted(ref, reward, b):
    """T1: maximises E[r] - b KL(pi || ref). The condition is r(y) - b log(pi(y) / ref(y)) = const."""
    logits = np.log(ref) + reward / b
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def k3_fixed_point(ref, reward, b):
    """E[r] against KL(ref || pi): pi(y) (r(y) - rbar) + b (ref(y) - pi(y)) = 0 for every y, rbar from sum pi = 1."""
    low = reward.max() - b
    mean = brentq(lambda m: (ref * b / (b + m - reward)).sum() - 1, low + 1e-12, reward.max() + 1)
    return ref * b / (b + mean - reward)


def token_level(single, b):
    """Each token by itself: the answers of a format against the reward, the formats against their accuracy."""
    answers = np.stack([single(REF_ANSWER[f], np.array([0.0, 1.0]), b) for f in range(FORMATS)])
    return (single(REF_FORMAT, answers[:, 1], b)[:, None] * answers).ravel()


def reward_scale(kind, mean):
    """What the group makes of a difference of rewards: E[A | r = 1] - E[A | r = 0], at this mean reward."""
    if kind == "rloo":
        return 1.0
    if kind in ("dr_grpo", "reinforce_baseline"):
        return 1 - 1 / GROUP
    return std_scale(mean, GROUP)


def std_scale(p, group):
    """GRPO's, from the binomial number of right ones among the others."""
    total = 0.0
    for others in range(group):
        weight = binom.pmf(others, group - 1, p)
        for own, sign in ((1, 1), (0, -1)):
            rewards = np.array([own] + [1] * others + [0] * (group - 1 - others), dtype=float)
            std = rewards.std(ddof=1)
            total += sign * weight * ((own - rewards.mean()) / std if std > 0 else 0.0)
    return total


def with_scale(kind, solution, coefficient):
    """The fixed point whose own mean reward gives the scale that leads to it."""
    if kind != "grpo":
        return solution(coefficient / reward_scale(kind, None))

    def gap(mean):
        return REWARD @ solution(coefficient / reward_scale(kind, mean)) - mean

    return solution(coefficient / reward_scale(kind, brentq(gap, 0.05, 1 - 1e-12)))


# --- agreement -------------------------------------------------------------------------------------------------------


TOYS = [(OneToken(), "sequence"), (TwoTokens(), "sequence"), (TwoTokens(), "token")]
NAMES = ["one token", "two tokens, sequence", "two tokens, token"]


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize("kind", ["ppo", "rloo", "dr_grpo", "reinforce_baseline", "grpo"])
@pytest.mark.parametrize(("toy", "level"), TOYS, ids=NAMES)
def test_k1_in_the_reward_goes_to_t1(toy, kind, level, coefficient):
    found = come_to_rest(toy, kind, ("reward", "k1", level), coefficient)
    # reinforce_baseline takes the baseline of the scores alone, so the group scales them and not the KL
    b = coefficient / reward_scale(kind, None) if kind == "reinforce_baseline" else coefficient
    assert np.abs(found - tilted(REF, REWARD, b)).max() < (0.005 if kind == "grpo" else 1e-4)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize("kind", ["rloo", "dr_grpo", "grpo"])
@pytest.mark.parametrize("estimator", ["k2", "k3"])
@pytest.mark.parametrize(("toy", "level"), TOYS, ids=NAMES)
def test_kl_as_a_loss_goes_to_the_fixed_point_of_its_form(toy, estimator, level, kind, coefficient):
    single = {"k2": tilted, "k3": k3_fixed_point}[estimator]
    if level == "token" and isinstance(toy, TwoTokens):
        expected = with_scale(kind, lambda b: token_level(single, b), coefficient)
    else:
        expected = with_scale(kind, lambda b: single(REF, REWARD, b), coefficient)
    found = come_to_rest(toy, kind, ("loss", estimator, level), coefficient)
    assert np.abs(found - expected).max() < 1e-4


def test_the_fixed_points_differ():
    """At 0.3: so far apart that no test here could pass for another setting."""
    points = [
        tilted(REF, REWARD, 0.3),
        k3_fixed_point(REF, REWARD, 0.3),
        token_level(tilted, 0.3),
        token_level(k3_fixed_point, 0.3),
        tilted(REF, REWARD, 0.45),
    ]
    for one, other in itertools.combinations(points, 2):
        assert np.abs(one - other).max() > 0.01


def stationary(ref, reward, b, slope, start):
    """A softmax whose expected gradient is 0: sum_j pi_j (b slope_j - reward_j) (1[i = j] - pi_i) = 0 for every i.

    Where no pi_i is 0 that says that b slope_i - reward_i is the same for every i.

    Args:
        slope: derivative of the penalty by log pi, a function of pi and ref.
    """

    def policy(logits):
        weights = np.exp(np.append(logits, 0.0) - max(logits.max(), 0.0))
        return weights / weights.sum()

    def gradient(logits):
        pull = b * slope(policy(logits), ref) - reward
        return pull[:-1] - pull[-1]

    pi = policy(root(gradient, start, tol=1e-12).x)
    pull = pi * (b * slope(pi, ref) - reward)
    assert np.abs(pull - pi * pull.sum()).max() < 1e-9
    return pi


SLOPES = {"k2": lambda pi, ref: np.log(pi / ref), "k3": lambda pi, ref: 1 - ref / pi}


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize(("estimator", "single"), [("k2", tilted), ("k3", k3_fixed_point)])
def test_per_token_fixed_points_solve_the_stationarity_equations(estimator, single, coefficient):
    """Found by a root finder from several starts, without the closed forms: answers first, then formats by accuracy."""
    rng = np.random.default_rng(0)
    slope, right = SLOPES[estimator], np.array([0.0, 1.0])
    for _ in range(3):
        starts = np.log(REF_ANSWER[:, :1] / REF_ANSWER[:, 1:]) + rng.normal(0, 0.5, (FORMATS, 1))
        pairs = zip(REF_ANSWER, starts, strict=True)
        answers = np.stack([stationary(ref, right, coefficient, slope, start) for ref, start in pairs])
        near = np.log(REF_FORMAT[:-1] / REF_FORMAT[-1]) + rng.normal(0, 0.3, FORMATS - 1)
        formats = stationary(REF_FORMAT, answers[:, 1], coefficient, slope, near)
        found = (formats[:, None] * answers).ravel()
        assert np.abs(found - token_level(single, coefficient)).max() < 1e-8


def test_closed_form_of_t1():
    """Format shares proportional to a_i (1 - p_i + p_i exp(1 / b)), the paper's section 3.6."""
    for b in COEFFICIENTS:
        shares = tilted(REF, REWARD, b).reshape(FORMATS, ANSWERS).sum(1)
        expected = REF_FORMAT * (1 - REF_RIGHT + REF_RIGHT * np.exp(1 / b))
        assert np.allclose(shares, expected / expected.sum())


@pytest.mark.parametrize(("mean", "sampled", "population"), [(0.43, 1.75, 2.02), (0.1, 2.18, 3.33)])
def test_grpo_scale_at_groups_of_eight(mean, sampled, population):
    """The sampled std gives another scale than the population's; here from the library's own function."""
    groups = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)), dtype=torch.float64)
    weights = torch.where(groups > 0, mean, 1 - mean).prod(1)
    alone = torch.ones(groups.numel(), 1, dtype=bool)
    first = algorithm(kind="grpo").advantages(groups, torch.zeros(alone.shape), alone).view_as(groups)[:, 0]
    right = groups[:, 0] > 0
    scale = (weights * first)[right].sum() / mean - (weights * first)[~right].sum() / (1 - mean)
    assert float(scale) == pytest.approx(sampled, abs=0.005)
    assert std_scale(mean, 8) == pytest.approx(float(scale), abs=1e-6)
    assert 1 / np.sqrt(mean * (1 - mean)) == pytest.approx(population, abs=0.005)
