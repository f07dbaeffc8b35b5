"""Record both files again: `python -m tests.api.golden [pytest arguments, such as -k github]`."""

import os
import subprocess
import sys

from .recorded import RECORD

TEST = "tests/api/test_golden.py"


def main() -> int:
    """The document first: the requests are derived from it."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"]
    environ = {**os.environ, RECORD: "1"}
    first = subprocess.run([*pytest, f"{TEST}::test_the_document_is_the_recorded_one"], env=environ, check=False)
    return first.returncode or subprocess.run([*pytest, TEST, *sys.argv[1:]], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
