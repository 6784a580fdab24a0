#!/usr/bin/env python3
"""Makes the manual pages of libsoma, section 3, from the public headers and the examples.

    man_pages.py SOURCE VERSION FOLDER     FOLDER/PAGE.3.gz, and a link to its page for each function
"""

import gzip
import os
import pathlib
import re
import shutil
import sys
import textwrap

from headers import read_headers

# Page: the headers that it explains, the example that it shows.
PAGES = {
    "libsoma": (["soma"], ""),
    "soma_client": (["client", "error"], "event_loop"),
    "soma_server": (["server"], ""),
    "soma_jobs": (["jobs", "job_states"], "submit_follow"),
    "soma_job_files": (["job_files"], "service"),
    "soma_queues": (["queues"], "fan_out"),
    "soma_collections": (["collections"], ""),
    "soma_records": (["records"], "import_search"),
    "soma_tokens": (["tokens"], ""),
}
PLUMBING = {"SOMA_INIT", "SOMA_METHOD"}


def escaped(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def code(text):
    return [".EX", *(escaped(line) for line in text.rstrip("\n").split("\n")), ".EE"]


def prose(comment):
    """Paragraphs of a comment; what is indented is code."""
    out = []
    for part in re.split(r"\n\n", "\n".join(comment)):
        if part.startswith("    "):
            out += [".PP", ".in +4n", *code(textwrap.dedent(part)), ".in"]
        elif part.strip():
            out += [".PP", *(escaped(line.strip()) for line in part.split("\n"))]
    return out


def prototype(item):
    if item.kind == "function":
        text = re.sub(r"^SOMA_API ", "", re.sub(r"//[^\n]*", "", item.text))
        return " ".join(text.split())
    return (
        f"enum soma_code {item.name}(struct soma_client *client, const struct {item.request} *request, "
        f"const struct soma_call_options *options, struct {item.result} **ret_result, struct soma_error *err);"
    )


def wrapped(text):
    """Broken between parameters."""
    if len(text) <= 78:
        return [text]
    head, parameters = text.split("(", 1)
    lines = [head + "("]
    for parameter in re.split(r"(?<=,) ", parameters):
        if len(lines[-1]) + len(parameter) > 76 or lines == [head + "("]:
            lines.append("    " + parameter)
        else:
            lines[-1] += " " + parameter
    return lines


def functions(headers):
    return [item for header in headers for item in header.items if item.kind in ("function", "method")]


def title(headers):
    first = " ".join(headers[0].intro).split(". ")[0].rstrip(".")
    return re.sub(r"^libsoma: ", "", first[:1].lower() + first[1:])


def description(headers):
    out = [".SH DESCRIPTION"]
    for header in headers:
        out += prose([re.sub(r" ?Include$|(Include )?<soma/soma\.h>\.", "", line) for line in header.intro])
        for item in header.items:
            if item.name == "SOMA_METHOD":
                out += [".SS Methods", *prose(item.comment)]
    for item in functions(headers):
        out.append(f".SS {item.name}()")
        if item.kind == "method":
            out += [".PP", f"Takes a struct {item.request}, gives a struct {item.result};", f"also as {item.name}_async(), see soma_client(3)."]
        out += prose(item.comment)
    return out


def types(headers):
    initial = {item.name for header in headers for item in header.items if item.kind == "macro"}
    out = []
    for header in headers:
        for item in header.items:
            if item.kind not in ("struct", "enum") or not item.fields:
                continue
            out.append(f".SS {item.kind} {item.name}" if item.name else ".SS Constants")
            out += prose(item.comment)
            macro = item.name.upper() + "_INIT"
            if macro in initial:
                out += [".PP", f"Initialised with {macro}."]
            out += [".PP", *code(item.text)]
    return [".SH TYPES", *out] if out else []


def page(name, headers, example, source, version):
    found = functions(headers)
    names = ", ".join([name, *(item.name for item in found)])
    out = [f'.TH {name} 3 "" "SOMA {version}" "SOMA"', ".SH NAME", f"{names} \\- {escaped(title(headers))}"]
    out += [".SH LIBRARY", escaped("libsoma (pkg-config soma; CMake Soma::soma)"), ".SH SYNOPSIS", ".nf", "#include <soma/soma.h>"]
    for item in found:
        out += [".PP", *(escaped(line) for line in wrapped(prototype(item)))]
    out += [".fi", *description(headers), *types(headers)]
    if example:
        out += [".SH EXAMPLES", *code((source / f"client/examples/{example}.c").read_text())]
    others = [f".BR {other} (3)" for other in PAGES if other != name]
    return "\n".join([*out, ".SH SEE ALSO", ".BR soma (1),", *(line + "," for line in others[:-1]), others[-1]]) + "\n"


def main(source, version, folder):
    headers = read_headers(source)
    unknown = set(headers) - {name for names, _ in PAGES.values() for name in names}
    if unknown:
        sys.exit(f"man_pages.py knows no page for {', '.join(sorted(unknown))}.h")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, (parts, example) in PAGES.items():
        shown = [headers[part] for part in parts]
        text = page(name, shown, example, pathlib.Path(source), version)
        (pathlib.Path(folder) / f"{name}.3.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        for item in functions(shown):
            for alias in [item.name] + ([item.name + "_async"] if item.kind == "method" else []):
                os.symlink(f"{name}.3.gz", f"{folder}/{alias}.3.gz")


if __name__ == "__main__":
    main(*sys.argv[1:])
