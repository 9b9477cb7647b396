"""Put this folder behind all others: one of its scripts has the name of a package, Dask."""

import sys
from pathlib import Path

here = str(Path(__file__).parent)
if here in sys.path:
    sys.path.remove(here)
    sys.path.append(here)
