"""What people see: tables, charts, progress and exact values."""
