"""Train the built-in toy models, one process a model; half an hour on two cores."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rlaif_spec.engines.native.pretrain.train import SHAPES, STEPS, train_toy_model


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(__file__).parents[3] / "toy_models")
    parser.add_argument("--only", nargs="+", choices=sorted(SHAPES), default=sorted(SHAPES))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, help="another training than the one that is shipped")
    options = parser.parse_args()
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(train_toy_model, name, options.into / name, seed=options.seed, steps=options.steps)
            for name in options.only
        ]
        for job in jobs:
            job.result()


if __name__ == "__main__":
    main()
