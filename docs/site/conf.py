"""Sphinx: the pages of docs/ and the public API as a site that needs nothing online. `make docs` builds it."""

import inspect
import re

import licgate

project, author, copyright = "licgate", "licgate developers", "licgate developers, BSD-2-Clause"
version = release = licgate.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
root_doc = "index"
exclude_patterns = ["site"]

# The order of pages stands here, so that docs/index.md reads well by itself.
CONTENTS = {
    "Use it": ["commands", "board", "examples", "training", "results"],
    "How it works": ["gateware", "arithmetic", "streamed", "memory", "coder", "numerics"],
    "Formats and links": ["container", "hostlink", "ethernet", "registers", "zynq", "verilog"],
    "Look up": ["words", "api/index"],
}

html_theme = "furo"
html_title = f"licgate {release}"
html_static_path = ["static"]
html_css_files = ["licgate.css"]
html_copy_source = html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2f6fde", "color-brand-content": "#2f6fde"},
    "dark_css_variables": {"color-brand-primary": "#7aa5f0", "color-brand-content": "#7aa5f0"},
    "footer_icons": [],
}
pygments_style, pygments_dark_style = "friendly", "native"

myst_heading_anchors = 3
suppress_warnings = ["epub.unknown_project_files"]

# Docstrings are numpydoc's; `Members` are those of an Amaranth signature, and :py:`In(1)` is Amaranth's role for code.
napoleon_google_docstring = False
PROSE = ("Numerics", "Timing", "Resources")
napoleon_custom_sections = [("Members", "params_style"), *PROSE]
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
# Only training needs them, and they are large; what they define appears in no signature here.
autodoc_mock_imports = ["torch", "pytorch_msssim", "bjontegaard", "matplotlib", "scipy"]
default_role = "py:obj"
rst_prolog = """
.. role:: py(code)
   :language: python
"""


def add_contents(app, docname, source):
    """Put the table of contents behind the front page."""
    if docname == root_doc:
        for caption, pages in CONTENTS.items():
            lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]
            source[0] += "\n" + "\n".join(lines) + "\n"


def set_prose_apart(app, what, name, obj, options, lines):
    """Make sections of the paragraphs that begin with a word of `PROSE`, which would else be one more member."""
    found = []
    for line in lines:
        match = re.match(rf"({'|'.join(PROSE)}): (.*)", line)
        found += [match[1], "-" * len(match[1]), match[2]] if match else [line]
    lines[:] = found


def sign_components(app, what, name, obj, options, signature, returned):
    """Give an Amaranth component the signature of its constructor instead of its metaclass's."""
    if what == "class" and signature and "src_loc_at" in signature:
        parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
        return str(inspect.Signature(parameters)), returned
    return None


def setup(app):
    """Register the hooks; docstrings come here before napoleon, whose priority is 500."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", set_prose_apart, priority=400)
    app.connect("autodoc-process-signature", sign_components)
