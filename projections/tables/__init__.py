"""Tables that facts fold into, a module for each resource."""
