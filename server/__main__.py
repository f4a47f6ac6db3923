"""`python -m edgewright.server` is `edgewright`."""

from edgewright.server.cli import main

main()
