"""What the outcome of one battle depends on, for `harness.bradley_terry`: ties as half wins, or one of two models.

Each is a log-likelihood of the gap between two strengths and the logarithm of a tie parameter, concave in both.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from harness.battles import Battles, Tally
from harness.checks import Floats, refusal

Ties = Literal["half", "davidson", "rao-kupper"]


class Slopes(NamedTuple):
    """Derivatives of the log-likelihood of each pair by its gap and by the tie parameter, and minus the second ones."""

    gap: Floats
    tie: Floats
    gap_gap: Floats
    gap_tie: Floats
    tie_tie: Floats


class Model(NamedTuple):
    """A likelihood of pairs (..., pairs) given gaps (..., pairs) and the logarithm of the tie parameter (..., 1)."""

    tied: bool
    """There is a tie parameter."""
    height: Callable[[Tally, Floats, Any], Floats]
    slopes: Callable[[Tally, Floats, Any], Slopes]
    chances: Callable[[Floats, Any], tuple[Floats, Floats]]
    """Of a win and of a tie."""
    start: Callable[[float], float]
    """The logarithm of the tie parameter from the share of ties, all systems being equal."""


def _half_height(tally: Tally, gap: Floats, _: Any) -> Floats:
    return np.asarray(tally.points * gap + tally.battles * log_expit(-gap))


def _half_slopes(tally: Tally, gap: Floats, _: Any) -> Slopes:
    won, none = expit(gap), np.zeros(gap.shape)
    return Slopes(tally.points - tally.battles * won, none, tally.battles * won * (1.0 - won), none, none)


def _davidson_logs(gap: Floats, tie: Any) -> Floats:
    """Logarithms of the chances (3, ...) of a win, a loss and a tie."""
    raw = np.stack(np.broadcast_arrays(gap / 2.0, -gap / 2.0, tie))
    return np.asarray(raw - np.logaddexp.reduce(raw, axis=0))


def _davidson_height(tally: Tally, gap: Floats, tie: Any) -> Floats:
    won, lost, tied = _davidson_logs(gap, tie)
    wins = tally.points - tally.ties / 2.0
    return np.asarray(wins * won + (tally.battles - wins - tally.ties) * lost + tally.ties * tied)


def _davidson_slopes(tally: Tally, gap: Floats, tie: Any) -> Slopes:
    won, lost, tied = np.exp(_davidson_logs(gap, tie))
    ahead = (won - lost) / 2.0
    return Slopes(
        tally.points - tally.battles * (0.5 + ahead),
        tally.ties - tally.battles * tied,
        tally.battles * ((won + lost) / 4.0 - ahead**2),
        -tally.battles * tied * ahead,
        tally.battles * tied * (1.0 - tied),
    )


def _davidson_chances(gap: Floats, tie: Any) -> tuple[Floats, Floats]:
    won, _, tied = np.exp(_davidson_logs(gap, tie))
    return won, tied


def _rao_kupper_height(tally: Tally, gap: Floats, tie: Any) -> Floats:
    positive = np.maximum(tie, 1e-300)  # θ <= 1 is outside the model: as low as can be, so that a step is halved
    won, lost = tally.points + tally.ties / 2.0, tally.battles - tally.points + tally.ties / 2.0
    inside = won * log_expit(gap - tie) + lost * log_expit(-gap - tie)
    height = inside + tally.ties * (2.0 * positive + np.log(-np.expm1(-2.0 * positive)))
    return np.asarray(np.where(np.asarray(tie) > 0.0, height, -np.inf))


def _rao_kupper_slopes(tally: Tally, gap: Floats, tie: Any) -> Slopes:
    won, lost = tally.points + tally.ties / 2.0, tally.battles - tally.points + tally.ties / 2.0
    missed, held = expit(tie - gap), expit(tie + gap)
    shrunk = np.exp(-2.0 * tie)
    bent, bowed = won * missed * (1.0 - missed), lost * held * (1.0 - held)
    return Slopes(
        won * missed - lost * held,
        2.0 * tally.ties / (1.0 - shrunk) - won * missed - lost * held,
        bent + bowed,
        bowed - bent,
        bent + bowed + 4.0 * tally.ties * shrunk / (1.0 - shrunk) ** 2,
    )


def _rao_kupper_chances(gap: Floats, tie: Any) -> tuple[Floats, Floats]:
    won, lost = expit(gap - tie), expit(-gap - tie)
    return won, 1.0 - won - lost


MODELS: dict[str, Model] = {
    "half": Model(
        False, _half_height, _half_slopes, lambda gap, _: (expit(gap), np.zeros(gap.shape)), lambda share: 0.0
    ),
    "davidson": Model(
        True,
        _davidson_height,
        _davidson_slopes,
        _davidson_chances,
        lambda share: float(np.log(2 * share / (1 - share))),
    ),
    "rao-kupper": Model(
        True,
        _rao_kupper_height,
        _rao_kupper_slopes,
        _rao_kupper_chances,
        lambda share: float(np.log((1 + share) / (1 - share))),
    ),
}


def model_of(where: str, battles: Battles, ties: Ties, prior: float) -> Model:
    """The model, or a refusal of options and rows that do not go with it."""
    if ties not in MODELS:
        raise refusal(where, f"ties is {ties!r}", f"use one of {', '.join(MODELS)}")
    if not 0.0 <= prior < np.inf:
        raise refusal(where, f"prior is {prior}", "give 0, or the precision of a normal prior")
    if ties == "half":
        return MODELS[ties]
    if not np.isin(battles.scores, (0.0, 0.5, 1.0)).all():
        raise refusal(where, f"{ties} with soft outcomes", "use ties='half'")
    if not (battles.scores == 0.5).any() or (battles.scores == 0.5).all():
        raise refusal(
            where, f"{ties} where {'all' if (battles.scores == 0.5).all() else 'no'} rows are ties", "use ties='half'"
        )
    return MODELS[ties]


def bounded(battles: Battles, tally: Tally) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a model of ties has a finite maximum, for b tallies (b, pairs) whose systems are connected.

    It has none where strengths and the tie parameter can grow together for ever: where u and v > 0 exist with u_i -
    u_j >= v for each win of i over j and |u_i - u_j| <= v for each tie. They exist unless some cycle of systems, each
    having won or tied against the next, holds more wins than ties; a longest path that still grows after as many steps
    as there are systems shows one. Without ties, or with nothing else, there is none either.
    """
    wins, losses = tally.points - tally.ties / 2.0, tally.battles - tally.points - tally.ties / 2.0
    won, tied = battles.table(wins, losses) > 0.0, battles.table(tally.ties, tally.ties) > 0.0
    found = np.asarray((won & won.swapaxes(1, 2)).any(axis=(1, 2)))
    rest = np.flatnonzero(~found)
    steps = np.where(won[rest], 1.0, np.where(tied[rest], -1.0, -np.inf))
    longest, before = np.zeros(steps.shape[:2]), np.zeros(steps.shape[:2])
    for _ in range(steps.shape[1]):
        before, longest = longest, np.maximum(longest, (steps + longest[:, None, :]).max(axis=2))
    found[rest] = (longest > before).any(axis=1)
    return np.asarray(found & mixed(tally))


def mixed(tally: Tally) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether some, but not all, battles of b tallies are ties."""
    ties = tally.ties.sum(axis=1)
    return np.asarray((ties > 0.0) & (ties < tally.battles.sum(axis=1)))
