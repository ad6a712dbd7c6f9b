"""The client's part of the doctor: its report, and the checks of this shell and this machine."""
