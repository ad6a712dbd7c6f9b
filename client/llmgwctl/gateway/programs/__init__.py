"""What leads each program to a gateway and what beats that: one file a program, as data."""
