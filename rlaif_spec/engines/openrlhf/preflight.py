"""What would make an OpenRLHF job fail, hang or silently do something else, found before anything is loaded.

Each refusal is a failure that OpenRLHF shows late (after the models are on the GPUs), in words that do not name the
cause, or not at all. All problems of a command are found in one go, each as one line
`program flag value: what is wrong; what would be right`. Names of functions are those of OpenRLHF 0.11.2.
"""

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rlaif_spec.engines.openrlhf import flags, preflight_batches, preflight_gpus
from rlaif_spec.engines.openrlhf.checkpoints import named
from rlaif_spec.engines.openrlhf.command import Command
from rlaif_spec.engines.openrlhf.preflight_facts import Check, Facts, Settings, UnreadableError
from rlaif_spec.engines.openrlhf.preflight_gpus import gpus_asked
from rlaif_spec.errors import UserError

__all__ = ["Facts", "checkpoint_of", "gpus_asked", "problems", "refuse", "template_of"]

GROUPED: Final = ("rloo", "reinforce_baseline", "group_norm", "dr_grpo")
"""Estimators that compare the responses to one prompt."""

ENOUGH_TOGETHER: Final = 8
"""Responses of one forward pass over all actors from which it does not happen that none of them has a reward."""

OFF_POLICY: Final = ("--train.async_enable", "--train.partial_rollout_enable")


def problems(command: Command, facts: Facts) -> list[str]:
    """Everything that is wrong with a command, one line each; empty where it may start."""
    found = flags.problems(command.program, command.flags)
    settings = Settings(command)
    for check in RL if command.program == "train_ppo_ray" else SUPERVISED:
        try:
            for line in check(settings, facts):
                found.append(line)
        except UnreadableError:
            continue
    return found


def refuse(command: Command, facts: Facts) -> None:
    """Raise UserError with every problem of the command, a line each."""
    found = problems(command, facts)
    if found:
        raise UserError("\n".join(found))


def template_of(command: Command) -> str | None:
    """How a command writes its prompts: `--data.input_template`, the chat template, or None for as they stand."""
    settings = Settings(command)
    if settings.on("--data.apply_chat_template"):
        return f"chat template {command.value('--data.tokenizer_chat_template') or 'of the tokenizer'}"
    if command.program == "train_rm" and not command.value("--data.prompt_key"):
        return None
    return settings.text("--data.input_template") if settings.text("--data.input_template") not in ("", "{}") else None


def _templates(settings: Settings, facts: Facts) -> Iterator[str]:
    flag = "--data.input_template"
    template = settings.text(flag)
    if template and not _takes_one(template):
        yield settings.says(flag, "it has not exactly one {}, so the prompt is dropped or an error", "put one {} in")
    if template and "\\n" in template:
        yield settings.says(flag, "it holds a backslash and an n, not a new line", "write a real line break")
    formats = {**facts.templates, settings.program: template_of(settings.command)}
    if len(set(formats.values())) > 1:
        listed = ", ".join(f"{program}: {'none' if form is None else repr(form)}" for program, form in formats.items())
        wrong = f"stages write their prompts differently ({listed})"
        yield f"{settings.program} {flag}: {wrong}; the same for all, with a chat template saved in the model's folder"


def _takes_one(template: str) -> bool:
    try:
        return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None] == [""]
    except ValueError:
        return False


def _attention(settings: Settings, facts: Facts) -> Iterator[str]:
    flag = "--ds.attn_implementation"
    kind = settings.text(flag) or ""
    causes = ["--ds.packing_samples"] * settings.on("--ds.packing_samples")
    if settings.program == "train_ppo_ray":
        causes += ["--train.dynamic_batch_enable"] * settings.on("--train.dynamic_batch_enable")
    causes += ["--ds.ring_attn_size"] * (settings.whole("--ds.ring_attn_size") > 1)
    if causes and not settings.on("--ds.packing_samples"):
        yield settings.says(causes[0], "it goes with --ds.packing_samples only", "give both, or neither")
    for cause in causes:
        if "flash_attention" not in kind:
            yield settings.says(
                cause, f"it packs rows, and OpenRLHF then silently replaces {flag} {kind}", "leave it out"
            )
        if not facts.flash_attention:
            yield settings.says(cause, "it packs rows and needs flash-attn, which is not installed", "leave it out")
    if not causes and kind == "flash_attention_2" and not facts.flash_attention:
        wrong = "flash-attn is not installed, and OpenRLHF imports it whatever stands here"
        yield f"{settings.program} {flag} {kind}: {wrong}; install it"


def _secrets(settings: Settings, facts: Facts) -> Iterator[str]:
    if settings.on("--logger.wandb.key") and settings.command.flags["--logger.wandb.key"] != ["env"]:
        wrong = "the key would be printed with the arguments"
        yield f"{settings.program} --logger.wandb.key: {wrong}; write the word env, with the key in WANDB_API_KEY"


def _hub(settings: Settings, facts: Facts) -> Iterator[str]:
    if settings.on("--use_ms"):
        yield settings.says("--use_ms", "it swaps the hub that models come from", "leave it out and name local folders")


