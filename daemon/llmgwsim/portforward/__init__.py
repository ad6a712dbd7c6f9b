"""`pods/portforward` in its three ways: raw SPDY, SPDY in a WebSocket, v4 channels."""
