"""The daemon that keeps local ports connected to a gateway."""
