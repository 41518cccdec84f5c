"""An arm of a comparison: one optimizer with every hyperparameter decided, read from text such as `sgd(lr=0.1)`.

The text is Python's own call syntax, parsed and never run; a name with dots in it is a class to import, of torch or any
other library. A name may stand before it: `mine=sgd(lr=0.1)`. Options are
taken in our spelling or in the convention's, and what is not given takes the convention's default.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from surefoot.comparison import foreign
from surefoot.comparison.code import code_of
from surefoot.comparison.space import Space, space
from surefoot.comparison.user_code import imported
from surefoot.conventions import resolve
from surefoot.errors import UsageError, unknown
from surefoot.rule import GIVEN_BY_MACHINE
from surefoot.rules import RULES
from surefoot.store.ranges import Dimension

_EXAMPLE = 'write it as "adam", "sgd(lr=0.1, momentum=0.9)" or "mine=sgd(lr=0.1)"'

TITLES = {
    "sgd": "SGD",
    "momentum": "Momentum",
    "nesterov": "Nesterov",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "amsgrad": "AMSGrad",
    "adamw": "AdamW",
    "adabound": "AdaBound",
    "amsbound": "AMSBound",
}
"""How each rule's name is written for people."""


@dataclass(frozen=True)
class Arm:
    """One optimizer of a comparison: the user's name for it, the rule, and every hyperparameter decoded.

    `given` are the options that are not the convention's, as they were written; `ranges` what the user wants searched.
    An optimizer that is not ours has what makes it in `make`, its full name for a rule, in `code` what tells its code
    from another, and no convention.
    """

    label: str
    rule: str
    convention: str
    hyper: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Dimension] = field(default_factory=dict)
    make: foreign.Make | None = None
    code: str = ""

    @property
    def identity(self) -> str:
        """The rule; of an optimizer that is not ours with its code, as in `torch.optim.nadam.NAdam@2.9.1`."""
        return f"{self.rule}@{self.code}" if self.code else self.rule

    def with_options(self, options: Mapping[str, Any]) -> Arm:
        """Return the same optimizer with some options more."""
        given = {**self.given, **options}
        ranges = {name: dimension for name, dimension in self.ranges.items() if name not in options}
        hyper = _hyper(self.make or self.rule, self.convention, given, ranges)
        return replace(self, hyper=hyper, given=given, ranges=ranges)

    def space(self, trials: int) -> Space:
        """Return what is searched for it in so many trials."""
        if self.make is not None:
            return foreign.space(self.make, trials, self.given, self.ranges)
        return space(self.rule, trials, self.convention, fixed=self.given, given=self.ranges)

    def build(self, parameters: Any) -> Any:
        """Make the optimizer, a `torch.optim.Optimizer`.

        Raises:
            TrialError: a class that is not ours refuses its options.
        """
        if self.make is not None:
            return foreign.build(self.make, parameters, self.label, self.given)
        from surefoot.torch import RuleOptimizer

        rule = RULES[self.rule]
        return RuleOptimizer(parameters, rule, **{n: value for n, value in self.hyper.items() if n in rule.defaults})


def make_arm(
    optimizer: Any,
    convention: str,
    given: Mapping[str, Any],
    *,
    ranges: Mapping[str, Dimension] | None = None,
    name: str = "",
) -> Arm:
    """Return the arm of a rule, by its name, or of any class that makes a torch optimizer.

    Args:
        optimizer: `adam`, or a class such as `torch.optim.NAdam`.
        convention: of a rule of ours.
        given: options with values.
        ranges: options that are searched instead of ours; the rest of the space stays as it is.
        name: the user's name for it.

    Raises:
        UsageError: no such rule or option, a bad value, or something that is no optimizer.
    """
    ranges = ranges or {}
    if isinstance(optimizer, str):
        rule = optimizer.lower()
        if rule not in RULES:
            raise unknown("optimizer", optimizer, RULES)
        title, made, code = TITLES[rule], None, ""
    else:
        made = foreign.check(optimizer)
        rule, title, convention, code = foreign.name_of(made), made.__qualname__, "", code_of(made)
    hyper = _hyper(made or rule, convention, given, ranges)
    return Arm(name or _label(title, given), rule, convention, hyper, given, ranges, made, code)


