"""Stand-ins and samples for the tests of the client."""
