"""`python -m portward.store.migrations PATH`: bring the tables of a file up to date; see apart.py."""

import sys
from pathlib import Path

from portward.store.migrate import upgrade

upgrade(Path(sys.argv[1]))
