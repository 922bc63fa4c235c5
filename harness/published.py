"""A figure beside one that was published: consistent with it, lower, higher, or nothing that can be told.

A verdict is about the difference of the two, ours minus theirs, with the errors of both. It says nothing of why.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from harness.checks import check_level, refusal
from harness.estimates import Estimate
from harness.proportions import wilson_interval
from harness.records import columns
from harness.tables import estimates

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["consistent", "lower", "higher", "cannot tell"]

UNKNOWN = "taken to be ours"
ERRORS = ("n", "low", "high", "standard_error")
ADDED = ("published", "difference", "difference_low", "difference_high", "against_published")


@dataclass(frozen=True)
class AgainstPublished:
    """A published figure, ours minus it, and what follows."""

    published: float
    difference: Estimate
    """In the unit of the figures, at our level, with our n and clusters; `method` names the published error."""
    verdict: Verdict
    within_margin: bool | None
    """Whether the interval of the difference lies inside ± margin, also where it leaves 0 out; None without margin."""


def against_published(
    estimate: Estimate,
    published: float | str,
    *,
    n: int | None = None,
    low: float | None = None,
    high: float | None = None,
    standard_error: float | None = None,
    level: float | None = None,
    margin: float | None = None,
) -> AgainstPublished:
    """Whether `estimate` agrees with a `published` figure of the same unit, such as 0.71, "0.710" or "71 %".

    The difference d = ours - published has the interval d - √((v - l)² + (u' - p)²) - r to
    d + √((u - v)² + (p - l')²) + r with our v [l, u] and their p [l', u']: the z test of two figures where the
    intervals are symmetric, and right for skewed ones. r is half a unit of the last digit that was printed: those of a
    text, or of a number's shortest form, but of no fewer than two decimals (a whole percent).

    Their interval [l', u'] is, by what is known of it: `low` and `high` at `level` (by default ours), rescaled to our
    level; p ± z `standard_error` (0 says that the figure has no error); Wilson's of a share of `n` independent rows;
    or, where nothing is known, as wide as ours. With that interval of the difference the verdict is

    - "higher" or "lower": it leaves 0 out;
    - "consistent": it contains 0, lies inside ± `margin`, and the published error is known;
    - "cannot tell": it contains 0 and reaches `margin` or beyond, or no margin is given, or the published error is
      unknown. Without a margin nobody has said how small a difference would be none.

    Raises `HarnessError` for a figure that is no number, one above 1 where ours is a share (71 for "71 %"), two kinds
    of error, low without high or the reverse, a figure outside [low, high], with `n` a figure outside [0, 1] or an n
    that is no whole number >= 1, a negative standard error, a margin that is not above 0, and a level outside (0, 1) or
    without low and high. Reference: Newcombe (1998), Interval Estimation for
    the Difference Between Independent Proportions, Statistics in Medicine 17(8), method 10; Zou and Donner (2008),
    Construction of Confidence Limits About Effect Measures, Statistics in Medicine 27(10).

    >>> ours = Estimate(0.70, 0.68, 0.72, 0.95, 2000, 1000, "cluster bootstrap")
    >>> against_published(ours, 0.71, n=2000, margin=0.05).verdict
    'consistent'
    >>> found = against_published(ours, "80 %")
    >>> print(found.verdict, found.difference)
    lower -0.100 [-0.133, -0.067] (n=2000, 1000 clusters, difference, published error taken to be ours)
    """
    where = "against_published"
    value, rounding = _printed(where, published)
    if estimate.low >= 0.0 and estimate.high <= 1.0 < abs(value):
        raise refusal(where, f"published is {published} and ours a share", "give 0.71, or the text '71 %'")
    known = {"n": n, "low": low, "high": high, "standard_error": standard_error}
    _check_options(where, known, level, margin)
    below, above, source = _published_error(where, estimate, value, known, estimate.level if level is None else level)
    gap = estimate.value - value
    bottom = gap - math.hypot(estimate.value - estimate.low, above) - rounding
    top = gap + math.hypot(estimate.high - estimate.value, below) + rounding
    method = f"difference, published error {source}"
    difference = Estimate(gap, bottom, top, estimate.level, estimate.n, estimate.clusters, method)
    within = None if margin is None else -margin < bottom and top < margin
    return AgainstPublished(value, difference, _verdict(difference, within, source != UNKNOWN), within)


def with_published(
    frame: "pd.DataFrame",
    published: "pd.DataFrame | Sequence[Mapping[str, Any]]",
    *,
    on: Sequence[str],
    margin: float | None = None,
) -> "pd.DataFrame":
    """The frame of `table` with columns published, difference, difference_low, difference_high, against_published.

    `published` has one row a figure: the columns `on` that name it, `published`, and where they are known published_n,
    published_low, published_high, published_standard_error and published_level. Rows of the frame without a published
    figure have missing values there. Published figures without a row are left out (a paper reports more than one run),
    but one that only reads like a row, such as "2" beside 2, was meant for it and is refused.

    Raises `HarnessError` for a column that is missing or there already, a figure named twice, no figure with a row,
    one that reads like a row and is not equal to it, and as `against_published` does.

    >>> from harness.tables import table
    >>> ours = Estimate(0.70, 0.68, 0.72, 0.95, 2000, 1000, "cluster bootstrap")
    >>> frame = table([{"policy": "RLAIF", "estimate": ours}, {"policy": "SFT", "estimate": ours}])
    >>> paper = [{"policy": "RLAIF", "published": "71 %", "published_n": 2000}]
    >>> with_published(frame, paper, on=["policy"], margin=0.05)[["policy", "published", "against_published"]]
      policy  published against_published
    0  RLAIF       0.71        consistent
    1    SFT        NaN              <NA>
    """
    import pandas as pd  # here, because tables alone need it

    where = "with_published"
    if taken := [name for name in ADDED if name in frame.columns]:
        raise refusal(where, f"the frame has a column {taken[0]}", "rename it")
    columns(where, frame, on)
    figures = _figures(where, published, on)
    names = [tuple(row) for row in frame[list(on)].itertuples(index=False)]
    _check_alike(where, figures, names)
    if not figures.keys() & set(names):
        raise refusal(where, f"no published figure has a row of the same {', '.join(on)}", "name them alike")
    beside = [
        _beside(estimate, figures.get(name), margin) for estimate, name in zip(estimates(frame), names, strict=True)
    ]
    added = pd.DataFrame(beside, columns=list(ADDED), index=frame.index)
    types = dict.fromkeys(ADDED[:-1], "float64") | {ADDED[-1]: "string"}
    return pd.concat([frame, added.astype(types)], axis=1)


def _figures(
    where: str, published: "pd.DataFrame | Sequence[Mapping[str, Any]]", on: Sequence[str]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The known fields of each published figure, by its name."""
    import pandas as pd  # here, because tables alone need it

    frame = columns(where, published, [*on, "published"])
    figures: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in frame.to_dict("records"):
        name = tuple(row[column] for column in on)
        if name in figures:
            raise refusal(where, f"{', '.join(map(str, name))} is published twice", "give one figure of each name")
        fields = {field: row.get(f"published_{field}") for field in (*ERRORS, "level")}
        figures[name] = {"published": row["published"]} | {k: v for k, v in fields.items() if not pd.isna(v)}
    return figures


def _check_alike(where: str, figures: Iterable[tuple[Any, ...]], names: Sequence[tuple[Any, ...]]) -> None:
    """Refuse a figure without a row whose name reads like that of one."""
    known, read = set(names), {tuple(map(_read, name)): name for name in names}
    for name in figures:
        if name not in known and (row := read.get(tuple(map(_read, name)))):
            theirs, ours = (", ".join(map(repr, labels)) for labels in (name, row))
            raise refusal(where, f"{theirs} reads like {ours} of the frame but is not equal to it", "name them alike")


def _read(label: Any) -> float | str:
    """The number that a label reads as, or else its text without the blanks around it."""
    try:
        return float(label)
    except (TypeError, ValueError):
        return str(label).strip()


def _beside(estimate: Estimate, figure: dict[str, Any] | None, margin: float | None) -> list[float | str | None]:
    if figure is None:
        return [None] * len(ADDED)
    found = against_published(estimate, **figure, margin=margin)
    difference = found.difference
    return [found.published, difference.value, difference.low, difference.high, found.verdict]


def _printed(where: str, published: float | str) -> tuple[float, float]:
    """The number, and half a unit of its last digit."""
    text = published.strip() if isinstance(published, str) else ""
    percent = text.endswith("%")
    try:
        number = Decimal(text.removesuffix("%").strip() if text else repr(float(published)))
    except (InvalidOperation, TypeError, ValueError):
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(where, f"published is {published!r}", "give a number, or its text such as '71 %'")
    last = int(number.as_tuple().exponent)
    unit = 0.01 if percent else 1.0
    return float(number) * unit, 0.5 * unit * 10.0 ** (last if text else min(last, -2))


def _check_options(where: str, known: Mapping[str, float | None], level: float | None, margin: float | None) -> None:
    given = [name for name in ERRORS if known[name] is not None]
    if given not in ([], ["n"], ["low", "high"], ["standard_error"]):
        raise refusal(where, f"{' and '.join(given)} given", "give n, or low and high, or standard_error")
    if level is not None:
        check_level(where, level)
        if given != ["low", "high"]:
            raise refusal(where, f"level is {level} without low and high", "give them, or leave it out")
    if margin is not None and not 0.0 < margin < math.inf:
        raise refusal(where, f"margin is {margin}", "give one above 0")


def _published_error(
    where: str, estimate: Estimate, value: float, known: Mapping[str, float | None], level: float
) -> tuple[float, float, str]:
    """How far the published interval reaches below and above its figure at our level, and where that is known from."""
    z = _quantile(estimate.level)
    low, high, n, error = known["low"], known["high"], known["n"], known["standard_error"]
    if low is not None and high is not None:
        if not low <= value <= high:
            raise refusal(where, f"published is {value:g}, outside [{low}, {high}]", "give low <= published <= high")
        scale = z / _quantile(level)
        return (value - low) * scale, (high - value) * scale, "from its interval"
    if error is not None:
        if not 0.0 <= error < math.inf:
            raise refusal(where, f"standard_error is {error}", "give 0 or more")
        return z * error, z * error, "from its standard error"
    if n is None:
        return estimate.value - estimate.low, estimate.high - estimate.value, UNKNOWN
    if n < 1 or n != int(n) or not 0.0 <= value <= 1.0:
        raise refusal(where, f"published is {value:g} with n {n}", "give a share of 0 to 1, of a whole number n >= 1")
    bottom, top = wilson_interval(value, int(n), estimate.level)
    return max(0.0, value - bottom), max(0.0, top - value), "from its n"


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _verdict(difference: Estimate, within: bool | None, known: bool) -> Verdict:
    if difference.low > 0.0:
        return "higher"
    if difference.high < 0.0:
        return "lower"
    return "consistent" if within and known else "cannot tell"
