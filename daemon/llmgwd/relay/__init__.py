"""Local connections: listening, holding, and joining each to a stream."""
