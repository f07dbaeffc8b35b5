"""The product's settings with a data directory for the test run only."""

import os
import tempfile

os.environ["KEYFERRY_DATA_DIR"] = tempfile.mkdtemp(prefix="keyferry-test-")
os.environ["KEYFERRY_BASE_URLS"] = "{}"

from config.settings import *  # noqa: F403

# Static files are found when requested. Whitenoise otherwise scans all of them for every `django.test.Client()`: 60 ms.
WHITENOISE_AUTOREFRESH = True
LOGIN_RATE_LIMIT = 0  # tests sign in often; those of the limit set it
# A slow hash protects passwords; those of the tests need none.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
