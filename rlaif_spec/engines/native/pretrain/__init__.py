"""How the built-in toy models are made: `python -m rlaif_spec.engines.native.pretrain`, or `make toy-models`."""
