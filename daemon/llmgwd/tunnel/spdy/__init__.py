"""What a tunnel carries in SPDY: pairs of streams, how each ends, and who waits for whom."""
