"""What all tests share: a data directory of their own, set before Django reads its settings."""

import os
import tempfile

os.environ["KEYFERRY_DATA_DIR"] = tempfile.mkdtemp(prefix="keyferry-test-")
os.environ["KEYFERRY_BASE_URLS"] = "{}"
