"""Files and folders: where ours are, how foreign ones are read, and how a change is noticed.

It may import the rest of `system` and what lies below.
"""
