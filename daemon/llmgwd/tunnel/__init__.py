"""Upgraded connections to pods, kept warm, and the streams they carry; imports the cluster's
endpoints and upgrades, the codecs and the system's rooms, and nothing of who uses a stream."""
