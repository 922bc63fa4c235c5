"""The parts of a task's texts. Which part trains what, and which is never trained on, is decided here."""

from dataclasses import dataclass, field

from rlaif_spec.records import Comparison, Example


@dataclass(frozen=True)
class Dataset:
    """All texts of a task; contexts of the last three parts are in none of the first three."""

    demonstrations: list[Example]
    """People's responses, from which SFT learns."""
    comparisons: list[Comparison]
    """Pairs that people and AI label: from them reward models learn."""
    prompts: list[Example]
    """What the policy answers during RL; no references."""
    validation: list[Example]
    """What RL candidates are chosen on."""
    evaluation: list[Example]
    """What policies are compared on."""
    alignment: list[Comparison]
    """Pairs on which labelers and reward models are measured against people."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many rows were left out, by source and reason. Rows beyond a `max_...` of the scale are not counted:
    they were asked to stay away."""
