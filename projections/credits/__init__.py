"""Credits: grants and applications, as one database transaction sees them."""
