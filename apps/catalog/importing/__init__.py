"""Reading files of rows and storing them chunk by chunk: shared by every import command.

`tables.open_table` gives the rows of a file, `columns.ColumnMap` says which column is which field,
`storing.store_rows` writes them in committed chunks and counts, `command.ImportCommand` talks to the terminal.
"""
