"""The retired words and phrases, each with what to write instead, and the texts that must not contain them.

A text is what people read: templates, messages, labels and help in Python, error texts, command help, documentation,
the descriptions of the OpenAPI document, docstrings and comments. Patterns are exact phrases, so that everyday meanings
of a word stay free.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
APPS = ("config", "connections", "syncs")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
GETTEXT = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}

RETIRED: tuple[tuple[str, str], ...] = (
    # where keys live, and what they are called
    (
        r"(?<!\bin )(?<!\bin its )(?<!\btakes the )(?<!\btook the )(?<!\btakes its )(?<!\btook its )places?",
        "location, target",
    ),
    (r"spots?", "location, target"),
    (r"where (it|they|your secrets|the secrets) goe?s?", "target"),
    (r"canonical(ly)?", "normalized key, normalized value"),
    (r"incarnations?", "object id"),
    (r"(re)?made anew|anew", "recreated; again"),
    (r"stamps?", "etag"),
    (r"barred", "blocked"),
    # changes by others
    (r"(other|foreign|another's) hands?", "external change, drift"),
    (r"nobody's|nobody has said", "unmanaged, foreign; not verified"),
    (r"(keys?|values?|rows?|objects?) of others", "foreign key"),
    (r"(is|are|be|being|been|gets?|until that is) mended|mends?", "corrected, resolved, healed"),
    (r"puts? (it|them|that) right", "heal, correct"),
    # runs and decisions
    (r"(lets?|letting) (\w+ ){0,3}?go( on)?", "approve, resume, release"),
    (r"go(es|ing)? on(?! (the|a|your|this|its|to (a|an|the)) )", "continue, resume"),
    (r"goes there|go there", "is synced there"),
    # what is known and reported
    (r"tells?|telling|told|untold", "report, return, show, notify, distinguish"),
    (r"(?<!\bunless )(?<!\bthat )said|unsaid", "reported, specified, stated"),
    (r"asked for|unasked", "requested"),
    (r"wish(es|ed)?", "request, want"),
    (r"leads? (nowhere|to nothing)|refers? to nothing", "missing, unresolved"),
    (r"never (was|were)(?= ?[.,;:|)]|$)", "never existed"),
    (r"believ(e|es|ed|able)", "trusted, accepted; unexpected response"),
    (r"(?<!\b200 )(no|its|an?|the|lost|every|each) answers?(?! to (your|the) question)", "response, result"),
    (r"not known(?! to be)", "unknown"),
    (r"how (it|they|this|that|(the|a|each|every) \w+) stands?", "status"),
    (r"(?<!\bAs )stands?(?![- ](ins?|by|alone)\b)", "is, exists"),
    (r"((its|their|the (vendor|service|server|destination)'s)( own)?|own) words", "message, text"),
    (r"(in|as) words", "as text"),
    (r"(the )?audit log knows", "recorded in the audit log"),
    # completeness, existence, deletion
    (
        r"(is|are|be|not|was|were|made|makes?|arrived?|arrives|stays?|it) whole(?! (number|day|organisation|instance))",
        "complete",
    ),
    (r"whole (list|answer|response|source|listing|page)s?", "complete"),
    (r"(take|takes|taken|took|taking) (\w+ ){0,3}?away", "delete, remove"),
    (r"(gone|goes?) with (it|them|the \w+)", "is deleted as well"),
    (r"(is|are|was|were) gone", "was deleted, no longer exists"),
    (r"(?<!\bis )(?<!\bare )there already|already there|(is|are|was|were) there already", "already exists"),
    (
        r"(name|slug|key|id|it|address) (is|was) taken(?! (for|from|as|by)\b)|taken (name|slug|key)s?",
        "is already in use",
    ),
    (r"at the (most|least)", "at most, at least"),
    (r"as (it|they) should( be)?", "up to date"),
    (r"(is|are|was|were) not there", "is missing, does not exist"),
    (r"for good", "permanently"),
    (r"this once", "only once"),
    (r"(vendor|service|server|destination) is away", "is unavailable"),
    (r"Make an?(?= [a-z])|Make (another|folder|project|sync)", "Create"),
    (r"maker", "author, creator"),
    # rates
    (
        r"(one|once|twice|requests?|logins?|quer(y|ies)|rows?|columns?|objects?|lines?)"
        r" an? (key|value|run|request|second|minute|hour|day|step|line|row|page|connection|sync|environment|event|file"
        r"|project|folder|location|destination|batch)",
        "per key, per run, per request",
    ),
    # people
    (r"(?<![-'])(he|him|his|himself)", "they, them, their"),
    (r"somebody else's", "another sync's, another user's"),
)
"""Pattern between word boundaries, without regard to case -> what to write instead."""

_RULES = tuple((re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), instead) for pattern, instead in RETIRED)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text for people, and the line of the file on which it begins."""

    file: str
    line: int
    text: str


