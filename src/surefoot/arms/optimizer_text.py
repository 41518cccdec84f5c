"""Optimizers as text, such as `adam, sgd(lr=0.1)`: what is called, and with which options.

The text is Python's own call syntax, parsed and never run. A name with dots in it is a class to import, of torch or any
other library; `my.py:calm` is what a file of the user's defines, `package.module:calm` what a module does. A name may
stand before it: `mine=sgd(lr=0.1)`. `rest=` names the rule of all that is no hidden matrix: `lion(rest=adamw)`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from surefoot.arms.user_code import imported, referred, without_references
from surefoot.errors import UsageError
from surefoot.frontends.lookup import find
from surefoot.rule import Rule

_EXAMPLE = 'write it as "adam", "sgd(lr=0.1, momentum=0.9)" or "mine=sgd(lr=0.1)"'


@dataclass(frozen=True)
class OptimizerCall:
    """One optimizer of a text.

    Attributes:
        called: name of a rule or a class, or a rule made by a combinator, such as `cautious(adamw)`.
        given: options with values.
        reference: place of a rule or a class of the user's, `my.py:calm` or `module:calm`; empty for any other.
    """

    called: str
    given: dict[str, Any]
    reference: str = ""

    def optimizer(self) -> Any:
        """Return the rule's name, or what the user's file, their module or a library has under its name."""
        if self.reference:
            return referred(self.reference)
        return imported(self.called) if "." in self.called else self.called


def parse_rule(text: str) -> tuple[Rule, dict[str, Any]]:
    """Return the rule and the options of a text such as `adam(beta1=0.5)` or `my.py:calm`.

    Raises:
        UsageError: text that is no such call, or what is no rule.
    """
    calls = _calls(text, text)
    if len(calls) != 1:
        raise UsageError(f"{text!r} names {len(calls)} rules; give one at a time.")
    (call,) = calls
    return find(referred(call.reference) if call.reference else call.called.lower()), call.given


def named_calls(text: str) -> tuple[str, list[OptimizerCall]]:
    """Return the user's name of an optimizer, empty if there is none, and what is called between the commas.

    Raises:
        UsageError: text that is no such call, or a name for several.
    """
    head, equals, tail = text.partition("=")  # the one before the parenthesis gives a name
    name, body = (head.strip(), tail) if equals and "(" not in head else ("", text)
    if "," in name:
        raise UsageError(f"optimizer {text!r}: the name {name!r} has a comma; give each optimizer its own -o.")
    calls = _calls(body, text)
    if name and len(calls) > 1:
        raise UsageError(f"optimizer {text!r}: one name for {len(calls)} optimizers; give each its own -o.")
    return name, calls


def _calls(body: str, text: str) -> list[OptimizerCall]:
    """Return what is called between the commas. Errors show the whole text."""
    plain, references = without_references(body)
    return [OptimizerCall(name, given, references.get(name, "")) for name, given in _parsed(plain.strip(), text)]


def _parsed(body: str, text: str) -> list[tuple[str, dict[str, Any]]]:
    if re.fullmatch(r"[\w-]+", body):  # a name, perhaps with a dash, which is no Python
        return [(body, {})]
    unreadable = UsageError(f"optimizer {text!r} cannot be read; {_EXAMPLE}.")
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError):
        raise unreadable from None
    return [_called(part, text, unreadable) for part in (tree.elts if isinstance(tree, ast.Tuple) else [tree])]


def _called(part: ast.expr, text: str, unreadable: UsageError) -> tuple[str, dict[str, Any]]:
    """Return what is called and its options: of `cautious(adamw(lr=0.1))` the rule `cautious(adamw)` and lr=0.1."""
    call = part if isinstance(part, ast.Call) else ast.Call(part, [], [])
    if not isinstance(call.func, ast.Name | ast.Attribute) or len(call.args) > 1:
        raise unreadable
    name, options = ast.unparse(call.func), _options(call, text)
    if not call.args:
        return name, options
    inner, given = _called(call.args[0], text, unreadable)
    for twice in given.keys() & options.keys():
        raise UsageError(f"optimizer {text!r}: {twice} is given twice; {_EXAMPLE}.")
    return f"{name.lower()}({inner})", {**given, **options}


def _options(call: ast.Call, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in options:
            raise UsageError(f"optimizer {text!r}: an option is given twice or as **; {_EXAMPLE}.")
        if keyword.arg == "rest" and not isinstance(keyword.value, ast.Constant):  # a call too; text will do
            options["rest"] = ast.unparse(keyword.value)
            continue
        try:
            options[keyword.arg] = _value(keyword)
        except (ValueError, TypeError):
            raise UsageError(
                f"optimizer {text!r}: {keyword.arg}={ast.unparse(keyword.value)} is not a plain value; "
                "give a number, True or False."
            ) from None
    return options


def _value(keyword: ast.keyword) -> Any:
    """Return a plain value; a schedule is a name, with or without quotes."""
    match keyword.value:
        case ast.Name(id=name) if keyword.arg == "schedule":
            return name
        case ast.BinOp(ast.Name(id=one), ast.Sub(), ast.Name(id=other)) if keyword.arg == "schedule":
            return f"{one}-{other}"
    return ast.literal_eval(keyword.value)
