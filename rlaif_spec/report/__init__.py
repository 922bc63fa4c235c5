"""From artifacts to figures, from figures to tables."""

from rlaif_spec.report.figures import Figure, Metrics
from rlaif_spec.report.measure import measure
from rlaif_spec.report.portable import portable
from rlaif_spec.report.results import compare_results, write_results
from rlaif_spec.report.tables import render

__all__ = ["Figure", "Metrics", "compare_results", "measure", "portable", "render", "write_results"]