def complaints(texts: Iterable[Text]) -> list[str]:
    """One line per retired phrase: where it is, and what to write instead."""
    found = {
        (each.file, each.line + each.text.count("\n", 0, at), f'"{phrase}" -> {instead}')
        for each in texts
        for at, phrase, instead in retired_in(each.text)
    }
    return [f"{file}:{line}: {what}" for file, line, what in sorted(found)]


def retired_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Position, phrase and what to write instead. Phrases may be broken over lines."""
    kept = [(index, " " if char.isspace() else char) for index, char in enumerate(text)]
    kept = [each for before, each in zip([(0, ""), *kept], kept, strict=False) if not before[1] == each[1] == " "]
    flat = "".join(char for _, char in kept)
    for rule, instead in _RULES:
        for match in rule.finditer(flat):
            yield kept[match.start()][0], match[0], instead


# -- texts ---------------------------------------------------------------------------------------------------------


def in_templates() -> Iterator[Text]:
    """The text of each template, of its translated strings and of the attributes that are read out or shown."""
    for file in sorted((ROOT / "templates").rglob("*.html")):
        yield Text(_name(file), 1, visible(file.read_text()))


def visible(template: str) -> str:
    """A template with everything blanked that no person sees; lines stay where they are."""
    translated = re.compile(r"""(?:\b(?:translate|trans)\s+|_\()(?:"([^"]*)"|'([^']*)')""")
    attribute = re.compile(r"""\b(?:title|alt|placeholder|aria-label|aria-description)="([^"]*)\"""")

    def kept(markup: re.Match[str], pattern: re.Pattern[str]) -> str:
        """Of a piece of markup the parts that are text, in their places."""
        blank = list(re.sub(r"[^\n]", " ", markup[0]))
        for found in pattern.finditer(markup[0]):
            group = next(index for index, part in enumerate(found.groups(), 1) if part is not None)
            blank[found.start(group) : found.end(group)] = found[group]
        return "".join(blank)

    text = re.sub(r"\{#.*?#\}|<(script|style)\b.*?</\1>|<!--.*?-->", _blanked, template, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", lambda found: kept(found, translated), text, flags=re.DOTALL)
    return re.sub(r"<[^<>]*>", lambda found: kept(found, attribute), text)


def in_python() -> Iterator[Text]:
    """Strings that are translated, and all others of several words but docstrings."""
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in file.parts:
                yield from (Text(_name(file), line, text) for line, text in strings(ast.parse(file.read_text())))


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each, placeholders as {}."""
    single = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in GETTEXT
        for part in call.args
    }
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))  # a docstring
        elif isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, text
        elif not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in passed:
            continue
        elif " " in node.value or id(node) in single:
            yield node.lineno, node.value


def in_comments() -> Iterator[Text]:
    """Docstrings and comments in Python, and comments of scripts and styles."""
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in file.parts:
                text = file.read_text()
                yield from (Text(_name(file), line, docstring) for line, docstring in docstrings(ast.parse(text)))
                for token in tokenize.generate_tokens(io.StringIO(text).readline):
                    if token.type == tokenize.COMMENT:
                        yield Text(_name(file), token.start[0], token.string)
    for suffix, comment in (("js", r"/\*.*?\*/|(?<!:)//[^\n]*"), ("css", r"/\*.*?\*/")):
        for file in sorted((ROOT / "config" / "static").rglob(f"*.{suffix}")):
            text = file.read_text()
            for found in re.finditer(comment, text, re.DOTALL):
                yield Text(_name(file), text.count("\n", 0, found.start()) + 1, found[0])


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each string that is a statement of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def in_documents() -> Iterator[Text]:
    """Documentation pages without code."""
    code = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
    files = [*sorted((ROOT / "templates" / "docs").rglob("*.md")), *(ROOT / name for name in DOCUMENTS)]
    for file in files:
        yield Text(_name(file), 1, code.sub(_blanked, file.read_text()))


def in_scripts() -> Iterator[Text]:
    """Strings of several words in scripts of ours."""
    for file in sorted((ROOT / "config" / "static").rglob("*.js")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for found in re.finditer(r"""(["'`])([^"'`]* [^"'`]*)\1""", line.partition(" // ")[0]):
                yield Text(_name(file), number, found[2])


def in_description(document: Any, path: str = "openapi") -> Iterator[Text]:
    """Titles, summaries and descriptions of an OpenAPI document; with the path in the document, and line 0."""
    if isinstance(document, list):
        for index, each in enumerate(document):
            yield from in_description(each, f"{path}[{index}]")
    elif isinstance(document, dict):
        for name, each in document.items():
            if name in ("title", "summary", "description") and isinstance(each, str):
                yield Text(f"{path}.{name}", 0, each)
            else:
                yield from in_description(each, f"{path}.{name}")


def _blanked(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()
