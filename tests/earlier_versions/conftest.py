"""Modules beside the tests can be imported, as by the program that wrote the files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
