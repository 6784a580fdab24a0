#!/usr/bin/env python3
"""Prints client/python/soma/_abi.py, libsoma's interface as ctypes sees it, from the public headers.

    python_abi.py SOURCE >client/python/soma/_abi.py     a test compares the two, and asks a C compiler too
"""

import os
import sys

from headers import read_headers

HEAD = '''"""libsoma's interface as ctypes sees it. Made by client/package/python_abi.py from the public headers."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any

Raw = bytes  # some fields are called bytes
'''

# C type: ctypes type, what reading an attribute gives.
SIMPLE = {
    "bool": ("ctypes.c_bool", "bool"),
    "int": ("ctypes.c_int", "int"),
    "int32_t": ("ctypes.c_int32", "int"),
    "int64_t": ("ctypes.c_int64", "int"),
    "uint32_t": ("ctypes.c_uint32", "int"),
    "size_t": ("ctypes.c_size_t", "int"),
    "double": ("ctypes.c_double", "float"),
    "char": ("ctypes.c_char", "Raw"),
    "const char *": ("ctypes.c_char_p", "Raw | None"),
    "const void *": ("ctypes.c_void_p", "int | None"),
    "void *": ("ctypes.c_void_p", "int | None"),
    # An address: embeddings are not copied.
    "const float *": ("ctypes.c_void_p", "int | None"),
    "function": ("ctypes.c_void_p", "int | None"),
    "const uint8_t *": ("ctypes.c_char_p", "Raw | None"),
    "const char *const *": ("ctypes.POINTER(ctypes.c_char_p)", "Any"),
}


def python_type(c_type):
    if c_type in SIMPLE:
        return SIMPLE[c_type]
    plain = c_type.removeprefix("const ").strip()
    if plain.endswith("*"):
        return f"ctypes.POINTER({python_type(plain[:-1].strip())[0]})", "Any"
    if plain.startswith("enum "):
        return "ctypes.c_int", "int"
    if plain.startswith("struct "):
        return plain[7:], plain[7:]
    raise ValueError(f"python_abi.py does not know the type {c_type}")


def print_type(name, base, fields, constants):
    rows = []
    for field in fields:
        if field.type == "union":
            print_type(f"{name}_{field.name}", "Union", field.members, constants)
            rows.append((field.name, f"{name}_{field.name}", f"{name}_{field.name}"))
            continue
        made, read = python_type(field.type)
        if field.count:
            made = f"{made} * {constants.get(field.count, field.count)}"
        rows.append((field.name, made, read))
    print(f"\n\nclass {name}(ctypes.{base}):")
    for row in rows:
        print(f"    {row[0]}: {row[2]}")
    print("    _fields_ = [")
    for row in rows:
        print(f'        ("{row[0]}", {row[1]}),')
    print("    ]")


def print_enum(item):
    names = [name for name, _ in item.fields]
    prefix = os.path.commonprefix(names)
    prefix = prefix[: prefix.rindex("_") + 1]
    print(f"\n\nclass {item.name}(IntEnum):")
    for name, value in item.fields:
        print(f"    {name[len(prefix):]} = {value}")


def main(source):
    print(HEAD, end="")
    constants = {}
    methods = []
    for header in read_headers(source).values():
        for item in header.items:
            if item.kind == "enum" and item.name:
                print_enum(item)
            elif item.kind == "enum":
                constants.update(item.fields)
            elif item.kind == "struct" and item.fields:
                print_type(item.name, "Structure", item.fields, constants)
            elif item.kind == "method":
                methods.append(item)
    print("\n\nCONSTANTS = {")
    for name, value in constants.items():
        print(f'    "{name}": {value},')
    print("}")
    print("\n# Of each method: what it takes and what it gives.")
    print("METHODS: dict[str, tuple[Any, Any]] = {")
    for item in methods:
        print(f'    "{item.name[5:]}": ({item.request}, {item.result}),')
    print("}")


if __name__ == "__main__":
    main(sys.argv[1])
