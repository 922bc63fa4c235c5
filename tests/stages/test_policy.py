"""The reward of direct RLAIF: a labeler that cannot be read too often ends the training, a few lost replies do not."""

from pathlib import Path
from typing import Any

import pytest

from rlaif_spec.engines.protocol import Turn
from rlaif_spec.errors import JudgementError
from rlaif_spec.lm import LanguageModel, ScriptedModel
from rlaif_spec.plan import compile_plan
from rlaif_spec.plan.steps import LabelerScore, Model, Rl
from rlaif_spec.spec import load_experiment, load_scale
from rlaif_spec.spec.scale import ModelSource
from rlaif_spec.spec.settings import LabelSettings
from rlaif_spec.stages.context import Context
from rlaif_spec.stages.policy import ENOUGH, _labeler_reward, _probe
from rlaif_spec.store import Store


class ScriptedEngine:
    """An engine that has one language model, which cannot read responses that say `mumble`."""

    def open_model(self, source: ModelSource) -> Path:
        return Path()

    def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
        return ScriptedModel(lambda prompt, choice: 0.0 if "mumble" in prompt else float(choice == "10"))


def scores(responses: list[str], calls: int, tmp_path: Path) -> list[float | None]:
    """What the reward says of the responses, each asked `calls` times."""
    engine: Any = ScriptedEngine()
    labeler = Model(source=ModelSource(builtin="toy-xs"), prompts="toy")
    reward = LabelerScore(labeler=labeler, prompt="score-1-to-10", settings=LabelSettings(max_unparsed=0.05))
    context = Context(engine=engine, store=Store(tmp_path), tell=lambda progress: None)
    score = _labeler_reward(reward, "helpful", {"ask": "my bike is stuck ."}, tmp_path, context)
    found: list[float | None] = []
    for _ in range(calls):
        found = list(score([Turn("ask", text) for text in responses]))
    return found


def test_a_few_unread_scores_stay_unread(tmp_path: Path) -> None:
    found = scores(["oil it", *["oil it"] * 23, "mumble"], 8, tmp_path)
    assert (found[0], found[-1]) == (pytest.approx(1.0), None)


def test_too_many_unread_scores_end_the_training_over_all_its_steps(tmp_path: Path) -> None:
    batch = [*["oil it"] * 9, "mumble"]
    assert scores(batch, ENOUGH // 10 - 1, tmp_path)[-1] is None, "too few to judge"
    with pytest.raises(JudgementError, match=r"reward: 10 of 100 replies could not be read, .* \(0.05\)"):
        scores(batch, ENOUGH // 10, tmp_path)


def test_a_selector_is_opened_when_candidates_are_judged_and_not_before(tmp_path: Path) -> None:
    """An engine that trains in jobs closes every model that is held when a job starts."""
    spec = Path(__file__).parents[2] / "specs" / "summarize_dRLAIF.yaml"
    plan = compile_plan(load_experiment(spec), load_scale("toy"))
    (step, *_) = [step for step in plan.steps if isinstance(step, Rl)]
    opened: list[Path] = []

    class Counting(ScriptedEngine):
        def language_model(self, folder: Path, *, chat: bool) -> LanguageModel:
            opened.append(folder)
            return super().language_model(folder, chat=chat)

    engine: Any = Counting()
    context = Context(engine=engine, store=Store(tmp_path), tell=lambda progress: None)
    _probe(step, [], [], context)
    assert opened == []
