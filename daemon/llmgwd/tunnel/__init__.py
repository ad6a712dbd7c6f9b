"""Upgraded connections to pods, kept warm, and the streams they carry."""
