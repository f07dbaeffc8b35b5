"""`python -m tests.docs`: writes the generated blocks into the documentation's files, for readers on a code host.

Blocks that are empty in a file stay so: what is in them depends on the adapters that are installed.
"""

from __future__ import annotations

import os
import tempfile


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with tempfile.TemporaryDirectory() as directory:
        os.environ["KEYFERRY_DATA_DIR"] = directory
        import django

        django.setup()
        from config.ui import docs

        docs.library()  # loads what registers blocks
        for file in sorted(docs.DIRECTORY.rglob("*.md")):
            before = file.read_text()
            after = docs.with_blocks(before, empty=False)
            if after != before:
                file.write_text(after)
                print(f"written: {file.relative_to(docs.DIRECTORY)}")


if __name__ == "__main__":
    main()
