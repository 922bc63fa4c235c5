"""Walk a plan: skip what is finished, do the rest in order, keep everything that was done if a step fails."""

import time
from dataclasses import dataclass
from functools import partial

from rlaif_spec.engines.endpoint import check_endpoint, endpoint_settings
from rlaif_spec.engines.protocol import Engine
from rlaif_spec.plan import AnyStep, Plan, Step
from rlaif_spec.plan.steps import Data, models_asked
from rlaif_spec.run.provenance import versions
from rlaif_spec.run.screen import Screen
from rlaif_spec.spec.scale import ModelSource
from rlaif_spec.stages import Context, perform
from rlaif_spec.store import Store


@dataclass(frozen=True)
class Walk:
    """What a walk did, by step id."""

    done: tuple[str, ...]
    reused: tuple[str, ...]


def walk(plan: Plan, engine: Engine, store: Store, screen: Screen) -> Walk:
    """Do every step of the plan that is not finished yet."""
    check_servers(plan, store)
    context = Context(engine=engine, store=store, tell=screen.tell, say=lambda line: screen.say(f"      {line}"))
    done: list[str] = []
    reused: list[str] = []
    steps = plan.steps
    for number, step in enumerate(steps, start=1):
        if store.finished(step):
            reused.append(step.id)
            continue
        screen.say(f"[{number}/{len(steps)}] {describe(step)}{' (continued)' if store.started(step) else ''}")
        began = time.monotonic()
        fresh = store.perform(step, partial(perform, step, context=context), versions(), screen.say)
        (done if fresh else reused).append(step.id)
        screen.say(f"      {time.monotonic() - began:.1f} s  {store.folder(step)}")
    return Walk(done=tuple(done), reused=tuple(reused))


def check_servers(plan: Plan, store: Store) -> None:
    """Ask every server that steps still to be done will ask, before hours are spent on the way there: EngineError."""
    sources = [model.source for step in plan.steps if not store.finished(step) for model in models_asked(step)]
    for endpoint, chat in dict.fromkeys((source.endpoint, source.chat) for source in sources):
        if endpoint is not None:
            check_endpoint(endpoint_settings(endpoint, chat=chat))


def describe(step: AnyStep) -> str:
    """A step in a few words, with what tells it from others of its kind."""
    return f"{step.kind}: {_what(step)}, seed {_seed(step)}"


def _what(step: AnyStep) -> str:
    match step.kind:
        case "data":
            return f"texts of {step.task}"
        case "sft":
            return "the policy before RL"
        case "labels":
            return f"{step.part} by {_source(step.labeler.source)}, {step.prompt}"
        case "reward-model":
            return f"on {'people' if step.labels.kind == 'human' else 'AI'} labels"
        case "rl":
            return f"{step.settings.steps} steps against {step.reward.kind.replace('-', ' ')}"
        case "responses":
            return f"of {step.policy.id}"
        case "ratings":
            return f"of {step.responses.id}"
        case "verdicts":
            return f"of {step.policy.id} against {step.opponent.id}"


def _seed(step: Step) -> int:
    return step.seed if isinstance(step, Data) else next(_seed(needed) for needed in step.needs())


def _source(source: ModelSource) -> str:
    if source.endpoint is not None:
        return source.endpoint.model
    return str(source.builtin or source.path or source.package or source.hub)
