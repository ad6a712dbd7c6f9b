"""The simulated node's side of `pods/portforward`: raw SPDY, SPDY in a WebSocket, v4 channels.

Imports world, net, and the daemon's SPDY codec.
"""
