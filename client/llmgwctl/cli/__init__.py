"""The command line itself: the list of verbs, their parsers, completion and the manual page.

May import show and what is below it; a verb's module is imported by name, when it is called.
"""
