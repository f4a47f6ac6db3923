"""The process that draws: data of pictures on stdin, specifications and PNGs on stdout, and the script for a page.

Started as `python -I -m edgewright.tools.package.drawing`; needs the extra `charts`.
"""

import json
import sys

import vl_convert

from edgewright.tools.package.charts import CHARTS, described, specification

SCALE = 1.5  # sharp at the width of a chat, small enough to travel in a message


def main() -> None:
    """Draw what stdin names."""
    pictures = []
    asked = json.load(sys.stdin)
    for name, data in asked["data"].items():
        drawn = specification(name, data)
        pictures.append(
            {
                "name": name,
                "title": CHARTS[name].title,
                "specification": drawn,
                "png": vl_convert.vegalite_to_png(drawn, scale=SCALE).hex(),
                "svg": vl_convert.vegalite_to_svg(drawn),
                "described": described(name, data),
            }
        )
    # Vega, Vega-Lite and Vega-Embed as one script: what a page needs to draw without a network.
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;") if asked["interactive"] else ""
    sys.stdout.write(json.dumps({"pictures": pictures, "library": library}))


if __name__ == "__main__":
    main()
