"""An arm of a comparison: one optimizer with all its hyperparameters, read from text such as `sgd(lr=0.1)`.

The text is Python's own call syntax, parsed and never run; a name with dots in it is a class to import, of torch or any
other library; `my.py:calm` is what a file of the user's defines, `package.module:calm` what a module does. A name may
stand before it: `mine=sgd(lr=0.1)`. `rest=` names the rule of all that is no hidden matrix: `lion(rest=adamw)`. Options
are taken in our spelling or in the convention's, and what is not given takes the convention's default.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

from surefoot.arms import other_optimizers, two_rules
from surefoot.arms.code_hash import code_of, digest, written
from surefoot.arms.parameters import argument_of, check_groups, parameters_of
from surefoot.arms.schedule import Scheduled, name_of, own_schedule
from surefoot.arms.user_code import imported, referred, without_references
from surefoot.conventions import resolve
from surefoot.errors import UsageError
from surefoot.frontends.lookup import find, home, reference
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import is_built_in, rule_of
from surefoot.search.space import space
from surefoot.store.design import Optimizer, Search
from surefoot.store.ranges import Range

OF_TRAINING = ("schedule", "warmup", "groups", "closure")
"""Options of an optimizer in a comparison that it is not made with, but trained."""

_EXAMPLE = 'write it as "adam", "sgd(lr=0.1, momentum=0.9)" or "mine=sgd(lr=0.1)"'


@dataclass(frozen=True)
class Arm(Optimizer):
    """One optimizer of a comparison: its request, and the way to make it.

    What is not built in is in `make`, a rule or a class. `rest` is the rule of what is no hidden matrix, if it is
    another.
    """

    make: Rule | other_optimizers.Make | None = None
    rest: Rule | None = None

    @property
    def asked(self) -> Optimizer:
        """The request for it, as a design keeps it."""
        about = {name: code_name(value) for name, value in _of_training(self.made_by, self.given).items()}
        plain = {name: other_optimizers.plain_value(value) for name, value in {**self.given, **about}.items()}
        names = (self.is_named, self.reference, self.range_test)
        return Optimizer(self.label, self.rule, self.convention, self.hyper, plain, self.ranges, *names)

    @property
    def decides(self) -> dict[str, Any]:
        """The optimizer's part of a design's hash. An explicit default counts, as it is not searched."""
        asked = asdict(self.asked)
        plain = _hyper(self.made_by, self.convention, {}, self.ranges)
        fixed = {name: value for name, value in asked["given"].items() if plain.get(name, value) == value}
        kept = {name: asked[name] for name in ("label", "rule", "convention", "hyper", "ranges")}
        return kept | ({"fixed": fixed} if fixed else {})

    @property
    def schedule(self) -> Scheduled | None:
        """Its own learning-rate schedule, if it has one."""
        return own_schedule(_of_training(self.made_by, self.given))

    @property
    def closure(self) -> Literal["", "first", "more"]:
        """The closure of its step: for the first gradient of a batch, or for more; empty for none."""
        made_by = self.made_by
        if isinstance(made_by, Rule):
            return ""
        if other_optimizers.needs_closure(made_by):
            return "first"
        return "more" if _of_training(made_by, self.given).get("closure") else ""

    @property
    def own(self) -> dict[str, Any]:
        """The options of the optimizer itself that were given: without those of its training."""
        return _own(self.made_by, self.given)

    def following(self, schedule: Scheduled) -> Arm:
        """Return the same optimizer under a study's schedule.

        One that is meant to be without a schedule, as its rule says, is left without, unless it has one of its own.
        """
        if self.schedule or schedule.is_constant:
            return self
        if not self._is_scheduled:
            return self.with_options({"schedule": "constant"})
        return self.with_options({"schedule": schedule.shape}) if callable(schedule.shape) else self

    @property
    def is_meant_constant(self) -> bool:
        """Whether its rule asks for no schedule or learning rate, and its rate is constant."""
        return not self._is_scheduled and (self.schedule is None or self.schedule.is_constant)

    @property
    def _is_scheduled(self) -> bool:
        return not isinstance(self.made_by, Rule) or self.made_by.about.scheduled

    def with_options(self, options: Mapping[str, Any]) -> Arm:
        """Return the same optimizer with some options more."""
        given = {**self.given, **options}
        ranges = {name: dimension for name, dimension in self.ranges.items() if name not in options}
        hyper = _hyper(self.made_by, self.convention, given, ranges)
        return replace(self, hyper=hyper, given=given, ranges=ranges)

    def space(self, trials: int) -> Search:
        """Return what is searched for it in so many trials."""
        made_by = self.made_by
        if isinstance(made_by, Rule):
            own, _ = two_rules.apart(self.own)
            return space(made_by, trials, self.convention, fixed=own, given=self.ranges)
        return other_optimizers.space(made_by, trials, self.own, self.ranges)

    def build(self, model: Any) -> Any:
        """Make the optimizer, a `torch.optim.Optimizer`, or several that are used as one.

        Args:
            model: whose parameters it has; or parameters, unless it needs their names or the model.

        Raises:
            TrialError: a class that is not ours refuses its options, or groups leave something out.
        """
        rule, groups = self.made_by, _of_training(self.made_by, self.given).get("groups")
        if isinstance(rule, Rule) and self.rest is not None:
            return two_rules.build(model, rule, self.rest, self.hyper)
        if not isinstance(rule, Rule):
            parameters = argument_of(other_optimizers.first_argument(rule), model, groups)
            return other_optimizers.build(rule, parameters, self.label, self.own, self.ranges)
        from surefoot.torch import RuleOptimizer

        made = parameters_of(model, groups)
        return RuleOptimizer(made, rule, **{n: value for n, value in self.hyper.items() if n in rule.defaults})

    @property
    def made_by(self) -> Rule | other_optimizers.Make:
        """The rule, or the class."""
        return rule_of(self.rule) if self.make is None else self.make


def make_arm(
    optimizer: Any,
    convention: str,
    given: Mapping[str, Any],
    *,
    ranges: Mapping[str, Range] | None = None,
    name: str = "",
) -> Arm:
    """Return the arm of a rule, or of any class that makes a torch optimizer.

    Args:
        optimizer: `adam`, a `Rule`, or a class such as `torch.optim.NAdam`.
        convention: of a rule.
        given: options with values.
        ranges: options that are searched instead of ours; the rest of the space stays as it is.
        name: the user's name for it.

    Raises:
        UsageError: no such rule or option, a bad value, or something that is no optimizer.
    """
    ranges = ranges or {}
    made: Rule | other_optimizers.Make
    if isinstance(optimizer, str | Rule):
        made = rule_of(optimizer.lower() if isinstance(optimizer, str) else optimizer)
        if "max_grad_norm" in given:
            raise UsageError(
                f"max_grad_norm is no option of the rule {made.name}, as it takes all gradients together; give a class "
                "instead, such as surefoot.torch.Adam(max_grad_norm=1.0)."
            )
        title, rule = made.title, made.name
        full = "" if is_built_in(made) else f"{home(made)}.{rule}@{digest(made)}"
    else:
        made, convention = other_optimizers.check(optimizer), ""
        title, rule = made.__qualname__, other_optimizers.name_of(made)
        full = f"{rule}@{code_of(made)}".rstrip("@")
    options = ", ".join(f"{option}={_shown(option, value)}" for option, value in given.items())
    hyper, label = _hyper(made, convention, given, ranges), f"{title}({options})" if options else title
    if not isinstance(made, Rule):
        other_optimizers.check_lr(made, hyper)
    is_named = bool(name) and name != label
    stands = reference(made) if isinstance(made, Rule) and full else None
    asked = (name or label, full or rule, convention, hyper, given, ranges, is_named, stands or "")
    rest = two_rules.rest_of(made, given) if isinstance(made, Rule) else None
    other = parse_rule(rest)[0] if rest else None
    return Arm(*asked, make=made if full else None, rest=other)


def parse_arms(texts: Iterable[str], convention: str) -> tuple[Arm, ...]:
    """Return the arms that the texts describe; one text may hold several, separated by commas.

    Raises:
        UsageError: text that is no such call, an unknown optimizer or option, a bad value, an arm given twice.
    """
    return without_twins([arm for text in texts for arm in _parse(text, convention)])


def parse_rule(text: str) -> tuple[Rule, dict[str, Any]]:
    """Return the rule and the options of a text such as `adam(beta1=0.5)` or `my.py:calm`.

    Raises:
        UsageError: text that is no such call, or what is no rule.
    """
    body, references = without_references(text)
    calls = _calls(body, text)
    if len(calls) != 1:
        raise UsageError(f"{text!r} names {len(calls)} rules; give one at a time.")
    (name, given), *_ = calls
    return find(referred(references[name]) if name in references else name.lower()), given


def _parse(text: str, convention: str) -> list[Arm]:
    head, equals, tail = text.partition("=")  # the one before the parenthesis gives a name
    name, rest = (head.strip(), tail) if equals and "(" not in head else ("", text)
    body, references = without_references(rest)
    if "," in name:
        raise UsageError(f"optimizer {text!r}: the name {name!r} has a comma; give each optimizer its own -o.")
    calls = _calls(body, text)
    if name and len(calls) > 1:
        raise UsageError(f"optimizer {text!r}: one name for {len(calls)} optimizers; give each its own -o.")
    arms = []
    for what, given in calls:
        stands = references.get(what, "")
        thing = referred(stands) if stands else imported(what) if "." in what else what
        arm = make_arm(thing, convention, given, name=name)
        arms.append(replace(arm, reference=stands or arm.reference))
    return arms


def _calls(body: str, text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what is called between the commas, and with which options."""
    unreadable = UsageError(f"optimizer {text!r} cannot be read; {_EXAMPLE}.")
    if re.fullmatch(r"[\w-]+", body.strip()):  # a name, perhaps with a dash, which is no Python
        return [(body.strip(), {})]
    try:
        tree = ast.parse(body.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise unreadable from None
    found = []
    for part in tree.elts if isinstance(tree, ast.Tuple) else [tree]:
        found.append(_called(part, text, unreadable))
    return found


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


def _hyper(
    optimizer: Rule | other_optimizers.Make, convention: str, given: Mapping[str, Any], ranges: Mapping[str, Range]
) -> dict[str, Any]:
    """Return a value for every settable hyperparameter. Built-in rules include their fixed ones."""
    about, own = _of_training(optimizer, given), _own(optimizer, given)
    schedule = own_schedule(about)
    check_groups(about.get("groups"))
    names = {name: code_name(value) for name, value in about.items()}
    names |= {"schedule": schedule.name} if schedule else {}
    if not isinstance(optimizer, Rule):
        return other_optimizers.hyper(optimizer, own, ranges) | names
    own, around = two_rules.apart(own)
    rest = two_rules.rest_of(optimizer, given)
    own = own if rest is None else two_rules.at_the_rests_rate(optimizer, convention, own)
    resolved = resolve(optimizer, convention, own) | names
    hidden = {*SET_BY_FRONT_END, *(() if is_built_in(optimizer) else optimizer.pinned)}
    if resolved["decay"] is None:  # as in trials that were stored before there was a word for it
        hidden.add("decay")
    found = {option: value for option, value in resolved.items() if option not in hidden}
    return found | ({} if rest is None else {**around, **_of_the_rest(rest, convention, optimizer, found)})


def _of_the_rest(text: str, convention: str, matrices: Rule, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rule of the rest and its hyperparameters among those of the arm."""
    rule, given = parse_rule(text)
    if own := two_rules.apart(given)[1]:
        raise UsageError(f"rest={text} has {', '.join(own)} of its own, and a split has two rules; leave it out.")
    rate = two_rules.in_proportion(matrices, hyper, rule, convention)
    arm = make_arm(rule, convention, given if "lr" in given else {**rate, **given})
    return {"rest": arm.rule, **{f"rest.{name}": value for name, value in arm.hyper.items()}}


def _of_training(optimizer: Rule | other_optimizers.Make, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of training. A class may have options of the same names."""
    taken = () if isinstance(optimizer, Rule) else other_optimizers.options_of(optimizer)
    return {name: given[name] for name in OF_TRAINING if name in given and name not in taken}


def _own(optimizer: Rule | other_optimizers.Make, given: Mapping[str, Any]) -> dict[str, Any]:
    about = _of_training(optimizer, given)
    return {name: value for name, value in given.items() if name not in about}


def code_name(value: Any) -> Any:
    """Return a function's name with a short hash of its code, and a plain value as it is."""
    return f"{name_of(value)}@{digest(value)}" if callable(value) else value


def _shown(option: str, value: Any) -> str:
    return name_of(value) if option in OF_TRAINING and callable(value) else written(value)


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


def without_twins(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms; `UsageError` if two share a name, or are the same optimizer with the same settings.

    Two of one name but of different conventions or libraries have these in their names. Two that only differ in their
    ranges share the trials of their untuned settings.
    """
    origins: dict[str, set[str]] = {}
    for arm in arms:
        origins.setdefault(arm.label, set()).add(arm.convention or arm.name)
    arms = [arm if len(origins[arm.label]) == 1 else _with_origin(arm) for arm in arms]
    for arm, other in combinations(arms, 2):
        if arm.label == other.label:
            raise UsageError(f"optimizer {arm.label!r} is given twice; leave one out or give it another name.")
        if (arm.rule, arm.hyper, arm.ranges) == (other.rule, other.hyper, other.ranges):
            raise UsageError(
                f"one optimizer is given twice, as {arm.label!r} and as {other.label!r}, with the same options; leave "
                "one out or change its options."
            )
    return tuple(arms)


def _with_origin(arm: Arm) -> Arm:
    return replace(arm, label=f"{arm.label} ({arm.convention or arm.name})", is_named=True)
