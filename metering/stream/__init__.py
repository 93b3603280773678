"""The stream of meter events: its sessions, and reports of what it refused."""
