"""What the command `llmgwd` does besides running: check, doctor, demo; one command a file.

Imported by `__main__` alone, when the command is called; may import all that lies below.
"""
