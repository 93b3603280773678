"""Credits: grants, balances, transactions, and their application to invoices."""
