"""What several test modules share: where files lie, toy networks, and pictures and checkpoints to compare with."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CASES = ROOT / "tests" / "cases"  # photos that once failed
