"""What follows from the log: meter definitions, hourly usage, summaries.

Every projection can be deleted and made again from the log with the same answers. This
package reads the log and never appends to it.
"""
