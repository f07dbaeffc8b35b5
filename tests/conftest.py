"""What all tests share: a data directory of their own, set before Django reads its settings."""

import os
import tempfile

os.environ["KEYFERRY_DATA_DIR"] = tempfile.mkdtemp(prefix="keyferry-test-")
os.environ["KEYFERRY_BASE_URLS"] = "{}"

from hypothesis import settings

settings.register_profile("quick", max_examples=1000, deadline=None)
settings.register_profile("ci", max_examples=10_000, deadline=None)
settings.load_profile("quick")
