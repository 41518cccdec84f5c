"""The run of a study, planned without training: as large as is wanted, whatever a budget in minutes would buy."""

from surefoot.comparison.ask import ask


def plan(study, options):
    """Every trial of a study, with its data loaded."""
    request = ask(study, options)
    return request.plan(request.wanted)
