"""The schema of all tables beside the log."""

from sqlalchemy import Connection, MetaData, inspect

metadata = MetaData()


def are_there(connection: Connection) -> bool:
    """Whether the store has all tables beside the log."""
    return metadata.tables.keys() <= set(inspect(connection).get_table_names())


def create_absent(connection: Connection) -> None:
    """Create the tables that the store lacks."""
    metadata.create_all(connection)
