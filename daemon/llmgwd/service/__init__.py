"""The service manager's side: what is reported to it, and the sockets that it hands over.

Imports the contract and the configuration's model; knows nothing of forwards.
"""
