"""The two kinds of route, through a cluster and to a URL, as one `Route` that a forward supervises.

Imports the tunnels, the direct connections and all below them; never a forward.
"""
