"""axe-core, the checker of accessibility, on an opened page: names, contrast, headings, tables, labels, ids."""

import pytest


def complaints(page, *, but=()):
    """What axe-core finds wrong, a line for each rule; `but` names rules that are left out."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} ({len(one['nodes'])} times)"
        for one in found
        if one["id"] not in but
    ]


def unfold(page):
    """Open what is folded, so that it is checked too."""
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
