"""Writes the rows of an inventory as SQL, for tests/store/files: python3 store.py INVENTORY FOLDER > inventory-NNN.sql

FOLDER is the one that its laboratory lay in; another name stands in its place. Only an inventory that was made for
this: its keys are sealed under a key that is gone with the laboratory.
"""
import sqlite3
import sys


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def main(path, folder):
    database = sqlite3.connect(path)
    print("-- Rows that a daemon of this schema has written (store.py).")
    tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                              " ORDER BY rowid").fetchall()
    for (table,) in tables:
        cursor = database.execute(f"SELECT * FROM {table}")
        print(f"DELETE FROM {table};")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            values = [value.replace(folder, "/srv/lab") if isinstance(value, str) else value for value in row]
            there = [(name, literal(value)) for name, value in zip(names, values) if value is not None]
            print(f"INSERT INTO {table} ({', '.join(name for name, _ in there)}) VALUES"
                  f" ({', '.join(text for _, text in there)});")


main(*sys.argv[1:])
