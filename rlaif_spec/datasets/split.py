"""Who sees which context: decided by the context alone, so that a held-out text is held out for every seed.

Whatever shares a beginning shares a side: a dialogue and its continuation, a post with and without its title.
Otherwise a model could learn in training what it is then measured on.
"""

import hashlib
from typing import Final

POST: Final = "POST: "
REPLY: Final = "\n\nAssistant:"


def root(context: str) -> str:
    """What decides a context's side: the body of a post, or the first turn of a dialogue.

    >>> root("SUBREDDIT: r/tifu\\n\\nTITLE: Soup\\n\\nPOST: I made  soup.")
    'I made soup.'
    >>> root("Human: Hello\\n\\nAssistant: Hi!\\n\\nHuman: Bye")
    'Human: Hello'
    """
    opening = context.strip().partition(REPLY)[0]
    if opening.startswith("SUBREDDIT: ") and POST in opening:
        opening = opening.partition(POST)[2]
    return " ".join(opening.split())


def held_out(context: str, share: float) -> bool:
    """Whether a context belongs to the `share` that is never trained on."""
    digest = hashlib.sha256(root(context).encode()).hexdigest()
    return int(digest, 16) < share * 2**256