def checkpoint_of(command: Command) -> Path:
    """The folder from which `--ckpt.load_enable` resumes (for RL, the actor's)."""
    path = Path(Settings(command).text("--ckpt.path") or "")
    return path / "_actor" if command.program == "train_ppo_ray" else path


def _checkpoints(settings: Settings, facts: Facts) -> Iterator[str]:
    if not settings.on("--ckpt.load_enable"):
        return
    folders = [facts.checkpoint or checkpoint_of(settings.command)]
    if settings.program == "train_ppo_ray" and "critic" in settings.roles:
        folders.append(folders[0].parent / "_critic")
    pointer = "latest_universal" if settings.on("--ds.use_universal_ckpt") else "latest"
    tags = {folder: named(folder / pointer) for folder in folders}
    for folder, tag in tags.items():
        if not tag or not (folder / tag).is_dir():
            wrong = (
                f"{folder} has no checkpoint that a file {pointer} names, so training would silently start over or fail"
            )
            yield settings.says("--ckpt.load_enable", wrong, "leave it out, or correct --ckpt.path")
    if all(tags.values()) and len(set(tags.values())) > 1:
        listed = " and ".join(f"{folder.name} {tag}" for folder, tag in tags.items())
        wrong = f"the models are at different steps ({listed})"
        yield settings.says("--ckpt.load_enable", wrong, f"write a step that both have into their files {pointer}")


def _forgotten(settings: Settings, facts: Facts) -> Iterator[str]:
    if settings.whole("--ckpt.save_steps") < 1:
        yield settings.says("--ckpt.save_steps", "nothing is saved to resume from", "a number of steps")
    if settings.on("--ckpt.disable_ds"):
        yield settings.says("--ckpt.disable_ds", "no optimizer state is saved to resume from", "leave it out")
    if settings.on("--algo.kl.target"):
        wrong = "the coefficient it moves is in no checkpoint, and OpenRLHF's trainer says it does not fit"
        yield settings.says("--algo.kl.target", wrong, "--algo.kl.init_coef alone")


def _broken(settings: Settings, facts: Facts) -> Iterator[str]:
    if settings.on("--ds.load_in_4bit"):
        yield settings.says("--ds.load_in_4bit", "4-bit weights do not reach vLLM", "leave it out for RL")
    if settings.on("--reward.normalize_enable"):
        wrong = f"broken in {flags.VERSION}: mean and deviation are uninitialised memory after loading"
        yield settings.says("--reward.normalize_enable", wrong, "leave it out")
    if settings.on("--ds.enable_sleep") and not (settings.whole("--ds.zero_stage") or settings.on("--ds.adam_offload")):
        wrong = "DeepSpeed's optimizer without ZeRO cannot be put to sleep"
        yield settings.says("--ds.enable_sleep", wrong, "--ds.zero_stage 1 or more")
    if settings.whole("--vllm.num_engines") < 1:
        yield settings.says("--vllm.num_engines", "responses come from vLLM only, whatever the help says", "at least 1")


def _adapters(settings: Settings, facts: Facts) -> Iterator[str]:
    if settings.whole("--ds.lora.rank") > 0:
        wrong = "an adapter is saved, or sent to vLLM under PEFT's names, where a whole model is loaded"
        yield settings.says("--ds.lora.rank", wrong, "full weights")


def _method(settings: Settings, facts: Facts) -> Iterator[str]:
    flag = "--algo.advantage.estimator"
    estimator = settings.text(flag)
    if estimator in GROUPED and settings.whole("--rollout.n_samples_per_prompt") == 1:
        wrong = f"{estimator} compares responses to one prompt, and there is one"
        yield settings.says("--rollout.n_samples_per_prompt", wrong, "at least 2")
    if estimator == "gae" and not settings.text("--critic.model_name_or_path"):
        wrong = "OpenRLHF would start the critic from the reward model, or from the actor"
        yield settings.says("--critic.model_name_or_path", wrong, "name the model it starts from")
    for switch in OFF_POLICY:
        if settings.on(switch):
            yield settings.says(switch, "responses of an older policy are off-policy, not the method", "leave it out")


def _masked(settings: Settings, facts: Facts) -> Iterator[str]:
    """A labeler's failure masks a response, and OpenRLHF divides by the tokens of what goes forward together."""
    if not settings.on("--train.agent_func_path"):
        return
    together = settings.size("--train.micro_batch_size") * (settings.gpus("actor") // settings.shards)
    if together < ENOUGH_TOGETHER:
        wrong = f"{together} responses go forward together; where all of them are masked, OpenRLHF divides by zero"
        right = f"at least {ENOUGH_TOGETHER} over all actors, so that this takes as many failures at once"
        yield settings.says("--train.micro_batch_size", wrong, right)


EVERYWHERE: Final[tuple[Check, ...]] = (_templates, _attention, _adapters, _checkpoints, _secrets, _hub)
SUPERVISED: Final = (*preflight_batches.SUPERVISED, *preflight_gpus.SUPERVISED, *EVERYWHERE)
RL: Final = (*preflight_batches.RL, *preflight_gpus.RL, *EVERYWHERE, _forgotten, _broken, _method, _masked)
