"""What the API says of itself and what it answers, recorded, so that a refactoring can be compared with it.

`openapi.json` is the OpenAPI document with its references resolved; `answers.jsonl` has one line a request. Both stay
in the repository: a commit that changes them says what changed and why. `python -m tests.api.golden` records both
again; `tests/api/test_golden.py` compares. Everything goes over HTTP through Django's test client; what the recorder
must import of the product or of the other tests is in `world.py` alone.
"""
