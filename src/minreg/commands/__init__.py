"""What the commands of ``minreg`` do, one module each.

The arguments and the help of a command are declared in the module of the same name in
``minreg.cli``.
"""
