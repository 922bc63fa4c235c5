"""Tests that need no normal law: McNemar, sign, permutation and binomial. All are two-sided.

McNemar, the binomial and the sign test without clusters take rows as independent; where several rows share a prompt,
use `permutation_test` or `sign_test` with clusters. Beside every p-value belongs a difference with its interval
(`harness.paired_difference`), and where a table holds several, `harness.adjust`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.special import bdtr, bdtrc, gammaln, xlog1py, xlogy

from harness.checks import Floats, Ints, among, check_lengths, check_rng, check_words, refusal, whole
from harness.estimates import Significance
from harness.paired import paired_differences
from harness.resampling import BLOCK, Clusters, group

McNemar = Literal["exact", "mid-p"]

SUPPORT = 200_000
"""Sums that the exact permutation law may hold at once (1.6 MB); beyond, signs are drawn."""


def mcnemar(
    ours_right: Sequence[float] | np.ndarray[Any, Any],
    theirs_right: Sequence[float] | np.ndarray[Any, Any],
    *,
    method: McNemar = "exact",
) -> Significance:
    """McNemar's test that both systems are right equally often, from n paired booleans (1 and 0 will do).

    With b rows that only ours has right and c that only theirs has, it is `mcnemar_counts(b, c)`; n counts all rows.

    Raises `HarnessError` for lengths that differ, a value that is not true or false, and an unknown method.
    Reference: Fagerland, Lydersen, Laake (2013), The McNemar test for binary matched-pairs data: mid-p and asymptotic
    are better than exact conditional, BMC Medical Research Methodology 13:91.

    >>> print(mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1]))
    p=0.031 (n=8, exact McNemar)
    """
    where = "mcnemar"
    check_lengths(where, ours_right=ours_right, theirs_right=theirs_right)
    known = (0.0, 1.0)
    ours, theirs = among(where, "ours_right", ours_right, known), among(where, "theirs_right", theirs_right, known)
    found = mcnemar_counts(int(np.sum(ours > theirs)), int(np.sum(ours < theirs)), method=method)
    return found._replace(n=len(ours))


def mcnemar_counts(ours_only: int, theirs_only: int, *, method: McNemar = "exact") -> Significance:
    """McNemar's test from the discordant counts b = `ours_only` and c = `theirs_only`.

    With X ~ Binomial(b + c, ½) and m = min(b, c): exact p = min(1, 2 P(X ≤ m)), never above its level; mid-p
    = 2 P(X ≤ m) - P(X = m), which is closer to its level. The statistic is b - c, n is b + c; without a discordant row
    p is 1.

    Raises `HarnessError` for counts below 0 or not whole, and an unknown method. Reference: see `mcnemar`.

    >>> print(mcnemar_counts(10, 3, method="mid-p"))
    p=0.057 (n=13, mid-p McNemar)
    """
    where = "mcnemar_counts"
    check_words(where, "method", [method], ("exact", "mid-p"))
    ours, theirs = whole(where, "ours_only", ours_only), whole(where, "theirs_only", theirs_only)
    p = _both_tails(min(ours, theirs), ours + theirs)
    if method == "mid-p" and ours != theirs:
        p -= float(np.exp(_log_pmf(np.float64(ours), ours + theirs, 0.5)))
    return Significance(p, float(ours - theirs), ours + theirs, f"{method} McNemar")


def sign_test(
    ours: Sequence[float] | Floats, theirs: Sequence[float] | Floats, *, clusters: Clusters | None = None
) -> Significance:
    """Sign test that ours is as often above theirs as below, on n pairs, or on the mean differences of `clusters`.

    Those without a difference are left out and counted in `method`; p is that of `binomial` at ½ on the rest, 1 where
    there are none. A difference within 1e-12 of the values themselves (summed over the cluster) is rounding, so none,
    here and in `permutation_test`. The statistic is the number above minus the number below; n counts all
    pairs (clusters).

    Raises `HarnessError` for lengths that differ, a value that is not finite, and fewer than 2 pairs or clusters.

    >>> print(sign_test([3, 5, 4, 4, 6, 1], [1, 2, 3, 1, 2, 1]))
    p=0.062 (n=6, sign test, 1 tie left out)
    """
    sums, _, alone = _cluster_sums("sign_test", ours, theirs, clusters)
    above, below = int(np.sum(sums > 0.0)), int(np.sum(sums < 0.0))
    ties = len(sums) - above - below
    left_out = f", {ties} tie{'s' if ties > 1 else ''} left out" if ties else ""
    method = f"{'' if alone else 'cluster '}sign test{left_out}"
    return Significance(_both_tails(min(above, below), above + below), float(above - below), len(sums), method)


def permutation_test(
    ours: Sequence[float] | Floats,
    theirs: Sequence[float] | Floats,
    *,
    rng: np.random.Generator,
    clusters: Clusters | None = None,
    draws: int = 10_000,
) -> Significance:
    """Paired permutation test that ours and theirs are exchangeable within a pair, or within a cluster of pairs.

    With D_k the summed differences of cluster k, p is the share of the sign flips s with |Σ s_k D_k| ≥ |Σ D_k|. Equal
    |D| are interchangeable, so the law is built value by value; it is exact where its sums are few (up to 17
    clusters of any differences, thousands of verdicts). Else `draws` flips are drawn and p = (hits + 1) / (draws + 1).
    The statistic is the mean difference; n counts what is flipped (clusters, or rows).

    Raises `HarnessError` for lengths that differ, a value that is not finite, fewer than 2 clusters, draws < 100, and
    an rng that is not a Generator. Reference: Phipson and Smyth (2010), Permutation P-values Should Never Be Zero,
    Statistical Applications in Genetics and Molecular Biology 9(1).

    >>> print(permutation_test([3, 5, 4, 4, 6], [1, 2, 3, 1, 2], rng=np.random.default_rng(0)))
    p=0.062 (n=5, exact permutation test)
    """
    where = "permutation_test"
    check_rng(where, rng)
    if draws < 100:
        raise refusal(where, f"draws is {draws}", "give at least 100, such as 10000")
    sums, near, alone = _cluster_sums(where, ours, theirs, clusters)
    sizes, counts = _magnitudes(sums)
    far = abs(float(sums.sum())) - max(near, 1e-9 * float(sizes @ counts))
    law = _exact_law(sizes, counts)
    if law is None:
        p = (1 + _hits(sizes, counts, far, draws, rng)) / (draws + 1)
    else:
        p = min(1.0, float(law[1][np.abs(law[0]) >= far].sum()))
    kind = f"{'' if alone else 'cluster '}permutation test"
    method = f"{kind}, {draws} draws" if law is None else f"exact {kind}"
    return Significance(p, float(sums.sum()) / len(ours), len(sums), method)


def binomial(successes: int, n: int, *, share: float = 0.5) -> Significance:
    """Exact two-sided test that `successes` of n independent rows are binomial with that `share`.

    p = Σ P(X = i) over the i that are no more probable than what was seen, X ~ Binomial(n, share), as
    `scipy.stats.binomtest`. The statistic is successes / n. Of ties leave out both halves, or use `sign_test`.

    Raises `HarnessError` for n < 1, successes outside [0, n] or not whole, and a share outside (0, 1).
    Reference: Lee et al. (2023), RLAIF vs. RLHF, arXiv 2309.00267 (win rates and position bias).

    >>> print(binomial(60, 100))
    p=0.057 (n=100, exact binomial against 0.5)
    """
    where = "binomial"
    right, rows = whole(where, "successes", successes), whole(where, "n", n)
    if not 0.0 < share < 1.0:
        raise refusal(where, f"share is {share}", "give one between 0 and 1, such as 0.5")
    if rows < 1 or right > rows:
        raise refusal(where, f"successes is {right} with n {rows}", "give 0 <= successes <= n and n >= 1")
    if share == 0.5:
        p = _both_tails(min(right, rows - right), rows)
    elif right <= share * rows:
        p = _small_tails(right, rows, share)
    else:
        p = _small_tails(rows - right, rows, 1.0 - share)
    return Significance(p, right / rows, rows, f"exact binomial against {share:g}")


def _both_tails(fewer: int, n: int) -> float:
    return min(1.0, 2.0 * float(bdtr(fewer, n, 0.5)))


def _small_tails(right: int, n: int, share: float) -> float:
    """For successes at or below their mean: that tail, and of the other what is no more probable."""
    bound = float(_log_pmf(np.float64(right), n, share)) + 1e-7
    first = int(np.floor(share * n)) + 1  # the upper side, on which the probability falls with the count
    above = bisect_right(range(n, first - 1, -1), bound, key=lambda i: float(_log_pmf(np.float64(i), n, share)))
    other = float(bdtrc(n - above, n, share)) if above else 0.0
    return min(1.0, float(bdtr(right, n, share)) + other)


def _log_pmf(counts: Any, n: int, share: float) -> Floats:
    ways = gammaln(n + 1.0) - gammaln(counts + 1.0) - gammaln(n - counts + 1.0)
    return np.asarray(ways + xlogy(counts, share) + xlog1py(n - counts, -share))


def _cluster_sums(where: str, ours: Any, theirs: Any, clusters: Clusters | None) -> tuple[Floats, float, bool]:
    """Summed differences of each cluster, 0 where only rounding made one; the rounding of all; no clusters given."""
    differences = paired_differences(where, ours, theirs)
    groups = group(where, len(differences), clusters)
    largest = np.maximum(np.abs(np.asarray(ours, dtype=np.float64)), np.abs(np.asarray(theirs, dtype=np.float64)))
    sums, near = groups.totals(np.stack([differences, 1e-12 * largest], axis=1)).T
    return np.where(np.abs(sums) <= near, 0.0, sums), float(near.sum()), groups.alone


def _magnitudes(sums: Floats) -> tuple[Floats, Ints]:
    """Distinct |sums| above 0 and their counts; what rounding told apart is one."""
    sizes = np.sort(np.abs(sums))
    sizes = sizes[sizes > 1e-12 * sizes[-1]]
    first = np.diff(sizes, prepend=-1.0) > 1e-12 * sizes
    return sizes[first], np.bincount(np.cumsum(first) - 1, minlength=int(first.sum()))


def _exact_law(sizes: Floats, counts: Ints) -> tuple[Floats, Floats] | None:
    """All sums of size_j (2 B_j - count_j), B_j ~ Binomial(count_j, ½), and their probabilities; None if too many."""
    sums: Floats = np.zeros(1)
    shares: Floats = np.ones(1)
    near = 1e-12 * max(float(sizes @ counts), 1e-300)
    for size, count in zip(sizes, counts, strict=True):
        if len(sums) * (count + 1) > SUPPORT:
            return None
        flipped = np.arange(count + 1.0)
        sums = (sums[:, None] + size * (2.0 * flipped - count)).ravel()
        shares = (shares[:, None] * np.exp(_log_pmf(flipped, int(count), 0.5))).ravel()
        _, first, codes = np.unique(np.round(sums / near), return_index=True, return_inverse=True)
        sums, shares = sums[first], np.bincount(codes, shares).astype(np.float64)
    return sums, shares


def _hits(sizes: Floats, counts: Ints, far: float, draws: int, rng: np.random.Generator) -> int:
    """How many drawn sums lie as far from 0, block by block."""
    many, step, hits = counts > 1, max(1, BLOCK // len(sizes)), 0
    singles, others, times = sizes[~many], sizes[many], counts[many]
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = (2 * rng.binomial(times, 0.5, size=(size, len(times))) - times) @ others
        drawn += (2.0 * rng.integers(0, 2, size=(size, len(singles)), dtype=np.int8) - 1.0) @ singles
        hits += int(np.sum(np.abs(drawn) >= far))
    return hits
