"""What follows from the facts about a forward: conditions, state, and its answer without a route.

Pure, and below the rest of the forwards: it imports plain data only (errors, configuration, the
rules that the client shares).
"""
