"""Lets OpenRLHF 0.11.2 run without a GPU: Python loads this in every process whose PYTHONPATH names this folder.

Each patch below is one function: it gets a module just after that module was first imported, and changes it. A process
that imports none of these modules is left as it is. RLAIF_SPEC_SHIMS_WITHOUT=name,name leaves patches out, so that
what each of them is for can be seen.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = str(Path(__file__).resolve().parent)


def cuda_is_the_cpu(torch: Any) -> None:
    """OpenRLHF moves tensors to `torch.cuda.current_device()` and waits for it, whatever there is."""
    cpu = torch.device("cpu")
    torch.cuda.current_device = lambda: cpu
    for name in ("set_device", "synchronize", "empty_cache"):
        setattr(torch.cuda, name, lambda *_, **__: None)


def buffer_on_the_cpu(replay_buffer: Any) -> None:
    """The replay buffer writes the device as text, `cuda:<number>`, so it is told a number, then corrected."""
    torch, build = replay_buffer.torch, replay_buffer.NaiveReplayBuffer.__init__

    def on_the_cpu(buffer: Any, *arguments: Any, **options: Any) -> None:
        device, torch.cuda.current_device = torch.cuda.current_device, lambda: 0
        try:
            build(buffer, *arguments, **options)
        finally:
            torch.cuda.current_device = device
        buffer.target_device = torch.device("cpu")

    replay_buffer.NaiveReplayBuffer.__init__ = on_the_cpu


def weights_by_file(ppo_actor: Any) -> None:
    """The policy's weights reach the engines of `vllm` (the stand-in) by a file instead of NCCL or CUDA IPC."""

    def send(trainer: Any) -> None:
        import tempfile

        import deepspeed
        import ray
        import torch
        from safetensors.torch import save_file

        model = trainer.actor.model.module
        whole = trainer.strategy.args.ds.zero_stage == 3
        with deepspeed.zero.GatheredParameters(list(model.parameters()), enabled=whole):
            weights = {name: weight.data.clone().contiguous() for name, weight in model.named_parameters()}
        if torch.distributed.get_rank() == 0:
            with tempfile.TemporaryDirectory(prefix="weights-") as folder:
                path = f"{folder}/policy.safetensors"
                save_file(weights, path)
                ray.get([engine.update_weight.remote(path, None, None) for engine in trainer.vllm_engines])
        torch.distributed.barrier()

    ppo_actor.ActorPPOTrainer._init_vllm_sync_group = lambda *_: None
    ppo_actor.ActorPPOTrainer.broadcast_to_vllm = send


def adam_of_torch(deepspeed_utils: Any) -> None:
    """DeepSpeed compiles its own Adam at first use (minutes of C++); torch's AdamW is the same algorithm."""
    build = deepspeed_utils.get_train_ds_config

    def settings(*arguments: Any, **options: Any) -> Any:
        config = build(*arguments, **options)
        config["zero_force_ds_cpu_optimizer"] = False
        if config.get("optimizer", {}).get("type") in ("Adam", "AdamW"):
            config["optimizer"]["params"]["torch_adam"] = True
        return config

    deepspeed_utils.get_train_ds_config = settings


def no_shared_memory_op(comm: Any) -> None:
    """DeepSpeed compiles a shared-memory all-reduce for CPU ranks; without it gloo does the work."""
    comm.build_shm_op = lambda: None


def rows_in_this_process(name: str) -> Callable[[Any], None]:
    """A data set of OpenRLHF is read by 8 processes; that takes longer than reading a few rows in this one."""

    def patch(module: Any) -> None:
        build = getattr(module, name).__init__
        names = build.__code__.co_varnames[: build.__code__.co_argcount][-len(build.__defaults__) :]
        defaults = dict(zip(names, build.__defaults__, strict=True)) | {"num_processors": None}
        build.__defaults__ = tuple(defaults.values())

    return patch


PATCHES: dict[str, Callable[[Any], None]] = {
    "torch": cuda_is_the_cpu,
    "openrlhf.trainer.ppo_utils.replay_buffer": buffer_on_the_cpu,
    "openrlhf.trainer.ray.ppo_actor": weights_by_file,
    "openrlhf.utils.deepspeed.deepspeed_utils": adam_of_torch,
    "deepspeed.comm.torch": no_shared_memory_op,
    "openrlhf.datasets.sft_dataset": rows_in_this_process("SFTDataset"),
    "openrlhf.datasets.reward_dataset": rows_in_this_process("RewardDataset"),
}


class AfterImport(MetaPathFinder):
    """Finds the modules named in PATCHES where they are, and has the patch run once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec with one thing more to do, or None for any other module."""
        patch = PATCHES.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if patch else None
        if patch is None or spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_patch(module: ModuleType) -> None:
            load(module)
            patch(module)

        spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec


def run_the_next_sitecustomize() -> None:
    """Python loads only the first of this name; one further on the path must not be lost because of this one."""
    elsewhere = [folder for folder in sys.path if str(Path(folder or ".").resolve()) != HERE]
    spec = PathFinder.find_spec("sitecustomize", elsewhere)
    if spec and spec.loader:
        spec.loader.exec_module(module_from_spec(spec))


os.environ.setdefault("DS_ACCELERATOR", "cpu")
for left_out in filter(None, os.environ.get("RLAIF_SPEC_SHIMS_WITHOUT", "").split(",")):
    PATCHES.pop(left_out, None)
sys.meta_path.insert(0, AfterImport())
run_the_next_sitecustomize()
