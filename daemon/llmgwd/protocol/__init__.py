"""Pure codecs of the three ways in: bytes to frames and back, no sockets and no event loop."""
