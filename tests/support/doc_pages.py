"""What the tests of the documentation read: the pages, their blocks of code, and the commands that they name."""

import re
import sys
from functools import cache
from unittest import mock

from paths import ROOT
from surefoot.rules import RULES

DOCS = ROOT / "docs"

if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))

from pages import command_line, rate_free, rules, studies  # noqa: E402  they lie in the documentation
from pages import schema as schema  # noqa: E402

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(surefoot [a-z][^`]*)`")
SHOWN = re.compile(r"^```\{surefoot\} (.*)$", re.MULTILINE)


RULE_PAGES = [f"generated/rules/{name}.md" for name in RULES]
"""Made from the rules, which takes a second: nothing that is asked at collection looks into them."""


@cache
def other_texts() -> dict[str, str]:
    """Return the Markdown, by its path, of every page that is not a rule's."""
    written = {path.name: path.read_text(encoding="utf-8") for path in [*DOCS.glob("*.md"), ROOT / "README.md"]}
    data = DOCS / "data"
    made = {"cli.md": command_line.page(), "studies.md": studies.page(data), "rate-free.md": rate_free.page(data)}
    return {**written, **{f"generated/{name}": text for name, text in made.items()}}


@cache
def texts() -> dict[str, str]:
    """Return every page's Markdown by its path: those written by hand, and those that are generated.

    The walks that the rules' pages draw are at the rate 0.1; only the site itself looks for each rule's best.
    """
    with mock.patch("surefoot.explain.explanation.best_rate", return_value=0.1):
        made = rules.pages()
    return {**other_texts(), **{f"generated/{name}": text for name, text in made.items()}}


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page that are in a language."""
    text = other_texts().get(page) or texts()[page]
    return [text for kind, text in BLOCK.findall(text) if kind == language]


def pages_with(language: str) -> list[str]:
    """Return the pages, not of rules, that have such a block."""
    return [page for page in other_texts() if blocks(page, language)]


def console() -> list[str]:
    """Return each command of `surefoot` in a block of commands."""
    lines = [line for page in pages_with("console") for block in blocks(page, "console") for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith("surefoot ")})


def named() -> list[str]:
    """Return each command of `surefoot` that a page names, in a block or in a sentence."""
    everything = "\n".join(texts().values())
    return sorted(
        {*console(), *INLINE.findall(everything), *(f"surefoot {text}" for text in SHOWN.findall(everything))}
    )
