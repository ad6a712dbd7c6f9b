"""Routes, peers and messages for the tests of the relay and of tunnels."""
