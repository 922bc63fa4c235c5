"""Studies that are run by hand: how often intervals cover, and how fast the harness is beside its peers."""
