"""Facts about a rule beside its formula. All have defaults: a rule works without them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot.errors import UsageError


@dataclass(frozen=True)
class Claim:
    """Something said about a rule, and who says so; "the formula" if it can be read off the rule itself.

    What one optimizer does better than another on a network is not said unless a published study, or one of ours,
    measured it.
    """

    text: str
    source: str


@dataclass(frozen=True)
class Centre:
    """The middle of a learning-rate window: the mean of log10 lr, another one if `partner` is searched too."""

    mean: float
    source: str
    partner: str = ""
    mean_with_partner: float = 0.0

    def lr(self, searched: Collection[str]) -> float:
        """Return the learning rate in the middle of the window when these hyperparameters are searched."""
        return float(10 ** (self.mean_with_partner if self.partner in searched else self.mean))

    def borrowed(self, name: str) -> Centre:
        """Return the same for a relative, of which nothing is published."""
        return replace(self, source=f"as {name} [assumed]")


@dataclass(frozen=True)
class Contents:
    """The rules that a rule becomes at some setting. Tuned well, it cannot lose to them in training loss.

    Attributes:
        rules: their names.
        knob: the hyperparameter that turns it into them.
        when: a hyperparameter that must be above zero for that; empty if there is none.
    """

    rules: tuple[str, ...]
    knob: str
    when: str = ""


@dataclass(frozen=True)
class Convention:
    """One rule as one framework means it.

    `call` is what a user writes there (empty if the framework has no such rule), `names` maps our hyperparameters to
    its spelling, `defaults` its default values under our names (a hyperparameter that it requires is absent),
    `switches` the form of the formula, `note` what a user should know, `limits` the highest value that the framework
    takes where that is lower than the rule's own.
    """

    call: str
    names: Mapping[str, str]
    defaults: Mapping[str, float]
    switches: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)

    def check(self, rule: str, hyper: Mapping[str, Any]) -> None:
        """Raise `UsageError` for values that the rule could take and the framework does not."""
        for name, most in self.limits.items():
            if hyper[name] > most:
                raise UsageError(f"{rule}: {name}={hyper[name]!r} is not allowed: {self.call} takes up to {most:g}.")


@dataclass(frozen=True)
class About:
    """The facts about a rule.

    Attributes:
        title: how people write its name; as it is, by default.
        adds: what it adds to the rule that it builds on.
        use, avoid: what speaks for it and against it.
        lr: the middle of the window in which its learning rate is searched; its own default, unless this is known.
        lr_at: the same where a hyperparameter has a value, by the two: `("scale", "original")`.
        contains: the rules that it becomes at some setting.
        meanings: what its hyperparameters mean where `HYPERPARAMETERS` says something else of the name.
        scheduled: whether the schedule of a study is for it too; not if it is meant to be without a schedule or a rate.
        conventions: what `torch`, `keras`, `optax`, `paper` and others that it names mean by it, where that is not what
            the rule itself says.
    """

    title: str = ""
    adds: str = ""
    use: tuple[Claim, ...] = ()
    avoid: tuple[Claim, ...] = ()
    lr: Centre | None = None
    lr_at: Mapping[tuple[str, Any], Centre] = field(default_factory=dict)
    contains: Contents | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, Convention] = field(default_factory=dict)
    scheduled: bool = True

    def centre(self, hyper: Mapping[str, Any]) -> Centre | None:
        """Return the middle of the window in which the learning rate is searched under these hyperparameters."""
        at = (centre for (name, value), centre in self.lr_at.items() if hyper.get(name) == value)
        return next(at, self.lr)

    def lent(self, title: str) -> About:
        """Return what is said of the rate of a relative of which nothing is published."""
        lr_at = {form: centre.borrowed(title) for form, centre in self.lr_at.items()}
        return About(lr=self.lr and self.lr.borrowed(title), lr_at=lr_at)
