"""``python -m minreg``: the ``minreg`` command where its script is not on the path."""

from minreg.cli import main

main()
