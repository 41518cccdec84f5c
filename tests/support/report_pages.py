"""A report page for tests: with its figures, or only what it says, which needs no drawing."""

import json
import re
from html import unescape
from html.parser import HTMLParser

from surefoot.analysis import summarize
from surefoot.report import page


def drawn(records, design=None):
    """The whole page, as it is written."""
    return page.render(summarize(records, design))


def said(records, design=None):
    """The page without its figures."""
    return page.html(page.content(summarize(records, design)), {})


def text_of(html):
    """What a reader sees."""
    return unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ")


class Tags(HTMLParser):
    """Every element of a page with its attributes, and the text of its JSON scripts."""

    def __init__(self, page):
        super().__init__()
        self.found, self.specs, self.json = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.json = tag == "script" and dict(attrs).get("type") == "application/json"

    def handle_data(self, data):
        if self.json:
            self.specs.append(json.loads(data))
            self.json = False
