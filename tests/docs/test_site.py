"""The site: it builds without a warning, and needs nothing that lies elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.needs_sphinx


class Page(HTMLParser):
    """Collects what a page loads, what it links to, and the places in it."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.places = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found["id"]} if found.get("id") else set()
        if found.get("src"):
            self.loads.add(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(found["href"])
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site once."""
    out = tmp_path_factory.mktemp("site")
    words = ["--fail-on-warning", "--keep-going", "--quiet", "-c", ROOT / "docs" / "site", "-d", out / "trees"]
    command = [sys.executable, "-m", "sphinx", *words, ROOT / "docs", out / "html"]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "html"


def test_pages_load_nothing_from_elsewhere_and_link_to_what_is_there(site):
    pages = {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}
    assert {"index.html", "gateware.html", "examples.html", "api/gateware.html"} <= set(pages)
    for name, page in pages.items():
        assert not {source for source in page.loads if re.match(r"(https?:)?//", source)}, name
        for link in page.links - {"#"}:
            if re.match(r"https?://|mailto:", link):
                continue
            target, _, place = link.partition("#")
            path = ((site / name).parent / target).resolve().relative_to(site.resolve()).as_posix() if target else name
            assert path in pages, f"{name} links to {link}"
            assert not place or place in pages[path].places, f"{name} links to {link}"


def test_styles_load_nothing_from_elsewhere(site):
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(\s*['\"]?|@import\s+['\"])(https?:)?//", text), sheet.name


def test_the_public_names_are_described(site):
    text = (site / "api" / "gateware.html").read_text(encoding="utf-8")
    assert 'id="licgate.gateware.Accelerator"' in text
    assert "Transforms of a manifest in gateware" in text
    assert "src_loc_at" not in text  # the constructor's signature, not that of Amaranth's metaclass
    assert ">Timing</p>" in text  # a heading of its own, not one of the members
    assert 'id="licgate.codec.Codec.encode"' in (site / "api" / "codec.html").read_text(encoding="utf-8")
