"""What is asked (`experiment`), with what it is answered (`scale`, `settings`), and how both are read from files."""

from rlaif_spec.spec.experiment import AlignmentExperiment, Experiment, LabelerSpec, PolicyExperiment, PolicySpec
from rlaif_spec.spec.fit import check
from rlaif_spec.spec.load import builtin_scales, default_scale, load_experiment, load_scale
from rlaif_spec.spec.scale import Scale

__all__ = [
    "AlignmentExperiment",
    "Experiment",
    "LabelerSpec",
    "PolicyExperiment",
    "PolicySpec",
    "Scale",
    "builtin_scales",
    "check",
    "default_scale",
    "load_experiment",
    "load_scale",
]
