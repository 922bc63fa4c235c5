"""The OpenRLHF engine: specs become jobs of OpenRLHF 0.11.2, which are checked, launched, resumed and collected.

    engine           what the stages see
    command          a command as data
    training         what commands share · supervised (SFT, reward model) · reinforcement (RL)
    compile          the commands of a whole plan · translation (what becomes of each setting)
    flags, parsers   the pinned release's flags, and its own checks · preflight (refusals before anything loads)
    data             data files in OpenRLHF's formats
    attempts         one job through all its attempts · rl_training · rl_launch
    launch/          processes, Ray head, Ray job, metrics, watchdog, SLURM
    collect, heads   from what a job leaves to our artifacts
    entry/           what runs inside OpenRLHF's processes: the soft reward model
    agent            d-RLAIF inside OpenRLHF's processes · server (the labeler's)
    asking           models that are asked · vllm_model

Nothing here loads torch, Ray or vLLM before a job is to be run: `plan` compiles without them.
"""
