"""Both models of RL resume from one step, whatever a kill left; nothing that may still be needed is deleted."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rlaif_spec.engines.openrlhf.checkpoints import drop_policies, last_checkpoint, policies, settled

STEPS = st.lists(st.integers(1, 9), unique=True, max_size=4)


def save(folder: Path, steps: list[int]) -> None:
    for step in steps:
        (folder / f"global_step{step}").mkdir(parents=True, exist_ok=True)
        (folder / "latest").write_text(f"global_step{step}")


@given(actor=STEPS, critic=STEPS)
def test_both_models_are_set_to_the_last_step_that_both_have(
    actor: list[int], critic: list[int], tmp_path_factory
) -> None:  # type: ignore[no-untyped-def]
    folder: Path = tmp_path_factory.mktemp("checkpoints")
    save(folder / "_actor", sorted(actor))
    save(folder / "_critic", sorted(critic))
    common = max(set(actor) & set(critic), default=None)
    found = settled(folder, every=100)
    assert found == ("" if common is None else f"global_step{common}")
    if found:
        assert last_checkpoint(folder / "_actor") == last_checkpoint(folder / "_critic") == found


def test_a_pointer_to_a_checkpoint_that_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("global_step3")
    assert last_checkpoint(tmp_path) == ""
    save(tmp_path, [3])
    assert last_checkpoint(tmp_path) == "global_step3"


def test_policies_between_candidates_go_once_a_later_checkpoint_is_whole(tmp_path: Path) -> None:
    for step in (4, 8, 12, 16, 20):
        (tmp_path / f"global_step{step}_hf").mkdir()
        (tmp_path / f"global_step{step}_hf" / "tokenizer_config.json").write_text("{}")
    drop_policies(tmp_path, every=8)
    assert sorted(policies(tmp_path)) == [4, 8, 12, 16, 20], "no checkpoint is whole yet"
    save(tmp_path / "_actor", [16])
    drop_policies(tmp_path, every=8)
    assert sorted(policies(tmp_path)) == [8, 16, 20]


def test_a_candidate_whose_policy_was_not_written_is_trained_again(tmp_path: Path) -> None:
    """OpenRLHF writes the checkpoint first: killed in between, it would never write that policy."""
    for name in ("_actor", "_critic"):
        save(tmp_path / name, [4, 8])
    (tmp_path / "global_step8_hf").mkdir()
    (tmp_path / "global_step8_hf" / "config.json").write_text("{}")
    assert settled(tmp_path, every=8) == "global_step4"
    (tmp_path / "global_step8_hf" / "tokenizer_config.json").write_text("{}")
    for name in ("_actor", "_critic"):
        save(tmp_path / name, [8])
    assert settled(tmp_path, every=8) == "global_step8"
