"""The rules that client and daemon share, each in one place. Pure, but for `regular_file`.

May import wire and the standard library only: the daemon imports these modules.
"""
