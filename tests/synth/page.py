"""Every tag of a page closed in order, nothing that a browser would fetch."""

from html.parser import HTMLParser


class Checker(HTMLParser):
    """Every tag closed in order, nothing that a browser would fetch."""

    VOID = ("meta", "br", "rect", "line", "polyline", "circle")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "xlink:href", "onload"}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag
