"""OpenRLHF on a real GPU: SFT, reward model and RL of small experiments, and how fast they went."""
