"""How connections are lent beyond a statement: to readers, and in pipelines."""
