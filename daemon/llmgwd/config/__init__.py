"""The configuration: its file, what is allowed in it, and the frozen values it is read into.

Imports errors only. The rest of the daemon sees `model`, never the file.
"""
