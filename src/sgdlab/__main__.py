"""``python -m sgdlab`` is ``sgdlab``."""

import sys

from sgdlab.cli import main

sys.exit(main())
