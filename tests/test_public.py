"""The names that others may import; a change here is a change of the interface."""

import rlaif_spec

NAMES = (
    "AlignmentExperiment DataError Experiment Figure Outcome Plan PolicyExperiment Request RlaifSpecError RunError"
    " Scale Screen SpecError UserError check compare_results compile_plan default_scale load_experiment load_scale"
    " plan_lines prepare render run_experiment schema_text"
)


def test_public_names_are_these_and_are_there() -> None:
    assert " ".join(rlaif_spec.__all__) == NAMES
    for name in rlaif_spec.__all__:
        assert getattr(rlaif_spec, name) is not None
