"""An arm of a comparison: one optimizer with all its hyperparameters.

Options are taken in our spelling or in the convention's, and what is not given takes the convention's default. Those of
its training, such as a schedule of its own, stand beside them: they tell arms apart, and the optimizer is made without
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from surefoot.arms import other_optimizers, two_rules
from surefoot.arms.code_hash import code_of, digest, written
from surefoot.arms.optimizer_text import parse_rule
from surefoot.arms.parameters import argument_of, check_groups, parameters_of
from surefoot.arms.schedule import Scheduled, own_schedule
from surefoot.arms.user_code import reference_of
from surefoot.conventions import resolve
from surefoot.errors import Argument, UsageError, one_line
from surefoot.frontends.lookup import home, reference
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import is_built_in, rule_of
from surefoot.search.space import space
from surefoot.store.design import Optimizer, Search
from surefoot.store.ranges import Range
from surefoot.values import name_of, plain_number

OF_TRAINING = ("schedule", "warmup", "groups", "closure")
"""Options of an optimizer in a comparison that it is not made with, but trained."""


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
        code = {name: reference_of(value) for name, value in self.own.items() if not other_optimizers.is_plain(value)}
        names = (self.is_named, self.reference, self.range_test, code)
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
        UsageError: no such rule or option, a bad value, something that is no optimizer, or a name of several lines.
    """
    ranges, name = ranges or {}, one_line(Argument("name"), name)
    given = {option: plain_number(value) for option, value in given.items()}
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
    text = name_of(value) if option in OF_TRAINING and callable(value) else written(value)
    return " ".join(line.strip() for line in text.splitlines())
