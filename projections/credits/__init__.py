"""Credits: grants and their applications to invoices."""