def parse_arms(texts: Iterable[str], convention: str) -> tuple[Arm, ...]:
    """Return the arms that the texts describe; one text may hold several, separated by commas.

    Raises:
        UsageError: text that is no such call, an unknown optimizer or option, a bad value, an arm given twice.
    """
    arms = [arm for text in texts for arm in _parse(text, convention)]
    return without_twins(arms)


def parse_rule(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a rule and the options that go with it, from text such as `adam(beta1=0.5)`.

    Raises:
        UsageError: text that is no such call, or an optimizer that is no rule of ours.
    """
    calls = _calls(text)
    if len(calls) != 1:
        raise UsageError(f"{text!r} names {len(calls)} rules; give one at a time.")
    function, given = _read(calls[0], text)
    name = ast.unparse(function).lower()
    if name not in RULES:
        raise unknown("rule", name, RULES)
    return name, given


def _parse(text: str, convention: str) -> list[Arm]:
    name, body = _split_name(text)
    if "," in name:
        raise UsageError(f"optimizer {text!r}: the name {name!r} has a comma; give each optimizer its own -o.")
    calls = _calls(body)
    if name and len(calls) > 1:
        raise UsageError(f"optimizer {text!r}: one name for {len(calls)} optimizers; give each its own -o.")
    return [_arm(*_read(call, text), name, convention) for call in calls]


def _calls(text: str) -> list[ast.expr]:
    """Return the parts of the text that stand between its commas."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise UsageError(f"optimizer {text!r} cannot be read; {_EXAMPLE}.") from None
    return tree.elts if isinstance(tree, ast.Tuple) else [tree]


def _read(call: ast.expr, text: str) -> tuple[ast.Name | ast.Attribute, dict[str, Any]]:
    """Return what is called, and with which options."""
    function = call.func if isinstance(call, ast.Call) else call
    if not isinstance(function, ast.Name | ast.Attribute) or (isinstance(call, ast.Call) and call.args):
        raise UsageError(f"optimizer {text!r} cannot be read; {_EXAMPLE}.")
    return function, _options(call, text) if isinstance(call, ast.Call) else {}


def _split_name(text: str) -> tuple[str, str]:
    """Split `mine=sgd(lr=0.1)` at the equals sign before the parenthesis; there may be none."""
    head, equals, tail = text.partition("=")
    return (head.strip(), tail) if equals and "(" not in head else ("", text)


def _arm(function: ast.Name | ast.Attribute, given: Mapping[str, Any], name: str, convention: str) -> Arm:
    optimizer = function.id if isinstance(function, ast.Name) else imported(ast.unparse(function))
    return make_arm(optimizer, convention, given, name=name)


def _hyper(
    optimizer: str | foreign.Make, convention: str, given: Mapping[str, Any], ranges: Mapping[str, Dimension]
) -> dict[str, Any]:
    """Return a value for every hyperparameter that a user can set."""
    if not isinstance(optimizer, str):
        return foreign.hyper(optimizer, given, ranges)
    resolved = resolve(optimizer, convention, given)
    return {option: value for option, value in resolved.items() if option not in GIVEN_BY_MACHINE}


def _options(call: ast.Call, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in options:
            raise UsageError(f"optimizer {text!r}: an option is given twice or as **; {_EXAMPLE}.")
        try:
            options[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            raise UsageError(
                f"optimizer {text!r}: {keyword.arg}={ast.unparse(keyword.value)} is not a plain value; "
                "give a number, True or False."
            ) from None
    return options


def _label(title: str, given: Mapping[str, Any]) -> str:
    options = ", ".join(f"{name}={value}" for name, value in given.items())
    return f"{title}({options})" if options else title


def without_twins(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms; `UsageError` if two have one name, or are the same optimizer with the same settings and ranges.

    Two that only differ in their ranges share the trials of their untuned settings.
    """
    for arm, other in combinations(arms, 2):
        if arm.label == other.label:
            raise UsageError(f"optimizer {arm.label!r} is given twice; leave one out or give it another name.")
        if (arm.identity, arm.hyper, arm.ranges) == (other.identity, other.hyper, other.ranges):
            raise UsageError(
                f"one optimizer is given twice, as {arm.label!r} and as {other.label!r}, with the same options; leave "
                "one out or change its options."
            )
    return tuple(arms)
