"""Reads libsoma's public headers: what the manual pages and the Python package are made of.

The headers are the one source, and are written in one way: a comment of // lines stands above what it
explains, one declaration after another, clang-format's layout. What this reader does not know is an error.
"""

import pathlib
import re
from dataclasses import dataclass, field


@dataclass
class Field:
    name: str
    type: str  # "const char *", "struct soma_fusion", "union"
    count: str = ""  # of an array
    members: list = field(default_factory=list)  # of a union


@dataclass
class Item:
    kind: str  # "struct", "enum", "function", "method", "macro"
    name: str
    comment: list  # lines without their //
    text: str  # as it stands in the header
    fields: list = field(default_factory=list)  # of a struct: Field; of an enum: (name, value)
    request: str = ""  # of a method: names of its two structs
    result: str = ""


@dataclass
class Header:
    name: str
    intro: list
    items: list


def parse_fields(body):
    fields = []
    union = None
    for declaration in re.sub(r"//[^\n]*", "", body).replace("\n", " ").split(";"):
        text = " ".join(declaration.split())
        if text.startswith("union {"):
            union = Field("", "union")
            text = text[len("union {"):].strip()
        if not text:
            continue
        if text.startswith("} "):
            union.name = text[2:]
            fields.append(union)
            union = None
            continue
        pointer = re.fullmatch(r".*\(\*(\w+)\)\(.*\)", text)
        match = re.fullmatch(r"(.*?)(\w+)(?:\[(\w+)\])?", text)
        made = Field(pointer[1], "function") if pointer else Field(match[2], match[1].strip(), match[3] or "")
        (union.members if union else fields).append(made)
    return fields


def parse_enum(body):
    values = []
    for name, value in re.findall(r"^\s*(SOMA_\w+) = (\d+)", body, re.M):
        values.append((name, int(value)))
    return values


def parse_item(text, comment):
    code = re.sub(r"//[^\n]*", "", text)
    if match := re.match(r"struct (\w+);", code):
        return Item("struct", match[1], comment, text)
    if match := re.match(r"struct (\w+) \{\n(.*)\};", text, re.S):
        return Item("struct", match[1], comment, text, parse_fields(match[2]))
    if match := re.match(r"enum (\w*) ?\{(.*)\};", text, re.S):
        return Item("enum", match[1], comment, text, parse_enum(match[2]))
    if match := re.match(r"SOMA_METHOD\((\w+), (\w+), (\w+)\);", code):
        return Item("method", "soma_" + match[1], comment, text, [], match[2], match[3])
    if match := re.match(r"SOMA_API [^;]*?(\w+)\(", code):
        return Item("function", match[1], comment, text)
    if match := re.match(r"#define (SOMA_\w+)", code):
        return Item("macro", match[1], comment, text)
    raise ValueError(f"headers.py does not know: {text}")


def is_plumbing(text):
    return text.startswith(("#", "extern", "}")) and not text.startswith("#define SOMA_")


def whole(lines):
    """Takes one declaration, or one line of the preprocessor with what continues it, off the lines."""
    taken = [lines.pop(0)]
    if taken[0].startswith("#"):
        while taken[-1].endswith("\\"):
            taken.append(lines.pop(0))
        return "\n".join(taken)
    while not is_complete("\n".join(taken)):
        taken.append(lines.pop(0))
    return "\n".join(taken)


def is_complete(text):
    code = re.sub(r"//[^\n]*", "", text).rstrip()
    return code.endswith(";") and code.count("{") == code.count("}")


def comment_text(lines):
    taken = []
    while lines and lines[0].startswith("//"):
        line = lines.pop(0)
        if not line.startswith("// ---"):
            taken.append(line[3:])
    return taken


def read_header(path):
    lines = path.read_text().split("\n")
    intro = comment_text(lines)
    items = []
    comment = []
    while lines:
        line = lines[0]
        if line.startswith("//"):
            comment = comment_text(lines)
        elif not line.strip():
            lines.pop(0)
            comment = []
        elif is_plumbing(line):
            if line.startswith('extern "C" {') or line == "}":
                lines.pop(0)
            else:
                whole(lines)
            comment = []
        else:
            items.append(parse_item(whole(lines), comment))
            comment = []
    return Header(path.stem, intro, [item for item in items if not is_for_the_compiler(item)])


def is_for_the_compiler(item):
    return item.kind == "macro" and (item.name.endswith("_H") or item.name == "SOMA_API")


def read_headers(source):
    """All that soma.h includes, by name, each behind those that it includes itself; source is the root of the tree."""
    source = pathlib.Path(source)
    headers = {}

    def read(name):
        path = source / ("common" if name == "error" else "client") / f"include/soma/{name}.h"
        for included in re.findall(r"^#include <soma/(\w+)\.h>", path.read_text(), re.M):
            if included not in headers:
                read(included)
        headers[name] = read_header(path)

    read("soma")
    return headers
