"""The rows that steps hand to each other, one JSON object a line.

Three pairs of words never mix: positions `first`/`second` in a prompt, systems `policy`/`opponent`,
labels `chosen`/`rejected`. A probability is named for what it is the probability of. A reply that could
not be read is None in a number and `unparsed` in a verdict; it never becomes a tie or a zero.
"""

from typing import Literal

from rlaif_spec.frozen import Frozen

Preference = Literal["first", "second", "tie"]
Outcome = Literal["policy", "opponent", "tie", "unparsed"]


class Example(Frozen):
    """A context, and where there is one a response written by a person."""

    id: str
    context: str
    reference: str | None = None


class Comparison(Frozen):
    """Two responses to one context, and which of them a person preferred where that is known."""

    id: str
    context: str
    first: str
    second: str
    human: Preference | None = None

    def swap(self) -> "Comparison":
        """The same comparison with its responses, and the preference, exchanged."""
        flipped: dict[str, Preference] = {"first": "second", "second": "first", "tie": "tie"}
        human = None if self.human is None else flipped[self.human]
        return self.model_copy(update={"first": self.second, "second": self.first, "human": human})


class SoftLabel(Frozen):
    """What a labeler says of a comparison, asked in both orders (paper section 2.1.1).

    Both numbers are the probability that the *comparison's* first response is preferred: already un-swapped
    and, for a prompt that asks for the worse response, already inverted.
    """

    id: str
    shown_first: float | None
    """Asked with the first response in the first place."""
    shown_second: float | None
    """Asked with the first response in the second place."""
    mass: float
    """Probability that the labeler gave to the answers "1" and "2" together; the smaller of both orders."""
    rationales: tuple[str, ...] = ()

    @property
    def prefers_first(self) -> float | None:
        """Mean of both orders, or None where either could not be read."""
        if self.shown_first is None or self.shown_second is None:
            return None
        return (self.shown_first + self.shown_second) / 2


class Response(Frozen):
    """What a policy answered."""

    id: str
    context: str
    text: str


class Score(Frozen):
    """What a judge or labeler says of one response; None where its reply could not be read."""

    id: str
    value: float | None


class Judgement(Frozen):
    """One rater's verdict between two policies on one prompt."""

    id: str
    rater: int
    outcome: Outcome
