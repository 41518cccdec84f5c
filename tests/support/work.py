"""How much work a call is, counted in function calls: the same number on a slow machine and on a busy one."""

from cProfile import Profile
from pstats import Stats


def work(call, *arguments):
    """The calls of functions that one call makes, after a first one that fills the caches."""
    call(*arguments)
    profile = Profile()
    profile.runcall(call, *arguments)
    return Stats(profile).total_calls
