"""The grammar of requests: forms and JSON bodies as typed parameters."""
