"""A package, so that pytest puts the folder above on `sys.path` and not this one.

Its subfolders `backbones` and `nstcli` would hide the packages of the same names.
"""
