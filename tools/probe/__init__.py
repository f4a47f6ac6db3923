"""The part that travels: runs models on a machine and reports what it measured.

Everything here needs the standard library, NumPy, one runtime and Python 3.9; nothing else of Edgewright. A launcher
packs it into one file (`edgewright.tools.targets.bundle`) and starts `python -I FILE REQUEST.json`; the answer is
`answer.json` in the request's folder.
"""
