#!/usr/bin/env python3
"""Writes files as one C table: embed.py OUTPUT.c TABLE FILE...

The table is `const struct embedded_file TABLE[]` (base/embed.h), sorted by base name, closed by a row of NULL.
"""
import os
import sys

output, table, *files = sys.argv[1:]
with open(output, "w", encoding="ascii") as out:
    out.write('#include "base/embed.h"\n\n')
    files.sort(key=os.path.basename)
    for number, path in enumerate(files):
        with open(path, "rb") as source:
            data = source.read()
        out.write(f"static const char data_{number}[] = {{")
        for at in range(0, len(data), 20):
            out.write("\n    " + " ".join(f"{byte if byte < 128 else byte - 256}," for byte in data[at:at + 20]))
        out.write("\n    0};\n\n")
    out.write(f"const struct embedded_file {table}[] = {{\n")
    for number, path in enumerate(files):
        out.write(f'    {{"{os.path.basename(path)}", data_{number}, sizeof data_{number} - 1}},\n')
    out.write("    {0}};\n")
