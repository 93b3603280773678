"""Credit schedules: grants that recur, each at its instant."""
