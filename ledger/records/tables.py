"""The schema of all tables beside the log; `ledger.migrations` lists and changes them."""

from sqlalchemy import MetaData

metadata = MetaData()
