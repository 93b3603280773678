"""The HTTP edge: connections, bodies, threads, and the process that serves."""
