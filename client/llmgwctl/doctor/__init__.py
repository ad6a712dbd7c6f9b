"""The client's part of the doctor: its report, and the checks of this shell and this machine.

May import service, show, gateway and what is below them.
"""
