"""`python -m rlaif_spec`."""

import sys

from rlaif_spec.cli import main

sys.exit(main())
