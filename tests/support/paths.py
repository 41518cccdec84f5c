"""Where things lie in the repository, for tests in any folder."""

from pathlib import Path

SUPPORT = Path(__file__).parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
STORES = TESTS / "stores"
