"""What can be made to go wrong in the simulated cluster, as calls from Python and by HTTP.

Imports every other room; only the cluster as a whole imports it.
"""
