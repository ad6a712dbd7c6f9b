"""Client connections, whatever they speak: admitted, held, and joined to streams of a route.

It may import the gateway's words, HTTP/1 from `net`, and what lies below; it knows of no kind of
route. `http` has the requests of HTTP connections, `raw` is for all other bytes.
"""
