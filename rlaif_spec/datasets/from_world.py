"""Texts written by a toy world, rated by its noisy raters.

What trains is drawn from the world's `train` facts, what measures from its `held-out` facts. Each part has a
random generator of its own, so that asking for more of one part changes no other.
"""

import random
from typing import Final

from rlaif_spec.datasets.dataset import Dataset
from rlaif_spec.records import Comparison, Example, Preference
from rlaif_spec.spec.scale import WorldData
from rlaif_spec.tasks import TaskName
from rlaif_spec.worlds import WORLDS, World, rater_probability
from rlaif_spec.worlds.vocabulary import Split

TRIES: Final = 50
"""How often a text is drawn anew before a repetition is accepted: a small world may have no fresh one left."""


def from_world(task: TaskName, source: WorldData, *, seed: int) -> Dataset:
    """Write every part. Contexts of `evaluation` and `validation` differ from each other as far as possible."""
    writer = _Writer(task, seed)
    seen: set[str] = set()
    return Dataset(
        demonstrations=writer.demonstrations(source.demonstrations),
        comparisons=writer.comparisons("comparisons", "train", source.comparisons),
        prompts=writer.contexts("prompts", "train", source.prompts, set()),
        evaluation=writer.contexts("evaluation", "held-out", source.evaluation, seen),
        validation=writer.contexts("validation", "held-out", source.validation, seen),
        alignment=writer.comparisons("alignment", "held-out", source.alignment),
    )


class _Writer:
    def __init__(self, task: TaskName, seed: int) -> None:
        self._task = task
        self._seed = seed
        self._world: World = WORLDS[task]

    def demonstrations(self, count: int) -> list[Example]:
        rng = self._rng("demonstrations")
        rows = []
        for at in range(count):
            context = self._world.write_context(rng, "train")
            reference = self._world.write_response(rng, context)
            rows.append(Example(id=f"demonstrations-{self._seed}-{at}", context=context, reference=reference))
        return rows

    def contexts(self, part: str, split: Split, count: int, seen: set[str]) -> list[Example]:
        """Contexts that are not in `seen`, which learns of them."""
        rng = self._rng(part)
        rows = []
        for at in range(count):
            for _ in range(TRIES):
                context = self._world.write_context(rng, split)
                if context not in seen:
                    break
            seen.add(context)
            rows.append(Example(id=f"{part}-{self._seed}-{at}", context=context))
        return rows

    def comparisons(self, part: str, split: Split, count: int) -> list[Comparison]:
        """Pairs of independent responses that differ, each with the choice of one noisy rater."""
        rng = self._rng(part)
        rows = []
        for at in range(count):
            context = self._world.write_context(rng, split)
            first, second = self._responses(rng, context)
            human = self._choice(rng, context, first, second)
            rows.append(
                Comparison(id=f"{part}-{self._seed}-{at}", context=context, first=first, second=second, human=human)
            )
        return rows

    def _choice(self, rng: random.Random, context: str, first: str, second: str) -> Preference:
        utilities = self._world.utility(context, first), self._world.utility(context, second)
        return "first" if rng.random() < rater_probability(*utilities) else "second"

    def _responses(self, rng: random.Random, context: str) -> tuple[str, str]:
        first = self._world.write_response(rng, context)
        while (second := self._world.write_response(rng, context)) == first:
            pass
        return first, second

    def _rng(self, part: str) -> random.Random:
        return random.Random(f"{self._task}|{part}|{self._seed}")
