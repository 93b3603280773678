"""What follows from the log: meters, usage, alerts, credits and webhook endpoints.

Everything here can be deleted and made again from the log with the same answers. Only
the checkpoints of alerts are kept, which say how far evaluation has come; without them
it begins anew and finds nothing new. This package reads the log and never appends to it.
"""
