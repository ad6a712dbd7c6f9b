"""The service manager's side: what it is told, and the sockets it hands over."""
