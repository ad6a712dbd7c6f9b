"""This process and its children: signals, limits, descriptors, memory, sleep, and long turns.

It may import the rest of `system` and what lies below.
"""
