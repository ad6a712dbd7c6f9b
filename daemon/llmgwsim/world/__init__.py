"""The simulated objects: what is stored, the pods, and the controllers that make and end them.

Imports gateway, whose program runs in the pods.
"""
