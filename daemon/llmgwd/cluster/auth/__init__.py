"""Logins to a cluster: each kind that a kubeconfig knows, what renews one, and how often.

Imports the kubeconfig's entries, `net.tls` and `system`; never a request to the API server.
"""
