"""The report as one HTML file that needs nothing else: no network, no other file.

Its text is the Markdown report's, rendered; the charts are drawn by the script inside, from the data inside, and stand
there as pictures where no script runs.
"""

import base64
import html
import json

from markdown_it import MarkdownIt

from edgewright.tools.package.pictures import INSTALL_LINE, Drawn, Picture

# Nothing is fetched from anywhere. The chart library compiles its expressions, hence 'unsafe-eval'; all that it gets is
# the data of this file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:"
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem;
  color: #1a1a1a; background: #ffffff; }
h1, h2, h3 { line-height: 1.25; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #8a8a8a; padding: .35rem .6rem; text-align: left; vertical-align: top; }
th { background: #eeeeee; }
code { overflow-wrap: anywhere; }
li, p { overflow-wrap: anywhere; }
figure { margin: 1.5rem 0; }
.drawing { background: #ffffff; border-radius: 6px; overflow-x: auto; padding: .5rem; }
.drawing img { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #eeeeee; background: #141414; }
  th { background: #2c2c2c; }
  a { color: #8ab4f8; }
}
"""
DRAW = """
for (const holder of document.querySelectorAll(".drawing")) {
  const specification = JSON.parse(document.getElementById(holder.dataset.specification).textContent);
  const drawn = document.createElement("div");
  vegaEmbed(drawn, specification, { actions: false, renderer: "svg" }).then(() => {
    holder.replaceChildren(drawn);
    const svg = drawn.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", holder.dataset.described);
    holder.dataset.drawn = "yes";
  });
}
"""


def page(title: str, report: str, drawn: Drawn) -> str:
    """Return the report as one HTML file.

    Args:
        title: Of the page.
        report: In Markdown.
        drawn: What is drawn; nothing where the extra is not installed.
    """
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(report)
    text = _scrolling(text)
    figures = "".join(_figure(picture) for picture in drawn.pictures)
    if not drawn.pictures:
        figures = f"<p>No pictures: they need evidence to draw, and <code>{html.escape(INSTALL_LINE)}</code>.</p>"
    library = drawn.library.replace("</script", "<\\/script")
    scripts = f"<script>{library}</script><script>{DRAW}</script>" if library else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{text}<h2>Pictures</h2>{figures}</main>{scripts}</body></html>\n"
    )


def _scrolling(text: str) -> str:
    """Return the text with each table in a region that scrolls, by keyboard too, and has a name of its own."""
    before, *tables = text.split("<table>")
    regions = (
        f'<div class="wide" tabindex="0" role="region" aria-label="Table {number}"><table>{table}'
        for number, table in enumerate(tables, start=1)
    )
    return "".join([before, *regions]).replace("</table>", "</table></div>")


def _figure(picture: Picture) -> str:
    described, name = html.escape(picture.described), f"specification-{picture.name}"
    image = base64.b64encode(picture.png).decode("ascii")
    # In a script element only "<" could end it; JSON knows it by another name.
    data = json.dumps(picture.specification).replace("<", "\\u003c")
    return (
        f'<figure><div class="drawing" data-specification="{name}" data-described="{described}" tabindex="0" '
        f'role="region" aria-label="{html.escape(picture.title)}"><img alt="{described}" '
        f'src="data:image/png;base64,{image}"></div><figcaption>{html.escape(picture.title)}. {described}</figcaption>'
        f'<script type="application/json" id="{name}">{data}</script></figure>'
    )
