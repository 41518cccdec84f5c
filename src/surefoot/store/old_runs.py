"""Runs of old stores, which did not record them: guessed once, when such a store is opened.

Until version 3 a store knew neither which trials a run had nor why. What its reports guessed is written down here as
they guessed it: a study's newest run is the trials under the protocol of the newest one, one setting has one name, and
a label that ends in " tuned" is the tuned self of what stands before. Comparing again plans such a run anew.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from surefoot.conventions import resolve
from surefoot.errors import UsageError
from surefoot.store.ranges import GIVEN_BY_USER
from surefoot.values import free_name, is_number

GUESSED = -1
"""The round of every trial of such a run."""

TUNED = " tuned"
KINDS = {"log": "log", "uniform": "uniform", "1 - log": "one_minus"}
COLUMNS = ("key", "label", "rule", "convention", "hyper", "seed", "purpose", "protocol")
EMPTY: dict[str, Any] = {"measure": [], "tune": [], "searches": {}, "timings": {}, "convention": "", "surefoot": ""}

Old = dict[str, Any]
"""A trial of an old store (its `COLUMNS`), with the name from its reports."""


def relate(connection: Connection) -> None:
    """Write every design in today's form, and the trials of every study's newest run."""
    for run, content in connection.execute("SELECT id, content FROM runs").fetchall():
        connection.execute("UPDATE runs SET content = ? WHERE id = ?", (json.dumps(_content(json.loads(content))), run))
    for (study,) in connection.execute("SELECT study FROM trials GROUP BY study ORDER BY max(id)").fetchall():
        query = f"SELECT {', '.join(COLUMNS)} FROM trials WHERE study = ? ORDER BY id"
        trials = [dict(zip(COLUMNS, row, strict=True)) for row in connection.execute(query, (study,))]
        for one in trials:
            one["hyper"], one["protocol"] = json.loads(one["hyper"]), json.loads(one["protocol"])
        protocol = _decides(trials[-1]["protocol"])
        mine = [one for one in trials if _decides(one["protocol"]) == protocol]
        _name(mine)
        _relate(connection, study, mine)


def _name(trials: Sequence[Old]) -> None:
    """Give each setting one name, and each search the name of its setting."""
    setting = [f"{one['rule']} {sorted(one['hyper'].items())}" for one in trials]
    names: dict[str, str] = {}
    for one, has in reversed(list(zip(trials, setting, strict=True))):
        if one["purpose"] == "measure" and has not in names:
            names[has] = free_name(one["label"], names.values())
    tried: dict[str, set[str]] = {}
    for one, has in zip(trials, setting, strict=True):
        if one["purpose"] == "tune":
            tried.setdefault(one["label"], set()).add(has)
    searches = {
        label: next((name for has, name in names.items() if has in settings), label)
        for label, settings in tried.items()
    }
    for one, has in zip(trials, setting, strict=True):
        one["label"] = searches[one["label"]] if one["purpose"] == "tune" else names[has]


def _relate(connection: Connection, study: str, trials: Sequence[Old]) -> None:
    """Enter the trials of a study's newest run, with their design or a new one."""
    query = "SELECT id, content FROM runs WHERE study = ? ORDER BY id DESC"
    designs = [(run, json.loads(content)) for run, content in connection.execute(query, (study,))]
    protocol = _decides(trials[-1]["protocol"])
    run, design = next((one for one in designs if _decides(one[1]["protocol"]) == protocol), (None, EMPTY))
    run = _undesigned(connection, study, trials) if run is None else run
    labels = {one["label"] for one in trials if one["purpose"] == "measure"}
    first = min((one["seed"] for one in trials if one["purpose"] == "tune"), default=0)
    for place, one in enumerate(trials):
        base = one["label"].removesuffix(TUNED)
        part = ("untuned", "", "{}")
        if one["purpose"] == "tune" or (base != one["label"] and base in labels):
            mine = [other["hyper"] for other in trials if other["label"] in (base, one["label"])]
            names = design["searches"].get(base, {}).get("ranges") or _differing(mine)
            role = ("tuning" if one["seed"] == first else "final") if one["purpose"] == "tune" else "measured"
            part = (role, base, json.dumps({name: one["hyper"][name] for name in names if name in one["hyper"]}))
        row = (run, place, one["key"], one["label"], one["seed"], *part, GUESSED)
        connection.execute("INSERT INTO run_trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _differing(hypers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the numbers that were searched: those that differ between trials, lr first."""
    numeric = [name for name, value in hypers[0].items() if is_number(value)]
    differs = [name for name in numeric if len({hyper.get(name) for hyper in hypers}) > 1]
    return sorted(differs, key=lambda name: name != "lr")


def _undesigned(connection: Connection, study: str, trials: Sequence[Old]) -> int:
    """Enter a run of which no design was stored, and return its id."""
    last = trials[-1]["protocol"]
    given = {one["label"]: one for one in trials if one["purpose"] == "measure" and not one["label"].endswith(TUNED)}
    optimizers = [
        {name: one[name] for name in ("label", "rule", "convention", "hyper")}
        | {"given": _given(one, ()), "ranges": {}, "is_named": True}
        for one in given.values()
    ]
    sizes = {"epochs": last.get("epochs", 0), "trials": 0, "seeds": len({one["seed"] for one in trials})}
    content = {**EMPTY, "protocol": last, "optimizers": optimizers, "sizing": sizes, "budget": {}}
    columns = (f"before designs: {study}", study, json.dumps(content))
    connection.execute("INSERT INTO runs (hash, study, content, frozen) VALUES (?, ?, ?, '')", columns)
    (run,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    connection.execute("UPDATE runs SET used = id WHERE id = ?", (run,))
    return int(run)


def _content(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a design in its form of today."""
    searches = {
        label: {**one, "ranges": {name: _range(text) for name, text in one["ranges"].items()}}
        for label, one in old["search"].items()
    }
    optimizers = []
    for one in old["optimizers"]:
        search = searches.get(one["label"], {"ranges": {}, "sources": {}})
        users = {n: found for n, found in search["ranges"].items() if search["sources"].get(n) == GIVEN_BY_USER}
        optimizers.append({**one, "given": _given(one, search["ranges"]), "ranges": users, "is_named": True})
    kept = {name: old[name] for name in ("protocol", "sizing", "budget", "timings", "surefoot") if name in old}
    return {**EMPTY, **kept, **old["seeds"], "optimizers": optimizers, "searches": searches}


def _given(optimizer: Mapping[str, Any], searched: Container[str]) -> dict[str, Any]:
    """Return options equivalent to the user's: those that are neither the convention's nor searched."""
    try:
        defaults = resolve(optimizer["rule"], optimizer["convention"], {})
    except UsageError:  # a class of some library
        defaults = {}
    hyper = {name: value for name, value in optimizer["hyper"].items() if name not in searched and value is not None}
    return {name: value for name, value in hyper.items() if name not in defaults or defaults[name] != value}


def _range(text: str) -> dict[str, Any]:
    """Return the range of "log 0.0001..0.1": its ends had three digits."""
    kind, _, ends = text.rpartition(" ")
    low, high = map(float, ends.split(".."))
    return {"kind": KINDS[kind], "low": low, "high": high}


def _decides(protocol: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in protocol.items() if name != "chance"}
