"""How often the intervals of `harness` cover the truth: `python -m benchmarks.coverage` writes docs/coverage.md."""
