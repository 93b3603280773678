"""How connections are lent beyond a statement: in pipelines."""
