"""Runs commands and reports: processes of this node, a Ray head of our own, Ray jobs, scripts for SLURM.

Knows nothing of specs or methods. `Watch` tells progress; whatever is started is ended by its process id.
"""

from rlaif_spec.engines.openrlhf.launch.dashboard import Cluster, cluster_gpus, unmet_gpus, wait_for_gpus
from rlaif_spec.engines.openrlhf.launch.metrics import MetricsTail, rows
from rlaif_spec.engines.openrlhf.launch.process import Child, run_process
from rlaif_spec.engines.openrlhf.launch.ray_head import HeadSettings, RayHead
from rlaif_spec.engines.openrlhf.launch.ray_job import JobOutcome, RayJob, submit_and_wait
from rlaif_spec.engines.openrlhf.launch.slurm import Allocation, run_script
from rlaif_spec.engines.openrlhf.launch.watch import Checks, Watch

__all__ = [
    "Allocation",
    "Checks",
    "Child",
    "Cluster",
    "HeadSettings",
    "JobOutcome",
    "MetricsTail",
    "RayHead",
    "RayJob",
    "Watch",
    "cluster_gpus",
    "rows",
    "run_process",
    "run_script",
    "submit_and_wait",
    "unmet_gpus",
    "wait_for_gpus",
]
