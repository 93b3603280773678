"""Where the log is stored: engines, the write lock, and database transactions."""
