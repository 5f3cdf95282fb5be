"""What is measured on completions: pass@k, majority@k, shares of formats, accuracy within a format.

Differs from common practice in two ways. pass@k is the unbiased estimator and not "any of n". majority@k is a vote:
the answer with the most votes wins, ties are broken at random, and what is returned is the exact expectation over
all subsets of k samples and over the tie-breaking; nothing is drawn. Pure functions of arrays; intervals are in
`echochamber.stats.intervals`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import comb, gammaln


def powers_of_two(n: int) -> list[int]:
    """The values of k at which curves over k are reported: 1, 2, 4, ... up to n, and n itself."""
    if n < 1:
        return []
    ks = [2**i for i in range(n.bit_length()) if 2**i <= n]
    return ks if ks[-1] == n else [*ks, n]


def pass_at_k(n: np.ndarray | int, correct: np.ndarray | int, k: int) -> np.ndarray:
    """Probability that at least one of k completions drawn without replacement from n is right.

    1 - C(n - c, k) / C(n, k), the unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1).

    n, correct: broadcastable arrays of counts, one entry a question. Returns an array of their common shape.
    Raises ValueError if k is not in 1..n or a count is impossible.
    """
    n, correct = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(correct, dtype=float))
    if np.any(k > n) or k < 1:
        raise ValueError(f"k: found {k}, allowed: 1 to the number of samples ({int(n.min()) if n.size else 0})")
    if np.any((correct < 0) | (correct > n)):
        raise ValueError("correct: allowed: 0 to the number of samples")
    wrong = n - correct
    possible = wrong >= k
    w = np.where(possible, wrong, k)
    log_all_wrong = gammaln(w + 1) - gammaln(w - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return np.where(possible, -np.expm1(np.minimum(log_all_wrong, 0.0)), 1.0)


def chance_at_k(answers: Sequence[str], k: int) -> float:
    """Share of the questions whose answer is among the k most frequent ones: no k blind guesses earn more."""
    return sum(n for _, n in Counter(answers).most_common(k)) / len(answers)


def majority_at_k(keys: Sequence[Hashable | None], correct: Sequence[float], ks: Sequence[int]) -> np.ndarray:
    """Expected correctness of a majority vote among k of the n completions of one question.

    keys: the canonical answer of each completion, None where there is none. A completion without an answer is drawn
    like any other but casts no vote; a subset without any vote is wrong. Completions with the same key are one
    candidate, whose correctness is the mean of theirs (a scorer that is consistent makes it 0 or 1). correct: 0/1 of
    each completion. ks: subset sizes, each in 1..n. Returns one value for each k: the exact mean over all C(n, k)
    subsets, ties broken uniformly at random.
    """
    n = len(keys)
    if any(k < 1 or k > n for k in ks):
        raise ValueError(f"k: found {list(ks)}, allowed: 1 to the number of samples ({n})")
    votes: dict[Hashable, int] = {}
    credit: dict[Hashable, float] = {}
    for key, right in zip(keys, correct, strict=True):
        if key is not None:
            votes[key] = votes.get(key, 0) + 1
            credit[key] = credit.get(key, 0.0) + float(right)
    return majority_from_counts(
        list(votes.values()), [credit[key] / votes[key] for key in votes], n - sum(votes.values()), ks
    )


def majority_vote(keys: Sequence[Hashable | None], correct: Sequence[float], seed: int) -> float:
    """Correctness of the vote of all completions of one question, cast once: ties are broken at random by `seed`.

    What one would report of a single vote. Its mean over seeds is `majority_at_k` with k = n. Arguments as there.
    """
    votes: dict[Hashable, list[float]] = {}
    for key, right in zip(keys, correct, strict=True):
        if key is not None:
            votes.setdefault(key, []).append(float(right))
    if not votes:
        return 0.0
    most = max(map(len, votes.values()))
    tied = [cast for cast in votes.values() if len(cast) == most]
    return float(np.mean(tied[np.random.Generator(np.random.PCG64(seed)).integers(len(tied))]))


def majority_from_counts(votes: Sequence[int], credit: Sequence[float], blanks: int, ks: Sequence[int]) -> np.ndarray:
    """`majority_at_k` from the tally: votes and correctness of each distinct answer, completions without an answer."""
    total = np.zeros(len(ks))
    wanted = np.asarray(ks, dtype=int)
    for i, (own, right) in enumerate(zip(votes, credit, strict=True)):
        if right > 0:
            others = tuple(sorted(int(v) for j, v in enumerate(votes) if j != i))
            total += right * _winning_probability(int(own), others, int(blanks))[wanted]
    return total


@lru_cache(maxsize=4096)
def _binomials(n: int) -> np.ndarray:
    """C(n, 0..n) as floats."""
    return comb(n, np.arange(n + 1))


@lru_cache(maxsize=200_000)
def _winning_probability(own: int, others: tuple[int, ...], blanks: int) -> np.ndarray:
    """Probability that a candidate wins the vote of a random k-subset, for k = 0..n, where n is the sum of all counts.

    Sum over its own votes j of C(own, j) times the number of ways to draw the rest with nobody above j, each way
    with t others at j weighted by 1 / (t + 1) for the tie. The weight is the integral of y^t over [0, 1], so each
    other candidate contributes the polynomial sum_{i<j} C(m, i) x^i + y C(m, j) x^j; Gauss-Legendre nodes in y make
    the integral exact, and the coefficient of x^(k-j) is the count. All terms are positive: nothing cancels.
    """
    n = own + sum(others) + blanks
    ways = np.zeros(n + 1)
    for j in range(1, own + 1):
        ties = min(sum(m >= j for m in others), (n - j) // j)
        nodes, weights = np.polynomial.legendre.leggauss(ties // 2 + 1)
        y, weights = (nodes + 1) / 2, weights / 2
        degree = n - j
        poly = np.zeros((len(y), degree + 1))
        poly[:, : blanks + 1] = _binomials(blanks)[: degree + 1]
        for m in others:
            grown = poly.copy()
            for i in range(1, min(m, j, degree) + 1):
                factor = _binomials(m)[i] * (y[:, None] if i == j else 1.0)
                grown[:, i:] += factor * poly[:, :-i]
            poly = grown
        ways[j:] += _binomials(own)[j] * (weights @ poly)
    probability: np.ndarray = ways / _binomials(n)
    probability.flags.writeable = False  # shared by all callers through the cache
    return probability


def answer_entropy(votes: Sequence[int]) -> float:
    """Entropy in nats of the observed answers of one question (plug-in: too low by about (distinct - 1) / 2n)."""
    counts = np.asarray([v for v in votes if v > 0], dtype=float)
    if counts.size == 0:
        return 0.0
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum()) + 0.0


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Half the summed absolute difference of two distributions over formats, along the last axis: 0 to 1."""
    distance: np.ndarray = np.abs(np.asarray(p, dtype=float) - np.asarray(q, dtype=float)).sum(axis=-1)
    return 0.5 * distance


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Means of `window` neighbours, (values - window + 1,), or the one mean of fewer."""
    window = max(1, min(window, len(values)))
    return np.convolve(values, np.full(window, 1 / window), mode="valid")


def maximal_drawdown(values: np.ndarray) -> float:
    """Largest fall from a running maximum to a later value of a curve: 0 for a curve that never falls."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return float((np.maximum.accumulate(values) - values).max()) if values.size else float("nan")
