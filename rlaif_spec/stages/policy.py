"""The stages around a policy: RL against a reward, responses to the evaluation prompts, ratings of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from harness import proportion
from rlaif_spec.engines.endpoint import AnswerCache
from rlaif_spec.engines.protocol import LabelerScores, RewardFunction, RewardModelScore, RlTask, Turn
from rlaif_spec.labelers import expected_scores, label_pairs
from rlaif_spec.plan.steps import LabelerChoice, LabelerScore, LastCandidate, Ratings, Responses, Rl, data_of
from rlaif_spec.prompts import PromptLibrary
from rlaif_spec.records import Comparison, Example, Response
from rlaif_spec.spec.endpoint import Endpoint
from rlaif_spec.spec.scale import OracleJudge
from rlaif_spec.stages.context import ANSWERS, RATINGS, RESPONSES, Context, Rating, library
from rlaif_spec.stages.labeling import check_read, unread_in, variant_of
from rlaif_spec.store import SCRATCH, read_rows, write_rows
from rlaif_spec.tasks import TASKS
from rlaif_spec.worlds import WORLDS, rater_probability

HELD_OUT = "held_out_win_rate"
SELECTOR = "selector_win_rate"
ENOUGH = 100
"""Scores after which a labeler that cannot be read too often ends the training."""


def train_policy(step: Rl, folder: Path, context: Context) -> None:
    """REINFORCE against the reward; candidates are watched by the held-out judge and chosen by the selector."""
    texts = library(step)
    prompts = [texts.policy(row.context) for row in context.examples(step.start.data, "prompts")]
    validation = context.examples(step.start.data, "validation")
    asked = [texts.policy(row.context) for row in validation]
    start = context.trained(step.start)
    baseline = context.engine.respond(start, asked, step.respond, seed=step.random_seed)
    task = RlTask(
        prompts=prompts,
        validation=asked,
        reward=_reward(step, folder, context),
        probe=_probe(step, validation, baseline, context),
        choose=lambda figures: _choose(step, figures),
        respond=step.respond,
    )
    context.engine.train_policy(start, task, step.settings, context.job(step, folder))


def write_responses(step: Responses, folder: Path, context: Context) -> None:
    """The policy's answers to the evaluation prompts."""
    texts = library(step.policy)
    examples = context.examples(data_of(step.policy), "evaluation")
    prompts = [texts.policy(row.context) for row in examples]
    answers = context.engine.respond(
        context.trained(step.policy), prompts, step.settings, seed=data_of(step.policy).random_seed
    )
    rows = [
        Response(id=row.id, context=row.context, text=answer) for row, answer in zip(examples, answers, strict=True)
    ]
    write_rows(folder / RESPONSES, rows)


def write_ratings(step: Ratings, folder: Path, context: Context) -> None:
    """What can be said of each response by itself."""
    rows = read_rows(context.store.open(step.responses) / RESPONSES, Response)
    task = data_of(step.responses.policy).task
    oracle = WORLDS[task] if isinstance(step.judge, OracleJudge) else None
    ratings = [
        Rating(
            id=row.id,
            words=len(row.text.split()),
            utility=None if oracle is None else oracle.utility(row.context, row.text),
            harmless=None if oracle is None else oracle.is_harmless(row.context, row.text),
        )
        for row in rows
    ]
    write_rows(folder / RATINGS, ratings)


def _reward(step: Rl, folder: Path, context: Context) -> RewardFunction:
    if isinstance(step.reward, LabelerScore):
        return _labeler_reward(step.reward, library(step).task, _contexts(step, context), folder, context)
    trained = context.trained(step.reward)
    return RewardModelScore(trained, lambda turns: context.engine.reward_scores(trained, turns))


def _labeler_reward(
    reward: LabelerScore, task: str, contexts: dict[str, str], folder: Path, context: Context
) -> LabelerScores:
    labeler = context.opened(reward.labeler.source)
    chat = reward.labeler.source.chat
    texts = PromptLibrary(reward.labeler.prompts, task)
    asked = unread = 0
    served = None
    if isinstance(labeler, Endpoint):  # nobody asks about these responses again, so the answers go with the step
        served = context.asked(labeler, chat=chat, answers=AnswerCache(folder / SCRATCH / ANSWERS))

    def score(turns: Sequence[Turn]) -> list[float | None]:
        nonlocal asked, unread
        # An engine may have closed its models while it trained, so they are opened here.
        model = served or context.asked(labeler, chat=chat)
        prompts = [texts.score(contexts[turn.prompt], turn.response) for turn in turns]
        scores = expected_scores(model, prompts, min_mass=reward.settings.min_mass)
        asked += len(scores)
        unread += scores.count(None)
        if asked >= ENOUGH:
            check_read("reward", unread, asked, reward.settings)
        return scores

    return LabelerScores(labeler, chat, texts, contexts, reward.settings, score)


def _contexts(step: Rl, context: Context) -> dict[str, str]:
    """The context behind each prompt that the policy is given during RL."""
    texts = library(step)
    rows = [row for part in ("prompts", "validation") for row in context.examples(step.start.data, part)]
    return {texts.policy(row.context): row.context for row in rows}


def _probe(
    step: Rl, validation: Sequence[Example], baseline: Sequence[str], context: Context
) -> Callable[[Sequence[Turn]], dict[str, float]]:
    """Figures of a candidate against SFT on the validation prompts, by judges that are not the reward."""
    selector = step.selector
    task = step.start.data.task

    def probe(turns: Sequence[Turn]) -> dict[str, float]:
        pairs = [
            Comparison(id=row.id, context=row.context, first=turn.response, second=other)
            for row, turn, other in zip(validation, turns, baseline, strict=True)
        ]
        figures = _oracle_figures(task, pairs) if isinstance(step.judge, OracleJudge) else {}
        if isinstance(selector, LabelerChoice):
            # Opened here, not before: an engine may have closed every model while it trained.
            model = context.language_model(selector.labeler)
            texts = PromptLibrary(selector.labeler.prompts, task)
            labels = label_pairs(model, texts, variant_of(selector.judge.prompt), pairs, selector.settings)
            check_read("selector", unread_in(labels), len(labels), selector.settings)
            figures |= with_interval(SELECTOR, [p for label in labels if (p := label.prefers_first) is not None])
        return figures

    return probe


def _oracle_figures(task: str, pairs: Sequence[Comparison]) -> dict[str, float]:
    world = WORLDS[task]
    wins = [rater_probability(world.utility(p.context, p.first), world.utility(p.context, p.second)) for p in pairs]
    figures = with_interval(HELD_OUT, wins)
    if TASKS[task].measured_by == "harmless rate":
        harmless = [float(world.is_harmless(pair.context, pair.first)) for pair in pairs]
        figures |= with_interval("held_out_harmless_rate", harmless)
    return figures


def with_interval(name: str, values: Sequence[float]) -> dict[str, float]:
    """The mean over validation prompts and its 95 % interval: Wilson's for shares, else 1.96 standard errors."""
    mean = fmean(values)
    if set(values) <= {0.0, 1.0}:
        share = proportion(sum(values), len(values))
        low, high = share.low, share.high
    elif len(values) > 1:
        reach = 1.96 * stdev(values) / len(values) ** 0.5
        low, high = mean - reach, mean + reach
    else:
        return {name: mean}
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _choose(step: Rl, figures: Sequence[dict[str, float]]) -> int:
    """The rule: the last candidate, or the one the selector prefers most often to SFT (the earliest of equals)."""
    if isinstance(step.selector, LastCandidate):
        return len(figures) - 1
    return max(range(len(figures)), key=lambda at: figures[at][SELECTOR])
