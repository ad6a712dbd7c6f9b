"""HTTP connections that end here: each request an exchange with a stream of its own, and a record.

It may import the rest of the relay but `detection`, which leads here, and what lies below.
"""
