"""Connections to a server, through proxies and TLS, and HTTP/1 on the wire.

Imports `config` and `system`; knows neither clusters nor gateways.
"""
