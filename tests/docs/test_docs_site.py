"""The built site: it builds without a warning, its links lead somewhere, and its pages need no network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from doc_pages import DOCS

pytestmark = pytest.mark.slow

LOADS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""What makes a browser fetch something, and the attribute that says what; links of type `search` and so on do not."""


class Page(HTMLParser):
    """What a page loads, where it links to, and the places in it."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places.update(given[name] for name in ("id", "name") if given.get(name))
        if LOADS.get(tag) in given:
            self.loads.append(given[LOADS[tag]])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as `make docs` does; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-q", "-d", folder / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, DOCS, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_link_inside_the_site_leads_somewhere(pages):
    lost = []
    for path, page in pages.items():
        for link in page.links:
            there, place = urlsplit(link), unquote(urlsplit(link).fragment)
            if there.scheme or path.name == "playground.html":
                continue
            target = (path.parent / unquote(there.path)).resolve() if there.path else path
            known = pages[target].places if target in pages else None
            plain = not place or place == "top" or "=" in place  # a place of the page itself, or a state for its script
            if not target.exists() or (not plain and place not in (known or ())):
                lost.append((path.name, link))
    assert lost == []


def test_pages_load_nothing_from_the_network(site, pages):
    outside = [(path.name, at) for path, page in pages.items() for at in page.loads if urlsplit(at).netloc]
    assert outside == []
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", text), style.name


def test_no_page_names_a_place_of_this_machine(site):
    here = {str(DOCS.parent), str(Path.home()), sys.prefix}
    for path in [*site.rglob("*.html"), *site.rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not [place for place in here if place in text], path.name


@pytest.mark.browser
def test_pages_open_in_a_browser_without_an_error_and_fit_its_width(pages, browser):
    fetched, errors, wide = [], [], []
    view = browser.new_page()
    view.on("request", lambda request: fetched.append(request.url))
    view.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    view.on("pageerror", lambda error: errors.append(str(error)))
    for path in pages:
        view.goto(path.as_uri())
        for width, height in ((1280, 900), (390, 800)):  # a screen's and a phone's
            view.set_viewport_size({"width": width, "height": height})
            if view.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append((path.name, width))
    view.close()
    assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    assert wide == []


@pytest.mark.browser
def test_the_search_works_from_a_folder_without_a_server(site, browser):
    view = browser.new_page()
    for word in ("adabound", "muon", "doctor"):
        view.goto(f"{(site / 'search.html').as_uri()}?q={word}")
        found = view.locator("#search-results li a")
        found.first.wait_for()
        targets = found.evaluate_all("all => all.map((one) => one.getAttribute('href').split('#')[0].split('?')[0])")
        assert all((site / target).exists() for target in targets)
        assert any(word in (site / target).read_text(encoding="utf-8").lower() for target in targets)
    view.close()
